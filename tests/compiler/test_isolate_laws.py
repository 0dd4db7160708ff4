"""What holds for any cluster: whoever is left out had to go, and everybody else stays."""

import json
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.inventory import Inventory
from compiler.isolate import Isolated, isolate_objects, parse_isolating
from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problem, Problems

pytestmark = pytest.mark.law

law = settings(max_examples=60, deadline=None)
"""Without a deadline: a busy machine is no counterexample."""

Object = dict[str, Any]
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
CLAIMED = [*GIVEN, "10.244.1.128/25", "10.244.0.0/25", "10.1.0.0/24", "10.244.0.1/24", "fd00::/64"]
ENDPOINTS = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2", "10.244.9.9", "x"]
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


@st.composite
def hosts(draw: st.DrawFn, name: str, *, with_node: bool) -> Host:
    spec = {"publicKey": draw(st.sampled_from(KEYS))}
    spec |= draw(optional("podCIDRs", cidrs(CLAIMED)))
    spec |= draw(optional("endpoint", st.sampled_from(ENDPOINTS)))
    spec |= draw(optional("underlayMTU", st.sampled_from([1300, 1340, 1500])))
    metadata = {"name": name} | draw(optional("creationTimestamp", st.sampled_from(TIMES)))
    own = {"apiVersion": API, "kind": "MeshNode", "metadata": metadata, "spec": spec}
    given_to = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    given_to["spec"] = draw(optional("podCIDRs", cidrs(GIVEN)))
    return Host(own, given_to if with_node else None)


@st.composite
def clusters(draw: st.DrawFn) -> tuple[Object, list[Host]]:
    with_nodes = draw(st.booleans())
    count = draw(st.integers(1, 7))
    found = [draw(hosts(f"node-{index}", with_node=with_nodes)) for index in range(count)]
    return mesh(draw(st.sampled_from([1340, 1500]))), found


def sources_of(mesh: Object, hosts: list[Host]) -> list[Source]:
    objects = [mesh, *(each for host in hosts for each in host if each is not None)]
    return [Source(name="cluster", text="\n".join(map(json.dumps, objects)))]


def isolate(mesh: Object, hosts: list[Host]) -> Isolated | None:
    """Isolate; None when nobody is left."""
    try:
        return parse_isolating(sources_of(mesh, hosts))
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


def has_what_it_was_given(host: Host) -> bool:
    """Whether a MeshNode claims nothing that its Node was not given, judged by the compiler."""
    if host.node is None or not is_backed(host) or "podCIDRs" not in host.mesh_node["spec"]:
        return True
    given = host.node["spec"]["podCIDRs"]
    return all(
        any(inside(overlay_of(one), cidr) for one in given)
        for cidr in host.mesh_node["spec"]["podCIDRs"]
    )


def overlay_of(cidr: str) -> Object:
    alone = mesh(1500)
    alone["spec"]["overlayCIDRs"] = [cidr]
    return alone


def inside(overlay: Object, cidr: str) -> bool:
    spec = {"publicKey": KEYS[0], "podCIDRs": [cidr]}
    only = {"apiVersion": API, "kind": "MeshNode", "metadata": {"name": "a"}, "spec": spec}
    return parse_strictly(overlay, [Host(only, None)]) is not None


def rank(host: Host) -> tuple[bool, str, str]:
    created = host.mesh_node["metadata"].get("creationTimestamp", "~")
    return not is_backed(host), created, name_of(host)


def stay(mesh: Object, hosts: list[Host]) -> list[Host]:
    """Whom the strict compiler takes when it is asked for one after the other, by rank."""
    kept: list[Host] = []
    for host in sorted(hosts, key=rank):
        if has_what_it_was_given(host) and parse_strictly(mesh, [*kept, host]) is not None:
            kept.append(host)
    return kept


@law
@given(clusters())
def test_who_stays_is_whom_the_strict_compiler_takes_one_after_the_other(
    cluster: tuple[Object, list[Host]],
) -> None:
    overlay, members = cluster
    isolated = isolate(overlay, members)
    kept = sorted(map(name_of, stay(overlay, members)))
    found = [node.name for node in isolated.inventory.nodes] if isolated else []
    assert found == kept
    if isolated:
        left = [each.name for each in isolated.left_out]
        assert left == sorted(set(map(name_of, members)) - set(kept))
        assert all(each.problems for each in isolated.left_out)


@law
@given(clusters())
def test_the_rest_parses_strictly_to_the_same_inventory(
    cluster: tuple[Object, list[Host]],
) -> None:
    overlay, members = cluster
    if isolated := isolate(overlay, members):
        lost = {each.name for each in isolated.left_out}
        rest = parse_strictly(overlay, [host for host in members if name_of(host) not in lost])
        assert rest is not None
        assert (rest.mesh, rest.nodes) == (isolated.inventory.mesh, isolated.inventory.nodes)


@law
@given(clusters())
def test_who_contradicts_nobody_is_never_left_out(cluster: tuple[Object, list[Host]]) -> None:
    overlay, members = cluster
    isolated = isolate(overlay, members)
    stayed = {node.name for node in isolated.inventory.nodes} if isolated else set()
    for host in members:
        others = [other for other in members if other is not host]
        alone = parse_strictly(overlay, [host]) is not None
        pairs = all(
            parse_strictly(overlay, [host, other]) is not None
            for other in others
            if parse_strictly(overlay, [other]) is not None
        )
        if has_what_it_was_given(host) and alone and pairs:
            assert name_of(host) in stayed


@law
@given(clusters(), st.data())
def test_a_bad_object_never_removes_a_good_one_that_its_node_backs(
    cluster: tuple[Object, list[Host]], data: st.DataObject
) -> None:
    overlay, members = cluster
    bad = data.draw(hosts("bad", with_node=members[0].node is not None))
    if is_backed(bad) and has_what_it_was_given(bad) and parse_strictly(overlay, [bad]):
        return  # it is not bad
    before, after = isolate(overlay, members), isolate(overlay, [*members, bad])
    backed = {name_of(host) for host in members if is_backed(host)}
    stayed = {node.name for node in before.inventory.nodes} & backed if before else set()
    assert stayed <= ({node.name for node in after.inventory.nodes} if after else set())


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
