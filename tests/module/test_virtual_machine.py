"""Boot the kernel that has the WireGuard module, once, and run in it what is marked for it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from applier.linux.wireguard.kernel import KernelWireGuard
from applier.vault import Vault

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / ".cache/kernel"
SUITE = ROOT / "tests/applier/wireguard"
TIMEOUT = 420
"""Seconds. It takes 100 on an idle machine without hardware virtualisation."""
NO_VM = 125
"""What run-in-vm.sh ends with when there was no virtual machine."""


@pytest.mark.module
@pytest.mark.timeout(TIMEOUT + 20)
def test_the_suite_holds_on_the_kernels_own_wireguard() -> None:
    if KernelWireGuard(Vault(b"")).is_available():
        pytest.skip("this kernel has the module: the suite runs on it directly")
    if os.geteuid() != 0:
        pytest.skip("not root")
    if not (KERNEL / ".complete").exists():
        pytest.skip("no kernel for the virtual machine; tools/fetch-kernel.sh fetches one")
    done = subprocess.run(
        [
            *(str(ROOT / "tools/run-in-vm.sh"), str(KERNEL)),
            *(sys.executable, "-m", "pytest", "-m", "module", "-p", "no:cacheprovider"),
            *("--color=no", "--durations=5", str(SUITE)),
        ],
        cwd=ROOT,
        env={**os.environ, "VM_TIMEOUT": str(TIMEOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == NO_VM and "is missing" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    summary = done.stdout.splitlines()[-1]
    assert re.search(r"\d+ passed", summary), summary
    assert "skipped" not in summary, done.stdout
