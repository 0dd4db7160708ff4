import time
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import Any

import pytest

from compiler.isolate import Isolated, isolate_objects
from schemas.problems import Problems
from schemas.state import Peer
from schemas.values import Endpoint, NodeName, Prefix, PublicKey

KEYS = [
    "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=",
    "arnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA=",
    "9CFJmPD5uzBCUWVv8NWKlGaQyuMjMqXcNSYjqhNLNnU=",
]
API = "wormhole.dev/v1alpha1"
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def mesh(**spec: object) -> dict[str, object]:
    spec = {"overlayCIDRs": ["10.244.0.0/16"]} | spec
    return {"apiVersion": API, "kind": "Mesh", "metadata": {"name": "demo"}, "spec": spec}


def mesh_node(index: int, **spec: object) -> dict[str, Any]:
    metadata = {"name": f"node-{index}", "creationTimestamp": spec.pop("created", EARLY)}
    own: dict[str, Any] = {"publicKey": KEYS[index], "endpoint": f"192.0.2.{index}"}
    cidrs = {"podCIDRs": [f"10.244.{index}.0/24"]}
    return {"apiVersion": API, "kind": "MeshNode", "metadata": metadata, "spec": own | cidrs | spec}


def node(index: int, *cidrs: str, address: str = "") -> dict[str, object]:
    metadata = {"name": f"node-{index}"}
    addresses = [{"type": "InternalIP", "address": address}] if address else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {"podCIDRs": cidrs},
        "status": {"addresses": addresses},
    }


Incumbents = Mapping[NodeName, Peer]
NOBODY: Incumbents = MappingProxyType({})


def held(*objects: dict[str, Any]) -> Incumbents:
    """Return what documents say of a cluster that was once like this."""
    return {
        NodeName(each["metadata"]["name"]): Peer(
            public_key=PublicKey(each["spec"]["publicKey"]),
            allowed_ips=tuple(map(Prefix, each["spec"]["podCIDRs"])),
            endpoint=Endpoint(f"{each['spec']['endpoint']}:9806"),
        )
        for each in objects
    }


def isolate(*objects: object, incumbents: Incumbents = NOBODY) -> Isolated:
    return isolate_objects(objects, incumbents)


def outcome(*objects: object, incumbents: Incumbents = NOBODY) -> tuple[list[str], list[str]]:
    """Return who stays, and what is said of the others."""
    isolated = isolate(*objects, incumbents=incumbents)
    said = [str(problem) for each in isolated.left_out for problem in each.problems]
    return [each.name for each in isolated.inventory.nodes], said


def endpoints(
    *objects: object, incumbents: Incumbents = NOBODY
) -> tuple[dict[str, str], list[str]]:
    """Return who has which endpoint, and what is said of who has none; nobody is left out."""
    isolated = isolate(*objects, incumbents=incumbents)
    assert isolated.left_out == ()
    said = [str(problem) for each in isolated.endpoints_left_out for problem in each.problems]
    return {each.name: each.endpoint for each in isolated.inventory.nodes if each.endpoint}, said


def test_cluster_without_faults_loses_nobody() -> None:
    assert outcome(mesh(), mesh_node(0), mesh_node(1)) == (["node-0", "node-1"], [])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"listenPort": 0},
            "MeshNode/node-1 spec.listenPort '0': must be between 1 and 65535",
        ),
        (
            {"endpoint": "10.244.9.9"},
            (
                "MeshNode/node-1 spec.endpoint '10.244.9.9:9806': is inside overlay CIDR "
                "10.244.0.0/16: encrypted packets to it would be sent into the tunnel again"
            ),
        ),
        (
            {"publicKey": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
            (
                "MeshNode/node-1 spec.publicKey "
                "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=': "
                "is all zeros, which is nobody's key: no host can use it"
            ),
        ),
        (
            {"underlayMTU": 600},
            (
                "MeshNode/node-1 spec.underlayMTU '600': leaves 528 bytes inside the tunnel, "
                "and IPv4 needs 576: the smallest that works here is 636"
            ),
        ),
        (
            {"podCIDRs": ["10.244.1.0/24", "10.244.1.128/25"]},
            (
                "MeshNode/node-1 spec.podCIDRs[1] '10.244.1.128/25': "
                "overlaps 10.244.1.0/24 of the same node"
            ),
        ),
        (
            {"podCIDRs": [f"10.244.1.{index}/32" for index in range(65)]},
            (
                'MeshNode/node-1 spec.podCIDRs \'["10.244.1.0/32", "10.244.1.1/32", '
                '"10.244.1.2/32", "10.244…\': must have at most 64 items'
            ),
        ),
    ],
)
def test_node_that_is_wrong_by_itself_is_left_out(wrong: dict[str, object], said: str) -> None:
    assert outcome(mesh(), mesh_node(0), mesh_node(1, **wrong)) == (["node-0"], [said])


def test_node_without_any_pod_cidr_is_left_out() -> None:
    homeless = mesh_node(1)
    del homeless["spec"]["podCIDRs"]
    said = (
        "MeshNode/node-1 spec.podCIDRs: required field is missing, and Node/node-1 has none either"
    )
    nodes = (node(0), node(1))
    assert outcome(mesh(), mesh_node(0), homeless, *nodes) == (["node-0"], [said])


def test_pod_cidrs_that_kubernetes_gave_to_somebody_else_are_wrong_even_if_nobody_claims_them() -> (
    None
):
    thief = mesh_node(1, podCIDRs=["10.244.7.0/24"])
    said = (
        "MeshNode/node-1 spec.podCIDRs[0] '10.244.7.0/24': is outside the pod CIDRs that "
        "Kubernetes gave to Node/node-1 (10.244.1.0/24)"
    )
    nodes = (node(0, "10.244.0.0/24"), node(1, "10.244.1.0/24"))
    assert outcome(mesh(), mesh_node(0), thief, *nodes) == (["node-0"], [said])


def test_part_of_what_kubernetes_gave_is_as_good() -> None:
    part = mesh_node(0, podCIDRs=["10.244.0.0/25"])
    assert outcome(mesh(), part, node(0, "10.244.0.0/24")) == (["node-0"], [])


def test_of_two_that_overlap_the_one_that_its_node_backs_stays_though_it_is_younger() -> None:
    claimant = mesh_node(0, podCIDRs=["10.244.0.0/16"])
    young = mesh_node(1, created=LATE)
    said = (
        "MeshNode/node-0 spec.podCIDRs[0] '10.244.0.0/16': overlaps 10.244.1.0/24 of "
        "MeshNode/node-1"
    )
    nodes = (node(0), node(1, "10.244.1.0/24"))
    assert outcome(mesh(), claimant, young, *nodes) == (["node-1"], [said])


def test_of_two_with_one_key_the_older_stays_whatever_their_names() -> None:
    said = (
        f"MeshNode/node-0 spec.publicKey '{KEYS[1]}': is the public key of MeshNode/node-1 "
        "too: a key has one host"
    )
    copied = mesh_node(0, created=LATE, publicKey=KEYS[1])
    assert outcome(mesh(), copied, mesh_node(1)) == (["node-1"], [said])


def test_of_two_with_one_key_and_of_one_age_the_lower_name_stays() -> None:
    said = (
        f"MeshNode/node-1 spec.publicKey '{KEYS[0]}': is the public key of MeshNode/node-0 "
        "too: a key has one host"
    )
    assert outcome(mesh(), mesh_node(0), mesh_node(1, publicKey=KEYS[0])) == (["node-0"], [said])


def test_older_node_that_copies_the_key_of_one_who_has_it_already_goes() -> None:
    said = (
        f"MeshNode/node-0 spec.publicKey '{KEYS[1]}': is the public key of MeshNode/node-1 "
        "too: a key has one host"
    )
    copied, young = mesh_node(0, publicKey=KEYS[1]), mesh_node(1, created=LATE)
    before = held(mesh_node(0), young)
    assert outcome(mesh(), copied, young, incumbents=before) == (["node-1"], [said])


def test_older_node_that_claims_what_another_has_already_goes() -> None:
    """Where Nodes have no pod CIDRs, nothing else says whose they are."""
    thief, young = mesh_node(0, podCIDRs=["10.244.0.0/24", "10.244.1.0/24"]), mesh_node(1)
    said = (
        "MeshNode/node-0 spec.podCIDRs[1] '10.244.1.0/24': overlaps 10.244.1.0/24 of "
        "MeshNode/node-1"
    )
    before = held(mesh_node(0), young)
    assert outcome(mesh(), thief, young, incumbents=before) == (["node-1"], [said])


@pytest.mark.parametrize("claimed", ["10.244.0.0/16", "10.244.1.0/25", "10.244.1.128/25"])
def test_who_has_a_prefix_keeps_it_whole_and_in_parts(claimed: str) -> None:
    thief, young = mesh_node(0, podCIDRs=["10.244.7.0/24", claimed]), mesh_node(1)
    before = held(mesh_node(0), young)
    assert outcome(mesh(), thief, young, incumbents=before)[0] == ["node-1"]


def test_part_of_what_somebody_has_is_his_too() -> None:
    part = mesh_node(0, podCIDRs=["10.244.0.128/25"])
    thief = mesh_node(1, podCIDRs=["10.244.0.0/24"])
    assert outcome(mesh(), part, thief, incumbents=held(mesh_node(0)))[0] == ["node-0"]


def test_who_has_a_prefix_keeps_it_even_if_the_others_node_says_otherwise() -> None:
    """Whoever has taken over a node may write pod CIDRs into a Node that has none."""
    thief = mesh_node(0, podCIDRs=["10.244.1.0/24"])
    objects = (thief, mesh_node(1), node(0, "10.244.1.0/24"), node(1))
    before = held(mesh_node(0), mesh_node(1))
    assert outcome(mesh(), *objects, incumbents=before)[0] == ["node-1"]


def test_prefix_within_one_within_another_counts_against_both() -> None:
    widest = mesh_node(0, podCIDRs=["10.244.0.0/16"])
    wide = mesh_node(1, podCIDRs=["10.244.2.0/23"])
    nodes = (node(0, "10.244.0.0/16"), node(1), node(2))
    assert outcome(mesh(), widest, wide, mesh_node(2), *nodes)[0] == ["node-0"]
    known = held(mesh_node(2))
    assert outcome(mesh(), widest, wide, mesh_node(2), *nodes, incumbents=known)[0] == ["node-2"]


def test_another_key_has_nothing_already() -> None:
    renewed, other = mesh_node(0, publicKey=KEYS[2]), mesh_node(1, podCIDRs=["10.244.0.0/24"])
    assert isolate(mesh(), renewed, incumbents=held(mesh_node(0))).left_out == ()
    both = isolate(mesh(), renewed, other, incumbents=held(mesh_node(0))).left_out
    assert [each.name for each in both] == ["node-0", "node-1"]


def test_what_nobody_can_tell_the_owner_of_is_nobodys() -> None:
    thief = mesh_node(0, podCIDRs=["10.244.0.0/24", "10.244.1.0/24"])
    overlaps = "'10.244.1.0/24': overlaps 10.244.1.0/24"
    rule = "and nothing says whose it is: both are left out"
    assert outcome(mesh(), thief, mesh_node(1, created=LATE), mesh_node(2)) == (
        ["node-2"],
        [
            f"MeshNode/node-0 spec.podCIDRs[1] {overlaps} of MeshNode/node-1, {rule}",
            f"MeshNode/node-1 spec.podCIDRs[0] {overlaps} of MeshNode/node-0, {rule}",
        ],
    )


def test_two_that_each_claim_what_the_other_has_both_go() -> None:
    both = [mesh_node(index, podCIDRs=["10.244.0.0/24", "10.244.1.0/24"]) for index in (0, 1)]
    before = held(mesh_node(0), mesh_node(1))
    assert outcome(mesh(), *both, mesh_node(2), incumbents=before)[0] == ["node-2"]


def test_who_claims_everything_is_told_of_one_whom_he_contradicts() -> None:
    claimant = mesh_node(2, podCIDRs=["10.244.0.0/16"])
    said = (
        "MeshNode/node-2 spec.podCIDRs[0] '10.244.0.0/16': overlaps 10.244.0.0/24 of "
        "MeshNode/node-0"
    )
    members = (mesh_node(0), mesh_node(1))
    before = held(*members)
    stay, problems = outcome(mesh(), *members, claimant, incumbents=before)
    assert (stay, problems) == (["node-0", "node-1"], [said])


def test_copied_endpoint_costs_nobody_his_place_and_the_older_has_it() -> None:
    said = (
        "MeshNode/node-1 spec.endpoint '192.0.2.0:9806': its endpoint is left out, and it "
        "must speak first: this is the endpoint of MeshNode/node-0 too"
    )
    copied = mesh_node(1, created=LATE, endpoint="192.0.2.0")
    assert endpoints(mesh(), mesh_node(0), copied) == ({"node-0": "192.0.2.0:9806"}, [said])


def test_endpoint_is_whose_node_lists_it() -> None:
    copied, victim = mesh_node(0, endpoint="192.0.2.1"), mesh_node(1, created=LATE)
    nodes = (node(0, address="192.0.2.0"), node(1, address="192.0.2.1"))
    assert endpoints(mesh(), copied, victim, *nodes)[0] == {"node-1": "192.0.2.1:9806"}


def test_endpoint_stays_with_who_has_it_whatever_the_others_node_says() -> None:
    """A node's own kubelet writes its addresses."""
    copied, victim = mesh_node(0, endpoint="192.0.2.1"), mesh_node(1, created=LATE)
    nodes = (node(0, address="192.0.2.1"), node(1, address="192.0.2.7"))
    before = held(mesh_node(0), victim)
    found = endpoints(mesh(), copied, victim, *nodes, incumbents=before)[0]
    assert found == {"node-1": "192.0.2.1:9806"}


def test_nobody_left_is_an_inventory_of_nobody() -> None:
    isolated = isolate(mesh(), mesh_node(0), mesh_node(1, podCIDRs=["10.244.0.0/24"]))
    assert [each.name for each in isolated.left_out] == ["node-0", "node-1"]
    assert isolated.inventory.nodes == ()


def test_older_ipv6_endpoint_narrows_the_tunnel_and_who_has_no_room_goes() -> None:
    said = (
        "MeshNode/node-1 spec.underlayMTU '640': leaves 560 bytes inside the tunnel, and "
        "IPv4 needs 576: the smallest that works here is 656"
    )
    wide = mesh_node(0, endpoint="2001:db8::1", underlayMTU=1500)
    assert outcome(mesh(underlayMTU=640), wide, mesh_node(1)) == (["node-0"], [said])


def test_ipv6_endpoint_that_the_mesh_has_no_room_for_is_its_nodes_own_fault() -> None:
    said = (
        "MeshNode/node-0 spec.underlayMTU '640': leaves 560 bytes inside the tunnel, and "
        "IPv4 needs 576: the smallest that works here is 656"
    )
    wide = mesh_node(0, endpoint="2001:db8::1")
    assert outcome(mesh(underlayMTU=640), wide, mesh_node(1)) == (["node-1"], [said])


NARROW = "whose header is too long for the tunnel of MeshNode/node-0, underlay MTU 640"


def test_younger_ipv6_endpoint_does_not_narrow_a_tunnel_that_is_just_wide_enough() -> None:
    said = (
        "MeshNode/node-1 spec.endpoint '[2001:db8::1]:9806': its endpoint is left out, and it "
        f"must speak first: it is IPv6, {NARROW}"
    )
    wide = mesh_node(1, created=LATE, endpoint="2001:db8::1", underlayMTU=1500)
    found = endpoints(mesh(underlayMTU=640), mesh_node(0), wide)
    assert found == ({"node-0": "192.0.2.0:9806"}, [said])


def test_older_node_that_turns_to_ipv6_narrows_nobodys_tunnel() -> None:
    before = held(mesh_node(0), mesh_node(1))
    turned = mesh_node(1, endpoint="2001:db8::1", underlayMTU=1500)
    late = mesh_node(0, created=LATE)
    found = endpoints(mesh(underlayMTU=640), late, turned, incumbents=before)[0]
    assert found == {"node-0": "192.0.2.0:9806"}


def test_older_node_that_has_no_room_for_the_ipv6_endpoints_there_are_goes() -> None:
    before = held(mesh_node(0), mesh_node(1, endpoint="[2001:db8::1]"))
    wide = mesh_node(1, created=LATE, endpoint="2001:db8::1")
    cramped = mesh_node(0, underlayMTU=640)
    assert outcome(mesh(), cramped, wide, incumbents=before)[0] == ["node-1"]


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        (
            [mesh(overlayCIDRs=["0.0.0.0/0"]), mesh_node(0)],
            (
                "Mesh/demo spec.overlayCIDRs[0] '0.0.0.0/0': holds every address there is: no "
                "other traffic would be left"
            ),
        ),
        (
            [mesh(listenPort=0), mesh_node(0)],
            "Mesh/demo spec.listenPort '0': must be between 1 and 65535",
        ),
        (
            [mesh(underlayMTU=600), mesh_node(0), mesh_node(1, underlayMTU=1500)],
            (
                "Mesh/demo spec.underlayMTU '600': leaves 528 bytes inside the tunnel, "
                "and IPv4 needs 576: the smallest that works here is 636"
            ),
        ),
        ([mesh_node(0)], f"there is no Mesh: an inventory has exactly one, of {API}"),
        ([mesh()], f"there is no MeshNode: a mesh has at least one, of {API}"),
        (
            [mesh(), mesh_node(0), mesh_node(1) | {"kind": "MeshNod"}],
            (
                "MeshNod/node-1 kind 'MeshNod': is no kind of inventory object in "
                'wormhole.dev (did you mean "MeshNode"?)'
            ),
        ),
    ],
)
def test_what_is_nobodys_own_fault_is_raised(objects: list[object], said: str) -> None:
    with pytest.raises(Problems) as caught:
        isolate(*objects)
    assert str(caught.value) == said


def test_nameless_and_broken_nodes_are_left_out_too() -> None:
    nameless = mesh_node(1) | {"metadata": {"name": "Node_1"}}
    broken = node(2) | {"spec": {"podCIDRs": "10.244.2.0/24"}}
    names, said = outcome(mesh(), mesh_node(0), nameless, mesh_node(2), node(0), broken)
    assert names == ["node-0"]
    assert [line.partition(" spec.")[0].partition(" metadata.")[0] for line in said] == [
        "MeshNode/Node_1",
        "Node/node-2",
    ]


def crowd(**spec: Callable[[int], object]) -> list[dict[str, Any]]:
    """Return 500 nodes, each right by itself, and alone but for what is given."""
    return [
        {
            "apiVersion": API,
            "kind": "MeshNode",
            "metadata": {"name": f"node-{index:04}"},
            "spec": {
                "publicKey": f"{index:042x}A=",
                "endpoint": f"192.0.2.1:{index + 1}",
                "podCIDRs": many(index),
            }
            | {name: value(index) for name, value in spec.items()},
        }
        for index in range(500)
    ]


def many(index: int) -> list[str]:
    """Return 64 prefixes that nobody else has."""
    first = int(IPv4Address("10.0.0.0")) + index * 1024
    return [f"{IPv4Address(first + 16 * number)}/28" for number in range(64)]


def same(_: int) -> list[str]:
    return [f"10.{number * 4}.0.0/14" for number in range(64)]


def nested(index: int) -> list[str]:
    return [f"10.0.0.0/{8 + index % 17}"]


def parts(index: int) -> list[str]:
    return same(index) if index % 2 else many(index)


def key_of_two(index: int) -> str:
    return f"{index // 2:042x}A="


@pytest.mark.parametrize(
    "spec",
    [
        {"podCIDRs": same},
        {"podCIDRs": nested},
        {"podCIDRs": parts},
        {"publicKey": key_of_two},
        {"endpoint": lambda _: "192.0.2.1"},
        {"publicKey": key_of_two, "endpoint": lambda index: f"192.0.2.1:{(index + 1) // 2 + 1}"},
    ],
    ids=["64 the same", "nested", "half have parts", "keys", "endpoint", "chain"],
)
@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_many_contradictions_take_hardly_longer_than_none(
    spec: dict[str, Callable[[int], object]], *, known: bool
) -> None:
    before = held(*crowd()) if known else NOBODY
    good, _ = measure(crowd(), before)
    bad, isolated = measure(crowd(**spec), before)
    assert isolated.left_out or isolated.endpoints_left_out
    assert max((len(each.problems) for each in isolated.left_out), default=0) <= 10
    assert bad < 3 * good


def measure(objects: list[dict[str, Any]], incumbents: Incumbents) -> tuple[float, Isolated]:
    """Return the processor's seconds, and the outcome."""
    begun = time.process_time()
    isolated = isolate_objects([mesh(overlayCIDRs=["10.0.0.0/8"]), *objects], incumbents)
    return time.process_time() - begun, isolated
