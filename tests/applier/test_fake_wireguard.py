"""The fake's WireGuard passes the suite of the real ones."""

import pytest

from applier.fake import FakeHost
from applier.vault import Vault
from tests.applier.wireguard.conftest import GROUP, NAME, Implementation
from tests.applier.wireguard.test_doors import *  # noqa: F403 - the suite, for one more implementation


@pytest.fixture(params=["kernel", "userspace"])
def implementation(request: pytest.FixtureRequest) -> Implementation:
    vault = Vault(b"salt of a test")
    host = FakeHost(vault)
    host.devices.userspace = request.param == "userspace"
    return Implementation(host.devices, vault, lambda name: host.network.links[name].group)


@pytest.fixture
def device(implementation: Implementation) -> str:
    implementation.door.create(NAME, GROUP)
    return NAME
