"""A host's firewall, asked about packets."""

from ipaddress import ip_address, ip_network

import pytest
from inventories import make_inventory, make_mesh, make_node

from compiler.compile import compile_host, compile_mesh
from schemas.state import Chain, Firewall, Hook, Position, Rule, Stage, Value, Verdict
from schemas.values import InterfaceName

WG = InterfaceName("wormhole-wg0")
BR = InterfaceName("wormhole-br0")
LO = InterfaceName("lo")
ETH = InterfaceName("eth0")

LOCAL, OTHER_LOCAL = "10.244.0.10", "10.244.0.11"
REMOTE = "10.244.1.10"
HOST_IN_OVERLAY = "10.244.0.2"
UNDERLAY, PEER_UNDERLAY, OUTSIDE = "192.0.2.1", "192.0.2.2", "198.51.100.7"
EXCEPTED = "172.16.5.5"


class Packet(Value, frozen=True, kw_only=True):
    """As much of a packet as our rules look at."""

    source: str
    destination: str
    input: InterfaceName | None = None
    output: InterfaceName | None = None


def make_firewall(**mesh_fields: object) -> Firewall:
    mesh = make_mesh(
        "10.244.0.0/16",
        "fd00:244::/48",
        **({"non_masquerade_cidrs": ("172.16.0.0/12",)} | mesh_fields),
    )
    nodes = (
        make_node("a", "10.244.0.0/24", "fd00:244:0:1::/64"),
        make_node("b", "10.244.1.0/24", "fd00:244:0:2::/64"),
    )
    return compile_host(make_inventory(mesh, *nodes), nodes[0].name)[1].firewall


FIREWALL = make_firewall()


def matches(rule: Rule, packet: Packet) -> bool:
    return (
        rule.input in (None, packet.input)
        and rule.output in (None, packet.output)
        and (rule.source is None or ip_address(packet.source) in ip_network(rule.source))
        and (
            rule.destination is None
            or ip_address(packet.destination) in ip_network(rule.destination)
        )
    )


def judge(name: str, packet: Packet, firewall: Firewall = FIREWALL) -> Verdict:
    """Return what a chain does with a packet; at its end the packet returns."""
    chains = firewall.ipv6 if ":" in packet.source else firewall.ipv4
    (chain,) = (chain for chain in chains if chain.name == name)
    for rule in chain.rules:
        if matches(rule, packet):
            return rule.verdict
    return Verdict.RETURN


@pytest.mark.parametrize("chains", [FIREWALL.ipv4, FIREWALL.ipv6])
def test_every_chain_hangs_where_it_must(chains: tuple[Chain, ...]) -> None:
    post, first = (Hook.POSTROUTING,), Position.FIRST
    assert [(chain.name, chain.stage, chain.hooks, chain.position) for chain in chains] == [
        ("guard", Stage.MANGLE, post, first),
        ("mss", Stage.MANGLE, post, first),
        ("antispoof", Stage.FILTER, (Hook.INPUT, Hook.FORWARD), first),
        ("forward", Stage.FILTER, (Hook.FORWARD,), Position.LAST),
        ("nat", Stage.NAT, post, first),
    ]


@pytest.mark.parametrize(
    ("output", "destination", "verdict"),
    [
        (WG, REMOTE, Verdict.RETURN),
        (BR, LOCAL, Verdict.RETURN),
        (LO, HOST_IN_OVERLAY, Verdict.RETURN),
        (ETH, OUTSIDE, Verdict.RETURN),
        (ETH, PEER_UNDERLAY, Verdict.RETURN),
        (ETH, REMOTE, Verdict.DROP),
        (ETH, LOCAL, Verdict.DROP),
        (ETH, "10.244.200.1", Verdict.DROP),
        (BR, REMOTE, Verdict.DROP),
    ],
)
def test_the_guard_lets_the_overlay_out_by_the_tunnel_or_to_local_pods_only(
    output: InterfaceName, destination: str, verdict: Verdict
) -> None:
    packet = Packet(source=UNDERLAY, destination=destination, output=output)
    assert verdict == judge("guard", packet)


@pytest.mark.parametrize(
    ("entry", "source", "verdict"),
    [
        (LO, HOST_IN_OVERLAY, Verdict.RETURN),
        (LO, UNDERLAY, Verdict.RETURN),
        (BR, LOCAL, Verdict.RETURN),
        (BR, REMOTE, Verdict.DROP),
        (BR, OUTSIDE, Verdict.DROP),
        (BR, UNDERLAY, Verdict.DROP),
        (WG, REMOTE, Verdict.RETURN),
        (WG, LOCAL, Verdict.DROP),
        (WG, OUTSIDE, Verdict.DROP),
        (ETH, OUTSIDE, Verdict.RETURN),
        (ETH, PEER_UNDERLAY, Verdict.RETURN),
        (ETH, REMOTE, Verdict.DROP),
        (ETH, LOCAL, Verdict.DROP),
    ],
)
def test_a_source_is_believed_only_where_it_lives(
    entry: InterfaceName, source: str, verdict: Verdict
) -> None:
    packet = Packet(source=source, destination=LOCAL, input=entry)
    assert verdict == judge("antispoof", packet)


@pytest.mark.parametrize(
    ("source", "verdict"),
    [
        ("fd00:244:0:1::a", Verdict.RETURN),
        ("fe80::1", Verdict.RETURN),
        ("::", Verdict.RETURN),
        ("fd00:244:0:2::a", Verdict.DROP),
        ("2001:db8::1", Verdict.DROP),
    ],
)
def test_ipv6_pods_may_look_for_their_neighbours(source: str, verdict: Verdict) -> None:
    packet = Packet(source=source, destination="ff02::1", input=BR)
    assert verdict == judge("antispoof", packet)


@pytest.mark.parametrize(
    ("entry", "source", "leave", "destination", "verdict"),
    [
        (BR, LOCAL, ETH, OUTSIDE, Verdict.ACCEPT),
        (BR, LOCAL, WG, REMOTE, Verdict.ACCEPT),
        (BR, LOCAL, BR, OTHER_LOCAL, Verdict.ACCEPT),
        (WG, REMOTE, BR, LOCAL, Verdict.ACCEPT),
        # Answers of a remote pod to a caller from outside, who came by this host.
        (WG, REMOTE, ETH, OUTSIDE, Verdict.ACCEPT),
        (ETH, OUTSIDE, BR, LOCAL, Verdict.ACCEPT),
        (ETH, OUTSIDE, WG, REMOTE, Verdict.ACCEPT),
        (ETH, OUTSIDE, ETH, PEER_UNDERLAY, Verdict.RETURN),
    ],
)
def test_pod_traffic_is_accepted_and_nothing_else(
    entry: InterfaceName, source: str, leave: InterfaceName, destination: str, verdict: Verdict
) -> None:
    packet = Packet(source=source, destination=destination, input=entry, output=leave)
    assert verdict == judge("forward", packet)


@pytest.mark.parametrize(
    ("source", "destination", "output", "verdict"),
    [
        (LOCAL, REMOTE, WG, Verdict.RETURN),
        (LOCAL, OTHER_LOCAL, BR, Verdict.RETURN),
        (HOST_IN_OVERLAY, REMOTE, WG, Verdict.RETURN),
        (REMOTE, LOCAL, BR, Verdict.RETURN),
        (LOCAL, OUTSIDE, ETH, Verdict.MASQUERADE),
        (LOCAL, PEER_UNDERLAY, ETH, Verdict.MASQUERADE),
        (LOCAL, EXCEPTED, ETH, Verdict.RETURN),
        (LOCAL, "239.1.2.3", ETH, Verdict.RETURN),
        (REMOTE, OUTSIDE, ETH, Verdict.RETURN),
        (OUTSIDE, LOCAL, BR, Verdict.RETURN),
        (OUTSIDE, REMOTE, WG, Verdict.MASQUERADE),
        (EXCEPTED, REMOTE, WG, Verdict.MASQUERADE),
        (UNDERLAY, REMOTE, WG, Verdict.MASQUERADE),
        (UNDERLAY, OUTSIDE, ETH, Verdict.RETURN),
    ],
)
def test_sources_are_translated_only_where_answers_would_be_lost(
    source: str, destination: str, output: InterfaceName, verdict: Verdict
) -> None:
    packet = Packet(source=source, destination=destination, output=output)
    assert verdict == judge("nat", packet)


def test_without_masquerading_pods_keep_their_addresses_outside() -> None:
    firewall = make_firewall(masquerade=False)
    outward = Packet(source=LOCAL, destination=OUTSIDE, output=ETH)
    inward = Packet(source=OUTSIDE, destination=REMOTE, output=WG)
    assert judge("nat", outward, firewall) is Verdict.RETURN
    assert judge("nat", inward, firewall) is Verdict.MASQUERADE


def test_only_connections_through_the_tunnel_are_clamped() -> None:
    (chain,) = (chain for chain in FIREWALL.ipv4 if chain.name == "mss")
    assert chain.rules == (
        Rule(
            verdict=Verdict.CLAMP_MSS,
            comment="TCP segments fit the tunnel",
            output=WG,
            tcp_syn=True,
        ),
    )


def test_a_family_that_the_overlay_does_not_use_has_no_chain() -> None:
    mesh = make_mesh("fd00:244::/48")
    node = make_node("a", "fd00:244:0:1::/64")
    firewall = compile_host(make_inventory(mesh, node), node.name)[1].firewall
    assert firewall.ipv4 == ()
    assert len(firewall.ipv6) == 5


def test_hosts_share_the_rules_that_name_no_pod() -> None:
    nodes = (make_node("a", "10.244.0.0/24"), make_node("b", "10.244.1.0/24"))
    hosts = compile_mesh(make_inventory(make_mesh(), *nodes)).hosts.values()
    one, other = (host.firewall.ipv4[0].rules for host in hosts)
    assert [a is b for a, b in zip(one, other, strict=True)] == [True, True, False, True]
