"""What holds for every mesh that the compiler makes, and for every packet."""

from ipaddress import ip_address
from itertools import product

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from inventories import inventories
from msgspec.structs import replace
from stories import A, change_host, make_documents

from compiler.compile import compile_mesh
from compiler.inventory import Inventory
from review.model.network import Network, build_network, replace_machines
from review.model.numbers import spell_address
from review.model.packet import Entry, Packet, Protocol, Start
from review.model.story import Fate
from review.model.variants import without_chains, without_device, without_peer
from review.model.walk import walk, walk_both_ways
from schemas.state import Route, RouteType, Verdict
from schemas.values import Endpoint, NodeName, Prefix

pytestmark = pytest.mark.law


def place(inventory: Inventory) -> Inventory:
    """Let every node be reached at an endpoint of its own, on the port that it listens on."""
    nodes = tuple(
        replace(node, endpoint=Endpoint(f"192.0.2.{number}:{node.listen_port}"))
        for number, node in enumerate(inventory.nodes, 1)
    )
    return replace(inventory, nodes=nodes)


def pods_of(network: Network, name: NodeName, *, ipv6: bool) -> list[str]:
    """Return the first and the last pod of each range."""
    return [
        spell_address(number, ipv6=ipv6)
        for pods in network.machines[name].pods.ranges
        if pods.addresses.ipv6 is ipv6
        for number in (pods.addresses.first, pods.addresses.last)
    ]


@given(inventories(), st.sampled_from([4, 6]), st.sampled_from([Verdict.ACCEPT, Verdict.DROP]))
@settings(max_examples=examples(40))
def test_every_pod_reaches_every_pod_and_is_answered(
    inventory: Inventory, version: int, policy: Verdict
) -> None:
    ipv6 = version == 6
    network = build_network(compile_mesh(place(inventory)))
    around = replace(network.surroundings, forward_policy=policy)
    network = replace(network, surroundings=around)
    for a, b in product(network.machines, repeat=2):
        for source in pods_of(network, a, ipv6=ipv6)[:2]:
            for destination in pods_of(network, b, ipv6=ipv6)[-2:]:
                packet = Packet(source=source, destination=destination)
                story, answer = walk_both_ways(network, packet, Start(host=a, entry=Entry.POD))
                assert (story.fate, story.arrived) == (Fate.DELIVERED, packet)
                assert answer is not None
                assert (answer.fate, answer.host) == (Fate.DELIVERED, a)


@given(inventories(), st.data())
@settings(max_examples=examples(40))
def test_no_packet_for_the_overlay_leaks_whatever_one_thing_fails(
    inventory: Inventory, data: st.DataObject
) -> None:
    network = build_network(compile_mesh(inventory))
    name = data.draw(st.sampled_from(sorted(network.machines)))
    machine = network.machines[name]
    failed = data.draw(
        st.sampled_from(
            [
                machine,
                without_device(machine, machine.tunnel),
                without_device(machine, machine.bridge),
                without_chains(machine),
                *(without_peer(machine, peer) for peer in network.machines),
            ]
        )
    )
    network = replace_machines(network, [failed])
    packet, start = data.draw(packets(network))
    assert walk(network, packet, start).fate is not Fate.LEAKED


@st.composite
def packets(draw: st.DrawFn, network: Network) -> tuple[Packet, Start]:
    """Draw any packet, at the edges of what the mesh knows more often than elsewhere."""
    ipv6 = draw(st.booleans())
    bits = 128 if ipv6 else 32
    edges = {0, (1 << bits) - 1}
    for machine in network.machines.values():
        edges |= {address.number for address in machine.addresses if address.ipv6 is ipv6}
        for way in machine.ways:
            if way.prefix.ipv6 is ipv6:
                edges |= {way.prefix.first, way.prefix.last}
    near = st.builds(
        lambda edge, step: min(max(edge + step, 0), (1 << bits) - 1),
        st.sampled_from(sorted(edges)),
        st.integers(-12, 12),
    )
    anywhere = st.one_of(near, near, near, st.integers(0, (1 << bits) - 1))
    host = draw(st.sampled_from(sorted(network.machines)))
    entry = draw(st.sampled_from(Entry))
    packet = Packet(
        source=spell_address(draw(anywhere), ipv6=ipv6),
        destination=spell_address(draw(anywhere), ipv6=ipv6),
        protocol=draw(st.sampled_from(Protocol)),
        tcp_syn=draw(st.booleans()),
        size=draw(st.integers(48, 65535)),
        dont_fragment=draw(st.booleans()),
    )
    peer = draw(st.sampled_from(sorted(network.machines))) if entry is Entry.PEER else None
    return packet, Start(host=host, entry=entry, peer=peer)


@given(inventories(), st.data())
@settings(max_examples=examples(60))
def test_every_packet_comes_to_an_end(inventory: Inventory, data: st.DataObject) -> None:
    documents = compile_mesh(inventory)
    if data.draw(st.booleans()):
        odd = data.draw(st.sampled_from(["10.0.0.0/16", "0.0.0.0/0", "fd00:244::/40"]))
        name = data.draw(st.sampled_from(sorted(documents.hosts)))
        kind = data.draw(st.sampled_from(RouteType))
        device = documents.hosts[name].wireguard.interface if kind is RouteType.UNICAST else None
        route = Route(destination=Prefix(odd), type=kind, metric=7, device=device)
        documents = change_host(documents, name, lambda host: replace(host, routes=(route,)))
    network = build_network(documents)
    packet, start = data.draw(packets(network))
    story, answer = walk_both_ways(network, packet, start)

    assert story.steps
    assert answer is None or answer.steps


@given(inventories(), st.data())
@settings(max_examples=examples(60))
def test_a_peer_is_heard_in_no_other_s_name(inventory: Inventory, data: st.DataObject) -> None:
    network = build_network(compile_mesh(inventory))
    packet, start = data.draw(packets(network))
    start = replace(
        start, entry=Entry.PEER, peer=data.draw(st.sampled_from(sorted(network.machines)))
    )
    story = walk(network, packet, start)
    machine = network.machines[start.host]
    ipv6 = ":" in packet.source
    number = int(ip_address(packet.source))
    claim = machine.peers.find_claim(number, ipv6=ipv6, without=())

    if claim is None or claim.peer.name != start.peer:
        assert story.fate in {Fate.DROPPED, Fate.LOST}


@pytest.mark.parametrize(
    ("source", "destination", "message"),
    [
        ("10.0.0.1", "fd00::1", "10.0.0.1 and fd00::1 are of two families"),
        ("10.0.0.01", "10.0.0.2", "'10.0.0.01' is no IP address as documents spell it"),
    ],
)
def test_what_is_no_packet_is_not_walked(source: str, destination: str, message: str) -> None:
    network = build_network(make_documents())
    packet = Packet(source=source, destination=destination)

    with pytest.raises(ValueError, match=message):
        walk(network, packet, Start(host=A, entry=Entry.POD))
