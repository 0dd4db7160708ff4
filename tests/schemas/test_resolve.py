"""The mesh's document and one host's, joined."""

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from schemas.problems import Problems
from schemas.resolve import resolve
from schemas.state import ResolvedPeer
from schemas.values import Endpoint, NodeName, Prefix

DOCUMENTS = compile_mesh(
    make_inventory(
        make_mesh(),
        make_node("a", "10.244.0.0/24", endpoint="192.0.2.1:9806", persistent_keepalive=25),
        make_node("b", "10.244.1.0/24"),
        make_node("c", "10.244.2.0/24"),
    )
)
MESH = DOCUMENTS.mesh
A, B, C = (DOCUMENTS.hosts[NodeName(name)] for name in "abc")


def complaint(mesh: object, host: object) -> str:
    with pytest.raises(Problems) as caught:
        resolve(mesh, host)  # type: ignore[arg-type] # both are what replace() returned
    return str(caught.value)


def test_a_host_sees_all_others_and_not_itself() -> None:
    resolved = resolve(MESH, B)
    assert resolved.host == B
    assert resolved.peers == {
        NodeName("a"): ResolvedPeer(
            public_key=make_key("a"),
            allowed_ips=(Prefix("10.244.0.0/24"),),
            endpoint=Endpoint("192.0.2.1:9806"),
        ),
        NodeName("c"): ResolvedPeer(
            public_key=make_key("c"), allowed_ips=(Prefix("10.244.2.0/24"),)
        ),
    }


def test_a_keepalive_is_what_the_host_sends_to_each_of_its_peers() -> None:
    assert [peer.persistent_keepalive for peer in resolve(MESH, A).peers.values()] == [25, 25]
    assert [peer.persistent_keepalive for peer in resolve(MESH, B).peers.values()] == [0, 0]


def test_peers_of_all_joined_groups_are_sorted_by_name() -> None:
    groups = MESH.peer_groups["mesh"]
    split = {
        "y": {NodeName("a"): groups[NodeName("a")]},
        "x": {NodeName("c"): groups[NodeName("c")]},
    }
    mesh = replace(MESH, peer_groups=split)
    host = replace(B, wireguard=replace(B.wireguard, peer_groups=("x", "y")))
    assert list(resolve(mesh, host).peers) == ["a", "c"]


def test_a_host_of_another_mesh_is_refused() -> None:
    assert complaint(replace(MESH, name="other"), A) == (
        "HostState/a mesh 'demo': the mesh document is 'other'"
    )


def test_an_unknown_group_is_refused() -> None:
    host = replace(A, wireguard=replace(A.wireguard, peer_groups=("mesh", "edge")))
    assert complaint(MESH, host) == (
        "HostState/a wireguard.peerGroups 'edge': no such peer group in mesh 'demo' (known: mesh)"
    )


def test_a_peer_in_two_joined_groups_is_refused() -> None:
    mesh = replace(MESH, peer_groups=MESH.peer_groups | {"edge": MESH.peer_groups["mesh"]})
    host = replace(A, wireguard=replace(A.wireguard, peer_groups=("mesh", "edge")))
    assert complaint(mesh, host) == "HostState/a wireguard.peerGroups 'a': joined twice"
