"""What all hosts of a mesh share."""

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node

from compiler.inventory import Node
from compiler.topology import Family, build_topology, tunnel_mtu
from schemas.state import Peer
from schemas.values import Endpoint, NodeName, Prefix

A = make_node("a", "10.244.0.0/24", endpoint="192.0.2.1:9806")
B = make_node("b", "10.244.1.0/24", endpoint="[2001:db8::2]:9806")
HIDDEN = make_node("c", "10.244.2.0/24")


@pytest.mark.parametrize(
    ("nodes", "overhead"),
    [((A,), 60), ((A, HIDDEN), 60), ((HIDDEN,), 60), ((B,), 80), ((A, B, HIDDEN), 80)],
)
def test_one_ipv6_endpoint_raises_the_overhead_for_all(
    nodes: tuple[Node, ...], overhead: int
) -> None:
    assert overhead == build_topology(make_inventory(make_mesh(), *nodes)).overhead


@pytest.mark.parametrize(
    ("underlay", "overhead", "mtu"),
    [(1500, 60, 1440), (1500, 80, 1408), (9000, 60, 8928), (1455, 60, 1392), (1360, 80, 1280)],
)
def test_the_tunnels_mtu_is_what_padded_packets_leave(
    underlay: int, overhead: int, mtu: int
) -> None:
    assert mtu == tunnel_mtu(underlay, overhead)
    assert mtu + overhead <= underlay
    assert mtu % 16 == 0


def test_families_are_those_of_the_overlay_with_their_exceptions() -> None:
    mesh = make_mesh(
        "fd00:244::/48",
        "10.245.0.0/16",
        "10.244.0.0/16",
        non_masquerade_cidrs=("192.168.0.0/16", "2001:db8::/32", "10.0.0.0/8"),
    )
    expected = (
        Family(
            ipv6=False,
            overlay=(Prefix("10.244.0.0/16"), Prefix("10.245.0.0/16")),
            no_masquerade=(Prefix("10.0.0.0/8"), Prefix("192.168.0.0/16")),
        ),
        Family(
            ipv6=True,
            overlay=(Prefix("fd00:244::/48"),),
            no_masquerade=(Prefix("2001:db8::/32"),),
        ),
    )
    assert expected == build_topology(make_inventory(mesh)).families


def test_an_exception_of_an_unused_family_makes_no_family() -> None:
    mesh = make_mesh("10.244.0.0/16", non_masquerade_cidrs=("2001:db8::/32",))
    families = build_topology(make_inventory(mesh)).families
    assert [family.ipv6 for family in families] == [False]


def test_peers_are_known_by_name_with_sorted_prefixes() -> None:
    node = make_node("a", "fd00::/64", "10.244.8.0/24", "10.244.0.0/24", endpoint="192.0.2.1:9806")
    expected = {
        NodeName("a"): Peer(
            public_key=make_key("a"),
            allowed_ips=(Prefix("10.244.0.0/24"), Prefix("10.244.8.0/24"), Prefix("fd00::/64")),
            endpoint=Endpoint("192.0.2.1:9806"),
        )
    }
    assert expected == build_topology(make_inventory(make_mesh(), node)).peers
