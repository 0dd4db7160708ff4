"""What holds for any cluster: whoever is left out had to go, and everybody else stays."""

import json
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.inventory import Inventory
from compiler.isolate import Isolated, isolate_objects
from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problem, Problems
from schemas.state import Peer
from schemas.values import NodeName

pytestmark = pytest.mark.law

law = settings(max_examples=60, deadline=None)
"""Without a deadline: a busy machine is no counterexample."""

Object = dict[str, Any]
Network = IPv4Network | IPv6Network
Incumbents = Mapping[NodeName, Peer]
NOBODY: Incumbents = MappingProxyType({})
API = "wormhole.dev/v1alpha1"
KEYS = [
    "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=",
    "arnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA=",
    "9CFJmPD5uzBCUWVv8NWKlGaQyuMjMqXcNSYjqhNLNnU=",
    "IgqCTTKfsBbI3NP1TVG0JVRqfWh4CVnsQ1G4Kvg92Q8=",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "no key",
]
GIVEN = ["10.244.0.0/24", "10.244.1.0/24", "10.244.0.0/23", "10.244.2.0/23", "10.244.0.0/16"]
CLAIMED = [
    ["10.244.0.0/24"],
    ["10.244.1.0/24"],
    ["10.244.2.0/24"],
    ["10.244.3.0/24"],
    ["10.244.0.0/24", "10.244.1.0/24"],
    ["10.244.0.0/24", "10.244.2.0/24"],
    ["10.244.0.0/25", "fd00::/64"],
    ["10.244.2.0/23"],
    ["10.244.0.0/23", "fd00::/64"],
    ["10.244.0.0/24", "10.244.0.128/25"],
    ["10.1.0.0/24"],
    ["10.244.0.1/24"],
]
ENDPOINTS = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "10.244.9.9", "x"]
TIMES = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]


class Host(NamedTuple):
    """One node's two objects."""

    mesh_node: Object
    node: Object | None


def mesh(mtu: int) -> Object:
    spec = {"overlayCIDRs": ["10.244.0.0/16", "fd00::/48"], "underlayMTU": mtu}
    return {"apiVersion": API, "kind": "Mesh", "metadata": {"name": "demo"}, "spec": spec}


def optional(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    return st.one_of(st.just({}), values.map(lambda value: {name: value}))


def cidrs(known: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(known), min_size=1, max_size=2)


def mostly(good: list[Any], bad: list[Any]) -> st.SearchStrategy[Any]:
    """Draw what is right by itself nine times in ten: only such contradict each other."""
    return st.integers(0, 9).flatmap(lambda number: st.sampled_from(good if number else bad))


@st.composite
def hosts(draw: st.DrawFn, name: str, *, with_node: bool) -> Host:
    spec = {"publicKey": draw(mostly(KEYS[:4], KEYS[4:]))}
    spec |= draw(optional("podCIDRs", mostly(CLAIMED[:9], CLAIMED[9:])))
    spec |= draw(optional("endpoint", mostly(ENDPOINTS[:4], ENDPOINTS[4:])))
    spec |= draw(optional("underlayMTU", mostly([1340, 1500], [1300])))
    metadata = {"name": name} | draw(optional("creationTimestamp", st.sampled_from(TIMES)))
    own = {"apiVersion": API, "kind": "MeshNode", "metadata": metadata, "spec": spec}
    given_to = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    given_to["spec"] = draw(optional("podCIDRs", cidrs(GIVEN)))
    addresses = draw(st.lists(st.sampled_from(ENDPOINTS[:5]), max_size=2))
    typed = [{"type": "InternalIP", "address": address} for address in addresses]
    given_to["status"] = {"addresses": typed}
    return Host(own, given_to if with_node else None)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Object, list[Host]]:
    with_nodes = draw(st.booleans())
    count = draw(st.integers(1, 5))
    found = [draw(hosts(f"node-{index}", with_node=with_nodes)) for index in range(count)]
    return mesh(draw(st.sampled_from([1340, 1500]))), found


def objects_of(mesh: Object, hosts: list[Host]) -> list[Object]:
    return [mesh, *(each for host in hosts for each in host if each is not None)]


def sources_of(mesh: Object, hosts: list[Host]) -> list[Source]:
    return [Source(name="cluster", text="\n".join(map(json.dumps, objects_of(mesh, hosts))))]


def isolate(mesh: Object, hosts: list[Host], before: Incumbents = NOBODY) -> Isolated | None:
    """Isolate; None when the Mesh is wrong."""
    try:
        return isolate_objects(objects_of(mesh, hosts), before)
    except Problems:
        return None


def parse_strictly(mesh: Object, hosts: list[Host]) -> Inventory | None:
    try:
        return parse(sources_of(mesh, hosts))
    except Problems:
        return None


def name_of(host: Host) -> str:
    return str(host.mesh_node["metadata"]["name"])


def is_backed(host: Host) -> bool:
    return host.node is not None and bool(host.node["spec"].get("podCIDRs"))


def networks_of(host: Host) -> list[Network]:
    """Return what a host claims, if it can be read: its own, or else its Node's."""
    cidrs = host.mesh_node["spec"].get("podCIDRs")
    if cidrs is None and host.node is not None:
        cidrs = host.node["spec"].get("podCIDRs")
    return [ip_network(cidr) for cidr in cidrs or ()]


def overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def is_within(inner: Network, outers: Iterable[Network]) -> bool:
    return any(
        inner.version == outer.version
        and int(outer.network_address) <= int(inner.network_address)
        and int(inner.broadcast_address) <= int(outer.broadcast_address)
        for outer in outers
    )


def is_sound(mesh: Object, host: Host) -> bool:
    """Whether a host is right by itself."""
    if parse_strictly(mesh, [host]) is None:
        return False
    given = [ip_network(cidr) for cidr in host.node["spec"]["podCIDRs"]] if is_backed(host) else []  # type: ignore[index]  # only who has a Node is backed
    return not given or all(is_within(claimed, given) for claimed in networks_of(host))


def address_of(host: Host) -> str:
    """Return the address of a host's endpoint; empty when it has none."""
    own = host.mesh_node["spec"].get("endpoint")
    return str(own or next(iter(addresses_of(host)), ""))


def addresses_of(host: Host) -> list[str]:
    return [each["address"] for each in host.node["status"]["addresses"]] if host.node else []


def spell_endpoint(address: str) -> str:
    return f"[{address}]:9806" if ":" in address else f"{address}:9806"


class Oracle:
    """The law in words, taken literally: everybody is compared with everybody."""

    def __init__(self, mesh: Object, hosts: list[Host], before: Incumbents) -> None:
        self.mesh = mesh
        self.before = before
        sound = [host for host in hosts if is_sound(mesh, host)]
        owners = [host for host in sound if self._owns_its_prefixes(host, sound)]
        keyed = [host for host in owners if self._is_first(host, owners, self._key, self._by_key)]
        self.stay, reached = self._make_room(keyed)
        self.endpoints = {
            name_of(host): spell_endpoint(address_of(host))
            for host in reached
            if self._is_first(host, reached, address_of, self._by_endpoint)
        }

    def _known(self, host: Host) -> Peer | None:
        peer = self.before.get(NodeName(name_of(host)))
        return peer if peer and peer.public_key == self._key(host) else None

    def _key(self, host: Host) -> str:
        return str(host.mesh_node["spec"]["publicKey"])

    def _age(self, host: Host) -> tuple[str, str]:
        return host.mesh_node["metadata"].get("creationTimestamp", "~"), name_of(host)

    def _right(self, host: Host, network: Network) -> tuple[bool, bool]:
        peer = self._known(host)
        had = peer is not None and is_within(network, map(ip_network, peer.allowed_ips))
        return had, is_backed(host)

    def _owns_its_prefixes(self, host: Host, hosts: list[Host]) -> bool:
        return all(
            self._right(host, own) > self._right(other, theirs)
            for own in networks_of(host)
            for other in hosts
            if other is not host
            for theirs in networks_of(other)
            if overlap(own, theirs)
        )

    def _is_first(
        self,
        host: Host,
        hosts: list[Host],
        value: Callable[[Host], str],
        rank: Callable[[Host], Any],
    ) -> bool:
        return host is min((each for each in hosts if value(each) == value(host)), key=rank)

    def _by_key(self, host: Host) -> object:
        return self._known(host) is None, self._age(host)

    def _had_endpoint(self, host: Host) -> bool:
        peer = self._known(host)
        return peer is not None and peer.endpoint == spell_endpoint(address_of(host))

    def _by_endpoint(self, host: Host) -> object:
        listed = address_of(host) in addresses_of(host)
        return not self._had_endpoint(host), not listed, self._age(host)

    def _make_room(self, hosts: list[Host]) -> tuple[list[Host], list[Host]]:
        """Return who stays, and who of these has an endpoint."""
        mtu = self.mesh["spec"]["underlayMTU"]
        reached = [host for host in hosts if address_of(host)]
        wide = [host for host in reached if ":" in address_of(host)]
        narrow = [host for host in hosts if host.mesh_node["spec"].get("underlayMTU", mtu) < 1360]
        if not wide or not narrow:
            return hosts, reached
        best_wide = min((0 if self._had_endpoint(host) else 2, self._age(host)) for host in wide)
        best_narrow = min((1 if self._known(host) else 2, self._age(host)) for host in narrow)
        if best_wide < best_narrow:
            stay = [host for host in hosts if host not in narrow]
            return stay, [host for host in stay if address_of(host)]
        return hosts, [host for host in reached if host not in wide]


def peers_of(isolated: Isolated | None) -> dict[NodeName, Peer]:
    """Return what documents made of this would say of everybody."""
    return {
        node.name: Peer(
            public_key=node.public_key, allowed_ips=node.pod_cidrs, endpoint=node.endpoint
        )
        for node in (isolated.inventory.nodes if isolated else ())
    }


@st.composite
def histories(draw: st.DrawFn) -> tuple[Object, list[Host], Incumbents]:
    """Return a cluster, and what a host remembers of it: how it was once, or nothing."""
    overlay, once = draw(clusters())
    if draw(st.integers(0, 3)) == 0:
        return overlay, once, NOBODY
    return overlay, draw(changed(once)), peers_of(isolate(overlay, once))


@st.composite
def changed(draw: st.DrawFn, once: list[Host]) -> list[Host]:
    """Return what becomes of hosts: some are others, and there may be more."""
    with_node = once[0].node is not None
    others = draw(st.sets(st.sampled_from([*map(name_of, once), "a", "z"]), max_size=3))
    kept = [host for host in once if name_of(host) not in others]
    return kept + [draw(hosts(name, with_node=with_node)) for name in sorted(others)]


@law
@given(histories())
def test_who_stays_and_at_which_endpoint_is_what_the_law_says(
    history: tuple[Object, list[Host], Incumbents],
) -> None:
    overlay, members, before = history
    isolated = isolate(overlay, members, before)
    oracle = Oracle(overlay, members, before)
    kept = sorted(map(name_of, oracle.stay))
    found = peers_of(isolated)
    assert sorted(found) == kept
    assert {name: peer.endpoint for name, peer in found.items() if peer.endpoint} == (
        oracle.endpoints
    )
    if isolated:
        left = [each.name for each in isolated.left_out]
        assert left == sorted(set(map(name_of, members)) - set(kept))
        silent = [each.name for each in isolated.endpoints_left_out]
        had = {name_of(host) for host in oracle.stay if address_of(host)}
        assert silent == sorted(had - oracle.endpoints.keys())
        assert all(each.problems for each in (*isolated.left_out, *isolated.endpoints_left_out))


@law
@given(histories())
def test_the_rest_parses_strictly_to_the_same_inventory(
    history: tuple[Object, list[Host], Incumbents],
) -> None:
    overlay, members, before = history
    isolated = isolate(overlay, members, before)
    if isolated and isolated.inventory.nodes:
        lost = {each.name for each in isolated.left_out}
        silent = {each.name for each in isolated.endpoints_left_out}
        staying = [host for host in members if name_of(host) not in lost]
        rest = parse_strictly(
            overlay, [silence(host) if name_of(host) in silent else host for host in staying]
        )
        assert rest is not None
        assert (rest.mesh, rest.nodes) == (isolated.inventory.mesh, isolated.inventory.nodes)


def silence(host: Host) -> Host:
    """Return a host without any endpoint."""
    bare = {name: value for name, value in host.mesh_node["spec"].items() if name != "endpoint"}
    node = host.node and {name: value for name, value in host.node.items() if name != "status"}
    return Host({**host.mesh_node, "spec": bare}, node)


@law
@given(clusters())
def test_who_contradicts_nobody_is_never_left_out(cluster: tuple[Object, list[Host]]) -> None:
    overlay, members = cluster
    stayed = peers_of(isolate(overlay, members))
    for host in members:
        others = [other for other in members if other is not host]
        pairs = all(
            parse_strictly(overlay, [host, other]) is not None
            for other in others
            if is_sound(overlay, other)
        )
        if is_sound(overlay, host) and pairs:
            assert name_of(host) in stayed


@law
@given(histories(), st.data())
def test_nobody_takes_anything_from_who_has_it(
    history: tuple[Object, list[Host], Incumbents], data: st.DataObject
) -> None:
    """Whatever the others become, and whoever comes: who stayed, and does not change, has it all.

    So what everybody has is also kept when the same cluster is looked at again.
    """
    overlay, members, before = history
    had = peers_of(isolate(overlay, members, before))
    later = data.draw(changed(members))
    found = peers_of(isolate(overlay, later, had))
    for host in members:
        name = NodeName(name_of(host))
        if host in later and name in had:
            assert found[name].public_key == had[name].public_key
            assert found[name].allowed_ips == had[name].allowed_ips
            assert had[name].endpoint in {None, found[name].endpoint}


@law
@given(histories())
def test_looking_again_comes_to_rest(history: tuple[Object, list[Host], Incumbents]) -> None:
    overlay, members, before = history
    seen = [peers_of(isolate(overlay, members, before))]
    for _ in range(2 * len(members) + 1):
        seen.append(peers_of(isolate(overlay, members, seen[-1])))
    assert seen[-1] == seen[-2]


@law
@given(clusters(), st.randoms(use_true_random=False))
def test_the_order_of_objects_says_nothing(
    cluster: tuple[Object, list[Host]], random: Random
) -> None:
    overlay, members = cluster
    shuffled = list(members)
    random.shuffle(shuffled)
    assert without_lines(isolate(overlay, shuffled)) == without_lines(isolate(overlay, members))


def without_lines(isolated: Isolated | None) -> object:
    def bare(problem: Problem) -> Problem:
        return msgspec.structs.replace(problem, file="", line=0)

    if isolated is None:
        return None
    left = [(each.name, sorted(map(bare, each.problems))) for each in isolated.left_out]
    inventory = isolated.inventory
    return inventory.mesh, inventory.nodes, sorted(map(bare, inventory.warnings)), left


@law
@given(clusters())
def test_objects_that_are_no_text_give_the_same_but_for_their_places(
    cluster: tuple[Object, list[Host]],
) -> None:
    overlay, members = cluster
    objects = [overlay, *(each for host in members for each in host if each is not None)]
    written = isolate(overlay, members)
    try:
        found = isolate_objects(objects)
    except Problems as problems:
        assert written is None
        places = {(problem.file, problem.line) for problem in problems.problems}
    else:
        assert without_lines(found) == without_lines(written)
        left = [problem for each in found.left_out for problem in each.problems]
        places = {(each.file, each.line) for each in (*left, *found.inventory.warnings)}
    assert places <= {("", 0)}
