"""A real host in a network namespace of its own, for each test that asks for one."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from namespaces import missing, network_namespace

from applier.linux.host import LinuxHost
from applier.vault import Vault

Ip = Callable[..., str]


@pytest.fixture
def namespace() -> Iterator[None]:
    """An empty network around the test; skips where there can be none."""
    if reason := missing():
        pytest.skip(f"network namespaces: {reason}")
    with network_namespace():
        yield


@pytest.fixture
def host(
    namespace: None,  # noqa: ARG001 - around the host
    tmp_path: Path,
) -> Iterator[LinuxHost]:
    with LinuxHost(Vault(b"salt"), tmp_path / "run") as linux_host:
        yield linux_host


@pytest.fixture
def ip(namespace: None) -> Ip:  # noqa: ARG001 - around the commands
    """Run ``ip`` commands, one a line, as another program on the host would."""

    def run(*lines: str) -> str:
        text = "".join(f"{line}\n" for line in lines)
        done = subprocess.run(
            ["ip", "-batch", "-"], input=text, capture_output=True, text=True, check=False
        )
        assert not done.returncode, done.stderr
        return done.stdout

    return run
