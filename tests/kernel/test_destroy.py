"""A host that had Wormhole is, after destroy, the host that it was before."""

from collections.abc import Iterator

import pytest
from lab.dumps import differences, snapshot
from lab.mesh import Mesh
from lab.network import Lab, LabHost

pytestmark = pytest.mark.kernel

FOREIGN = """
ip link add other type veth peer name other-end
ip link set other up
ip address add 198.51.100.1/24 dev other
ip route add 203.0.113.0/24 dev other protocol static
ip -6 route add 2001:db8:7::/48 dev other protocol bird
ip rule add priority 1000 from 198.51.100.0/24 lookup main
for family in iptables ip6tables; do
  $family-nft -N OTHER
  $family-nft -A OTHER -j ACCEPT
  $family-nft -A FORWARD -j OTHER
  $family-nft -t nat -A POSTROUTING -o other -j MASQUERADE
done
echo '{"cniVersion":"1.0.0","name":"other","plugins":[]}' >/etc/cni/net.d/99-other.conflist
"""


@pytest.fixture
def host(laboratory: type[Lab]) -> Iterator[LabHost]:
    with laboratory() as lab:
        host = lab.add_host("node-a")
        host.sh(FOREIGN)
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
    host.sh("iptables-nft -t mangle -F WORMHOLE-GUARD; rm -rf /run/wormhole/*")
    host.wormhole("destroy", expect=0)

    after = snapshot(host)
    # The values from before are remembered in /run; without it they cannot be known.
    after["sysctls"] = before["sysctls"]
    assert differences(before, after) == ""
