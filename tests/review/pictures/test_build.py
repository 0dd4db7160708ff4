"""A picture counts every pair once, and knows what becomes of each."""

from itertools import combinations

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sizes import make_documents

from review.pictures.build import build_picture
from review.pictures.picture import Change, Link, Pairs, Way
from review.pictures.words import describe, describe_changes, describe_pairs, title_of
from schemas.state import Documents, MeshState, Peer
from schemas.values import NodeName


def regroup(
    documents: Documents, groups: dict[str, list[str]], joins: dict[str, list[str]]
) -> Documents:
    """Return the documents with other peer groups: who is listed in which, and who joins which."""
    (peers,) = documents.mesh.peer_groups.values()
    listed = {
        group: {NodeName(name): peers[NodeName(name)] for name in names}
        for group, names in groups.items()
    }
    hosts = {
        name: replace(
            host, wireguard=replace(host.wireguard, peer_groups=tuple(joins.get(name, ())))
        )
        for name, host in documents.hosts.items()
    }
    return Documents(mesh=replace(documents.mesh, peer_groups=listed), hosts=hosts)


def count_one_by_one(documents: Documents) -> Pairs:
    """Count pairs as slowly as can be: ask every host for every peer it is given."""
    known = {
        name: {
            peer
            for group in host.wireguard.peer_groups
            for peer in documents.mesh.peer_groups.get(group, {})
        }
        for name, host in documents.hosts.items()
    }
    endpoints = {
        name: peer.endpoint
        for members in documents.mesh.peer_groups.values()
        for name, peer in members.items()
    }
    counts = {"either": 0, "first": 0, "never": 0, "one_sided": 0, "strangers": 0}
    for one, two in combinations(sorted({*known, *endpoints}), 2):
        ways = (two in known.get(one, ()), one in known.get(two, ()))
        reachable = (endpoints.get(one) is not None) + (endpoints.get(two) is not None)
        if all(ways):
            counts[("never", "first", "either")[reachable]] += 1
        else:
            counts["one_sided" if any(ways) else "strangers"] += 1
    return Pairs(**counts)


@pytest.mark.law
@settings(max_examples=examples(60))
@given(st.data())
def test_pairs_are_counted_as_if_one_by_one(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 9))
    names = [f"node-{number:04}" for number in range(size)]
    silent = data.draw(st.sets(st.integers(0, size - 1)))
    some = st.lists(st.sampled_from(names), unique=True)
    groups = {group: data.draw(some) for group in ("east", "west")}
    joins = {
        name: data.draw(st.lists(st.sampled_from(["east", "west"]), unique=True)) for name in names
    }
    documents = regroup(make_documents(size, silent=silent), groups, joins)
    assert build_picture(documents).pairs == count_one_by_one(documents)


def test_every_pair_of_a_small_mesh_is_a_link() -> None:
    picture = build_picture(make_documents(3, silent=[1]))
    a, b, c = (node.name for node in picture.nodes)
    assert picture.links == (
        Link(tail=b, head=a, way=Way.FIRST),
        Link(tail=a, head=c, way=Way.EITHER),
        Link(tail=b, head=c, way=Way.FIRST),
    )


def test_two_silent_nodes_never_meet() -> None:
    picture = build_picture(make_documents(2, silent=[0, 1]))
    assert [link.way for link in picture.links or ()] == [Way.NEVER]
    assert [*describe_pairs(picture)] == [
        "0 of 1 pair meet",
        "1 pair can never meet: neither node has an endpoint",
    ]


def test_who_alone_knows_the_other_is_the_tail() -> None:
    documents = make_documents(2)
    one_sided = regroup(
        documents, {"mesh": ["node-0000", "node-0001"]}, {"node-0001": ["mesh"], "node-0000": []}
    )
    (link,) = build_picture(one_sided).links or ()
    assert link == Link(tail="node-0001", head="node-0000", way=Way.ONE_SIDED)


def test_twelve_nodes_have_links_and_thirteen_are_summed_up() -> None:
    assert build_picture(make_documents(12)).links is not None
    assert build_picture(make_documents(13)).links is None


def test_nodes_join_leave_and_change() -> None:
    old = make_documents([0, 1, 2])
    new = make_documents([1, 2, 3], moved=[2])
    picture = build_picture(new, old)
    assert {node.name: (node.change, node.fields) for node in picture.nodes} == {
        "node-0000": (Change.LEAVES, ()),
        "node-0001": (Change.SAME, ()),
        "node-0002": (Change.CHANGED, ("endpoint",)),
        "node-0003": (Change.JOINS, ()),
    }
    assert {(link.tail, link.head): link.change for link in picture.links or ()} == {
        ("node-0000", "node-0001"): Change.LEAVES,
        ("node-0000", "node-0002"): Change.LEAVES,
        ("node-0001", "node-0002"): Change.SAME,
        ("node-0001", "node-0003"): Change.JOINS,
        ("node-0002", "node-0003"): Change.JOINS,
    }
    assert title_of(picture) == "Mesh demo: 3 nodes"
    said = "+ 1 node joins, - 1 node leaves, ~ 1 node changes"
    assert describe_changes(picture) == said
    assert describe(picture) == (
        "3 pairs: every node with every node. 1 node joins, 1 node leaves, 1 node changes."
    )


def test_an_endpoint_that_goes_changes_the_links() -> None:
    picture = build_picture(make_documents(2, silent=[0]), make_documents(2))
    assert [(link.way, link.change) for link in picture.links or ()] == [
        (Way.FIRST, Change.CHANGED)
    ]


def test_the_same_state_twice_changes_nothing() -> None:
    picture = build_picture(make_documents(4), make_documents(4))
    assert {node.change for node in picture.nodes} == {Change.SAME}
    assert describe_changes(picture) == "no node changes"


def test_a_thousand_nodes_are_half_a_million_pairs() -> None:
    picture = build_picture(make_documents(1000, silent=[3, 77]))
    assert picture.pairs == Pairs(either=497503, first=1996, never=1)
    assert [*describe_pairs(picture)] == [
        "499,499 of 499,500 pairs meet",
        "1,996 of them once the node without an endpoint has spoken first",
        "1 pair can never meet: neither node has an endpoint",
    ]


def test_a_peer_without_a_document_is_a_node_all_the_same() -> None:
    documents = make_documents(1)
    (peer,) = documents.mesh.peer_groups["mesh"].values()
    strange = Peer(public_key=peer.public_key, allowed_ips=())
    mesh: MeshState = replace(
        documents.mesh,
        peer_groups={"mesh": {**documents.mesh.peer_groups["mesh"], NodeName("zoe"): strange}},
    )
    picture = build_picture(replace(documents, mesh=mesh))
    assert [node.name for node in picture.nodes] == ["node-0000", "zoe"]
    assert [link.way for link in picture.links or ()] == [Way.ONE_SIDED]
