"""A host that had Wormhole is, after destroy, the host that it was before."""

from collections.abc import Iterator

import pytest
from lab.dumps import differences, snapshot
from lab.foreigners import settle_foreigners
from lab.mesh import Mesh
from lab.network import Lab, LabHost

pytestmark = pytest.mark.kernel


@pytest.fixture
def host(laboratory: type[Lab]) -> Iterator[LabHost]:
    with laboratory() as lab:
        host = lab.add_host("node-a")
        settle_foreigners(host, "nft")
        yield host


@pytest.fixture
def mesh(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    mesh = Mesh(tmp_path_factory.mktemp("destroy"))
    mesh.join(host, ["10.244.0.0/24", "fd00:244::/64"])
    mesh.compile(host)
    return mesh


def test_destroy_returns_the_host_to_its_first_state_and_keeps_the_key(
    host: LabHost, mesh: Mesh
) -> None:
    key = host.wormhole("keygen", expect=0).stdout
    before = snapshot(host)

    mesh.apply(host)
    assert differences(before, snapshot(host)) != ""
    host.wormhole("destroy", expect=0)

    assert differences(before, snapshot(host)) == ""
    assert host.wormhole("keygen", expect=0).stdout == key


def test_a_second_destroy_has_nothing_to_do(host: LabHost, mesh: Mesh) -> None:
    mesh.apply(host)
    host.wormhole("destroy", expect=0)
    before = snapshot(host)

    host.wormhole("destroy", expect=0)

    assert differences(before, snapshot(host)) == ""


def test_purge_removes_the_keys_too(host: LabHost, mesh: Mesh) -> None:
    mesh.apply(host)

    host.wormhole("destroy", "--purge", expect=0)

    assert host.sh("find /var/lib/wormhole -type f 2>/dev/null || true") == ""


def test_destroy_after_a_crash_that_left_half_a_network_removes_that_half(
    host: LabHost, mesh: Mesh
) -> None:
    before = snapshot(host)
    mesh.apply(host)

    host.sh("kill -9 $(pgrep -x wireguard-go) 2>/dev/null || ip link delete wormhole-wg0")
    host.sh("iptables-nft -t mangle -F WORMHOLE-GUARD; ip link delete wormhole-br0")
    host.wormhole("destroy", expect=0)

    assert differences(before, snapshot(host)) == ""
