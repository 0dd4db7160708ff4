"""The three implementations that one test suite runs on."""

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


@pytest.fixture(
    params=[
        "fake-kernel",
        pytest.param("wireguard-go", marks=pytest.mark.kernel),
        pytest.param("module", marks=pytest.mark.module),
    ]
)
def implementation(
    request: pytest.FixtureRequest, vault: Vault, tmp_path: Path
) -> Iterator[Implementation]:
    match request.param:
        case "fake-kernel":
            fake = FakeKernel()
            yield Implementation(
                KernelWireGuard(vault, fake.open), vault, lambda name: fake.devices[name].group
            )
            assert all(channel.closed for channel in fake.channels)
        case "wireguard-go":
            skip_if(why_not("wireguard-go"))
            with own_namespaces():
                yield Implementation(UserspaceWireGuard(vault, tmp_path), vault, group_of_link)
        case _:
            skip_if(why_not())
            door = KernelWireGuard(vault)
            if not door.is_available():
                pytest.skip("no WireGuard in this kernel; tests/module runs this in a VM")
            with own_namespaces():
                yield Implementation(door, vault, group_of_link)


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
