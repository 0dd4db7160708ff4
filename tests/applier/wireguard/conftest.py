"""The three implementations that one test suite runs on."""

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from applier.host import WireGuardDoor
from applier.linux.wireguard.kernel import KernelWireGuard
from applier.linux.wireguard.userspace import UserspaceWireGuard
from applier.vault import Vault
from tests.applier.wireguard.fake_kernel import FakeKernel
from tests.applier.wireguard.namespace import own_namespaces, why_not

NAME = "wormhole-test0"
GROUP = 9806


@dataclass
class Implementation:
    """A door, the vault behind it, and how to see a link's group past the door."""

    door: WireGuardDoor
    vault: Vault
    group_of: Callable[[str], int]


@pytest.fixture
def vault() -> Vault:
    return Vault(b"salt of a test")


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


FAKE = "fake-kernel"
GO = pytest.param("wireguard-go", marks=pytest.mark.kernel)
MODULE = pytest.param("module", marks=pytest.mark.module)


@contextlib.contextmanager
def opened(kind: str, vault: Vault, run_dir: Path) -> Iterator[Implementation]:
    """Open the door to an implementation; the real ones in namespaces of their own."""
    if kind == FAKE:
        fake = FakeKernel()
        door = KernelWireGuard(vault, fake.open)
        yield Implementation(door, vault, lambda name: fake.devices[name].group)
        assert all(channel.closed for channel in fake.channels)
        return
    skip_if(why_not("wireguard-go" if kind == "wireguard-go" else ""))
    real: WireGuardDoor = UserspaceWireGuard(vault, run_dir)
    if kind == "module":
        real = KernelWireGuard(vault)
        if not real.is_available():
            pytest.skip("no WireGuard in this kernel; tests/module runs this in a VM")
    with own_namespaces():
        yield Implementation(real, vault, group_of_link)


@pytest.fixture(params=[FAKE, GO, MODULE])
def implementation(
    request: pytest.FixtureRequest, vault: Vault, tmp_path: Path
) -> Iterator[Implementation]:
    with opened(request.param, vault, tmp_path) as found:
        yield found


@pytest.fixture(params=[GO, MODULE])
def real_implementation(
    request: pytest.FixtureRequest, vault: Vault, tmp_path: Path
) -> Iterator[Implementation]:
    with opened(request.param, vault, tmp_path) as found:
        yield found


@pytest.fixture
def device(implementation: Implementation) -> str:
    """A device that was just made."""
    implementation.door.create(NAME, GROUP)
    return NAME


def group_of_link(name: str) -> int:
    done = subprocess.run(
        ["ip", "-N", "-json", "link", "show", "dev", name],
        capture_output=True,
        check=True,
    )
    return int(json.loads(done.stdout)[0]["group"])


def skip_if(reason: str) -> None:
    if reason:
        pytest.skip(reason)
