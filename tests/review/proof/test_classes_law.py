"""The proof by classes says what walking every host and every pair would say."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inventories import make_inventory, make_key, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate
from review.model.walk import walk
from review.proof.belongings import list_members
from review.proof.claim import Claim, Proof
from review.proof.classes import HostClass, sort_into_classes
from review.proof.prove import prove
from review.proof.world import World
from schemas.state import Documents, HostState, Peer, Rule, Verdict
from schemas.values import Endpoint, InterfaceName, NodeName, Prefix

pytestmark = pytest.mark.law

NAMES = tuple(NodeName(f"node-{letter}") for letter in "abcd")
LAW = settings(
    max_examples=40,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # an example takes a second: no shrinking
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def sound_meshes(draw: st.DrawFn) -> Documents:
    """Draw a mesh of a few nodes, most of which are alike."""
    overlays = draw(st.sampled_from([("10.244.0.0/16",), ("10.244.0.0/16", "fd00:244::/48")]))
    nodes = []
    for number, name in enumerate(NAMES[: draw(st.integers(2, 4))]):
        cidrs = [f"10.244.{number}.0/{draw(st.sampled_from([24, 24, 24, 26]))}"]
        cidrs += [f"fd00:244:0:{number + 1}::/64"] if len(overlays) > 1 else []
        nodes.append(
            make_node(
                name,
                *cidrs,
                endpoint=Endpoint(f"192.0.2.{number + 1}:9806"),
                persistent_keepalive=draw(st.sampled_from([0, 0, 25])),
            )
        )
    return compile_mesh(make_inventory(make_mesh(*overlays), *nodes))


def prove_by_brute_force(documents: Documents) -> Proof:
    """Walk every host and every pair."""
    return prove(documents, tuple(HostClass(names=(name,)) for name in list_members(documents)))


def summarise(proof: Proof) -> tuple[frozenset[Claim], int]:
    """Return which claims do not hold, and how many ordered pairs lose something."""
    return frozenset(each.claim for each in proof.counterexamples), proof.lost


@given(sound_meshes())
@LAW
def test_a_sound_mesh_is_proven_by_classes_and_by_brute_force(documents: Documents) -> None:
    expected = (frozenset[Claim](), 0)
    assert expected == summarise(prove(documents)) == summarise(prove_by_brute_force(documents))


Damage = Callable[[HostState, st.DataObject], HostState]


def lose_route(host: HostState, data: st.DataObject) -> HostState:
    index = data.draw(st.integers(0, len(host.routes) - 1))
    return replace(host, routes=host.routes[:index] + host.routes[index + 1 :])


def divert_route(host: HostState, data: st.DataObject) -> HostState:
    index = data.draw(st.integers(0, len(host.routes) - 1))
    device = data.draw(st.sampled_from([host.bridge.interface, InterfaceName("eth9")]))
    route = replace(host.routes[index], device=device, type="unicast")
    return replace(host, routes=(*host.routes[:index], route, *host.routes[index + 1 :]))


def lose_rule(host: HostState, data: st.DataObject) -> HostState:
    chains = list(host.firewall.ipv4)
    if not chains:
        return host
    number = data.draw(st.integers(0, len(chains) - 1))
    rules = list(chains[number].rules)
    if rules:
        del rules[data.draw(st.integers(0, len(rules) - 1))]
    chains[number] = replace(chains[number], rules=tuple(rules))
    return replace(host, firewall=replace(host.firewall, ipv4=tuple(chains)))


def add_rule(host: HostState, data: st.DataObject) -> HostState:
    """Put a rule somewhere that speaks of a prefix, perhaps one of another host."""
    chains = list(host.firewall.ipv4)
    if not chains:
        return host
    number = data.draw(st.integers(0, len(chains) - 1))
    rules = list(chains[number].rules)
    prefixes = st.none() | st.sampled_from(["10.244.1.0/24", "10.244.0.128/25", "10.244.0.0/15"])
    verdict = data.draw(st.sampled_from([Verdict.ACCEPT, Verdict.DROP, Verdict.RETURN]))
    source, destination = data.draw(prefixes), data.draw(prefixes)
    rule = Rule(
        verdict=verdict,
        comment="damage",
        source=Prefix(source) if source else None,
        destination=Prefix(destination) if destination else None,
    )
    rules.insert(data.draw(st.integers(0, len(rules))), rule)
    chains[number] = replace(chains[number], rules=tuple(rules))
    return replace(host, firewall=replace(host.firewall, ipv4=tuple(chains)))


def lose_firewall(host: HostState, _: st.DataObject) -> HostState:
    return replace(host, firewall=replace(host.firewall, ipv4=(), ipv6=()))


def lose_sysctls(host: HostState, _: st.DataObject) -> HostState:
    return replace(host, sysctls={})


def widen_pods(host: HostState, _: st.DataObject) -> HostState:
    return replace(host, wireguard=replace(host.wireguard, mtu=1280))


def move_port(host: HostState, _: st.DataObject) -> HostState:
    return replace(host, wireguard=replace(host.wireguard, listen_port=9807))


def change_key(host: HostState, _: st.DataObject) -> HostState:
    return replace(host, wireguard=replace(host.wireguard, public_key=make_key("another")))


HOST_DAMAGE: tuple[Damage, ...] = (
    lose_route,
    divert_route,
    lose_rule,
    add_rule,
    lose_firewall,
    lose_sysctls,
    widen_pods,
    move_port,
    change_key,
)


PEER_DAMAGE: dict[str, Callable[[Peer], Peer]] = {
    "no endpoint": lambda peer: replace(peer, endpoint=None),
    "the endpoint of node-a": lambda peer: replace(peer, endpoint=Endpoint("192.0.2.1:9806")),
    "the endpoint of node-a, another port": lambda peer: replace(
        peer, endpoint=Endpoint("192.0.2.1:9999")
    ),
    "an endpoint in the overlay": lambda peer: replace(peer, endpoint=Endpoint("10.244.3.3:9806")),
    "one prefix less": lambda peer: replace(peer, allowed_ips=peer.allowed_ips[1:]),
    "a prefix around all": lambda peer: replace(
        peer, allowed_ips=(Prefix("10.244.0.0/18"), *peer.allowed_ips)
    ),
    "half of a prefix of node-a": lambda peer: replace(
        peer, allowed_ips=(Prefix("10.244.0.0/25"), *peer.allowed_ips)
    ),
    "a prefix of nobody": lambda peer: replace(
        peer, allowed_ips=(*peer.allowed_ips, Prefix("10.244.77.0/24"))
    ),
    "the key of node-a": lambda peer: replace(peer, public_key=make_key("node-a")),
}


def damage_peer(peer: Peer, data: st.DataObject) -> Peer:
    return PEER_DAMAGE[data.draw(st.sampled_from(sorted(PEER_DAMAGE)))](peer)


def alike() -> Documents:
    """Return a mesh of four nodes that differ in names only."""
    nodes = [
        make_node(name, f"10.244.{number}.0/24", endpoint=Endpoint(f"192.0.2.{number + 1}:9806"))
        for number, name in enumerate(NAMES)
    ]
    return compile_mesh(make_inventory(make_mesh(), *nodes))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("harm", PEER_DAMAGE)
def test_one_wrong_peer_among_equals_is_judged_alike(name: NodeName, harm: str) -> None:
    documents = alike()
    peers = dict(documents.mesh.peer_groups["mesh"])
    peers[name] = PEER_DAMAGE[harm](peers[name])
    mesh = replace(documents.mesh, peer_groups={"mesh": peers})
    damaged = Documents(mesh=mesh, hosts=documents.hosts)
    assert summarise(prove_by_brute_force(damaged)) == summarise(prove(damaged))


def damage(documents: Documents, data: st.DataObject) -> Documents:
    """Do the same to some hosts, or something to a peer."""
    hosts, groups = dict(documents.hosts), dict(documents.mesh.peer_groups)
    victims = data.draw(st.lists(st.sampled_from(sorted(hosts)), min_size=1, unique=True))
    if data.draw(st.booleans()):
        harm = data.draw(st.sampled_from(HOST_DAMAGE))
        hosts |= {name: harm(hosts[name], data) for name in victims}
    else:
        peers = dict(groups["mesh"])
        name = victims[0]
        if name in peers and data.draw(st.integers(0, 3)):
            peers[name] = damage_peer(peers[name], data)
        else:
            peers.pop(name, None)
        groups["mesh"] = peers
    return Documents(mesh=replace(documents.mesh, peer_groups=groups), hosts=hosts)


@given(sound_meshes(), st.data())
@LAW
def test_a_damaged_mesh_is_judged_alike_by_classes_and_by_brute_force(
    documents: Documents, data: st.DataObject
) -> None:
    damaged = damage(documents, data)
    for _ in range(data.draw(st.integers(0, 1))):
        damaged = damage(damaged, data)
    assert summarise(prove_by_brute_force(damaged)) == summarise(prove(damaged))


@given(sound_meshes(), st.data())
@LAW
def test_what_is_proven_holds_for_any_pod(documents: Documents, data: st.DataObject) -> None:
    world = World(documents, tuple(HostClass(names=(name,)) for name in documents.hosts))
    one, other = data.draw(st.permutations(sorted(documents.hosts)))[:2]
    ranges = st.sampled_from(world.strict.machines[one].pods.ranges)
    given_range = data.draw(ranges).addresses
    target_range = next(
        each.addresses
        for each in world.strict.machines[other].pods.ranges
        if each.addresses.ipv6 is given_range.ipv6
    )
    source, target = (
        str(ip_address(data.draw(st.integers(each.first, each.last))))
        for each in (given_range, target_range)
    )
    packet = Packet(source=source, destination=target)
    story = walk(world.strict, packet, Start(host=one, entry=Entry.POD))
    assert (Fate.DELIVERED, other, source) == (story.fate, story.host, story.arrived.source)


def test_nodes_that_differ_in_names_only_are_one_class() -> None:
    assert (HostClass(names=NAMES),) == sort_into_classes(alike())
