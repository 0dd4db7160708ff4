import json
import time

import pytest

from compiler.isolate import Isolated, parse_isolating
from compiler.source import Source
from schemas.problems import Problems

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


def mesh_node(index: int, **spec: object) -> dict[str, object]:
    metadata = {"name": f"node-{index}", "creationTimestamp": spec.pop("created", EARLY)}
    own = {"publicKey": KEYS[index], "endpoint": f"192.0.2.{index}"}
    cidrs = {"podCIDRs": [f"10.244.{index}.0/24"]}
    return {"apiVersion": API, "kind": "MeshNode", "metadata": metadata, "spec": own | cidrs | spec}


def node(index: int, *cidrs: str) -> dict[str, object]:
    metadata = {"name": f"node-{index}"}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"podCIDRs": cidrs}}


def isolate(*objects: object) -> Isolated:
    text = "\n".join(map(json.dumps, objects))
    return parse_isolating([Source(name="-", text=text)])


def outcome(*objects: object) -> tuple[list[str], list[str]]:
    """Return who stays, and what is said of the others."""
    isolated = isolate(*objects)
    said = [str(problem) for each in isolated.left_out for problem in each.problems]
    return [each.name for each in isolated.inventory.nodes], said


def test_cluster_without_faults_loses_nobody() -> None:
    assert outcome(mesh(), mesh_node(0), mesh_node(1)) == (["node-0", "node-1"], [])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            {"listenPort": 0},
            "-:3: MeshNode/node-1 spec.listenPort '0': must be between 1 and 65535",
        ),
        (
            {"endpoint": "10.244.9.9"},
            (
                "-:3: MeshNode/node-1 spec.endpoint '10.244.9.9:9806': is inside overlay CIDR "
                "10.244.0.0/16: encrypted packets to it would be sent into the tunnel again"
            ),
        ),
        (
            {"publicKey": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
            (
                "-:3: MeshNode/node-1 spec.publicKey "
                "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=': "
                "is all zeros, which is nobody's key: no host can use it"
            ),
        ),
        (
            {"underlayMTU": 600},
            (
                "-:3: MeshNode/node-1 spec.underlayMTU '600': leaves 528 bytes inside the tunnel, "
                "and IPv4 needs 576: the smallest that works here is 636"
            ),
        ),
        (
            {"podCIDRs": ["10.244.1.0/24", "10.244.1.128/25"]},
            (
                "-:3: MeshNode/node-1 spec.podCIDRs[1] '10.244.1.128/25': "
                "overlaps 10.244.1.0/24 of the same node"
            ),
        ),
        (
            {"podCIDRs": [f"10.244.1.{index}/32" for index in range(65)]},
            (
                '-:3: MeshNode/node-1 spec.podCIDRs \'["10.244.1.0/32", "10.244.1.1/32", '
                '"10.244.1.2/32", "10.244…\': must have at most 64 items'
            ),
        ),
    ],
)
def test_node_that_is_wrong_by_itself_is_left_out(wrong: dict[str, object], said: str) -> None:
    assert outcome(mesh(), mesh_node(0), mesh_node(1, **wrong)) == (["node-0"], [said])


def test_node_without_any_pod_cidr_is_left_out() -> None:
    homeless = mesh_node(1)
    del homeless["spec"]["podCIDRs"]  # type: ignore[attr-defined]  # a dict of a test
    said = (
        "-:3: MeshNode/node-1 spec.podCIDRs: required field is missing, and Node/node-1 has "
        "none either"
    )
    nodes = (node(0), node(1))
    assert outcome(mesh(), mesh_node(0), homeless, *nodes) == (["node-0"], [said])


def test_pod_cidrs_that_kubernetes_gave_to_somebody_else_are_wrong_even_if_nobody_claims_them() -> (
    None
):
    thief = mesh_node(1, podCIDRs=["10.244.7.0/24"])
    said = (
        "-:3: MeshNode/node-1 spec.podCIDRs[0] '10.244.7.0/24': is outside the pod CIDRs that "
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
        "-:2: MeshNode/node-0 spec.podCIDRs[0] '10.244.0.0/16': overlaps 10.244.1.0/24 of "
        "MeshNode/node-1"
    )
    nodes = (node(0), node(1, "10.244.1.0/24"))
    assert outcome(mesh(), claimant, young, *nodes) == (["node-1"], [said])


def test_of_two_with_one_key_the_older_stays_whatever_their_names() -> None:
    said = (
        f"-:2: MeshNode/node-0 spec.publicKey '{KEYS[1]}': is the public key of MeshNode/node-1 "
        "too: a key has one host"
    )
    copied = mesh_node(0, created=LATE, publicKey=KEYS[1])
    assert outcome(mesh(), copied, mesh_node(1)) == (["node-1"], [said])


def test_of_two_of_one_age_the_lower_name_stays() -> None:
    said = (
        "-:3: MeshNode/node-1 spec.endpoint '192.0.2.0:9806': is the endpoint of MeshNode/node-0 "
        "too"
    )
    assert outcome(mesh(), mesh_node(0), mesh_node(1, endpoint="192.0.2.0")) == (["node-0"], [said])


def test_who_contradicts_only_somebody_who_has_to_go_stays() -> None:
    middle = mesh_node(1, podCIDRs=["10.244.0.0/25"], endpoint="192.0.2.2")
    said = (
        "-:3: MeshNode/node-1 spec.podCIDRs[0] '10.244.0.0/25': overlaps 10.244.0.0/24 of "
        "MeshNode/node-0"
    )
    assert outcome(mesh(), mesh_node(0), middle, mesh_node(2)) == (["node-0", "node-2"], [said])


def test_who_claims_everything_is_told_of_one_whom_he_contradicts() -> None:
    claimant = mesh_node(2, created=LATE, podCIDRs=["10.244.0.0/16"])
    said = (
        "-:4: MeshNode/node-2 spec.podCIDRs[0] '10.244.0.0/16': overlaps 10.244.0.0/24 of "
        "MeshNode/node-0"
    )
    members = (mesh_node(0), mesh_node(1), claimant)
    assert outcome(mesh(), *members) == (["node-0", "node-1"], [said])


def test_older_ipv6_endpoint_narrows_the_tunnel_and_who_has_no_room_goes() -> None:
    said = (
        "-:3: MeshNode/node-1 spec.underlayMTU '640': leaves 560 bytes inside the tunnel, and "
        "IPv4 needs 576: the smallest that works here is 656"
    )
    wide = mesh_node(0, endpoint="2001:db8::1", underlayMTU=1500)
    assert outcome(mesh(underlayMTU=640), wide, mesh_node(1)) == (["node-0"], [said])


def test_ipv6_endpoint_that_the_mesh_has_no_room_for_is_its_nodes_own_fault() -> None:
    said = (
        "-:2: MeshNode/node-0 spec.underlayMTU '640': leaves 560 bytes inside the tunnel, and "
        "IPv4 needs 576: the smallest that works here is 656"
    )
    wide = mesh_node(0, endpoint="2001:db8::1")
    assert outcome(mesh(underlayMTU=640), wide, mesh_node(1)) == (["node-1"], [said])


def test_younger_ipv6_endpoint_does_not_narrow_a_tunnel_that_is_just_wide_enough() -> None:
    said = (
        "-:3: MeshNode/node-1 spec.endpoint '[2001:db8::1]:9806': is IPv6, whose header is "
        "too long for the tunnel of MeshNode/node-0, underlay MTU 640"
    )
    wide = mesh_node(1, created=LATE, endpoint="2001:db8::1", underlayMTU=1500)
    assert outcome(mesh(underlayMTU=640), mesh_node(0), wide) == (["node-0"], [said])


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        (
            [mesh(overlayCIDRs=["0.0.0.0/0"]), mesh_node(0)],
            (
                "-:1: Mesh/demo spec.overlayCIDRs[0] '0.0.0.0/0': holds every address there is: no "
                "other traffic would be left"
            ),
        ),
        (
            [mesh(listenPort=0), mesh_node(0)],
            "-:1: Mesh/demo spec.listenPort '0': must be between 1 and 65535",
        ),
        (
            [mesh(underlayMTU=600), mesh_node(0), mesh_node(1, underlayMTU=1500)],
            (
                "-:1: Mesh/demo spec.underlayMTU '600': leaves 528 bytes inside the tunnel, "
                "and IPv4 needs 576: the smallest that works here is 636"
            ),
        ),
        (
            [mesh(), mesh() | {"metadata": {"name": "other"}}, mesh_node(0)],
            "-:2: Mesh/other: an inventory has exactly one Mesh, and -:1 has Mesh/demo already",
        ),
        ([mesh_node(0)], f"-: there is no Mesh: an inventory has exactly one, of {API}"),
        ([mesh()], f"-: there is no MeshNode: a mesh has at least one, of {API}"),
        (
            [mesh(), mesh_node(0), mesh_node(0)],
            "-:3: MeshNode/node-0: -:2 has a MeshNode of this name already",
        ),
        (
            [mesh(), mesh_node(0), mesh_node(1) | {"kind": "MeshNod"}],
            (
                "-:3: MeshNod/node-1 kind 'MeshNod': is no kind of inventory object in "
                'wormhole.dev (did you mean "MeshNode"?)'
            ),
        ),
        (
            [mesh(), mesh_node(0, listenPort=0)],
            "-:2: MeshNode/node-0 spec.listenPort '0': must be between 1 and 65535",
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
        "-:3: MeshNode/Node_1",
        "-:6: Node/node-2",
    ]


def test_chain_of_contradictions_ends_soon_and_leaves_every_other_one() -> None:
    count = 300
    objects = [mesh(overlayCIDRs=["10.0.0.0/8"])]
    for index in range(count):
        # Even with the next by the endpoint, odd with the next by a prefix.
        spec = {
            "publicKey": f"{index:042x}A=",
            "endpoint": f"192.0.2.1:{index // 2 + 1}",
            "podCIDRs": [f"10.0.{(index + 1) // 2}.{0 if index % 2 else 128}/{24 + 1 - index % 2}"],
        }
        metadata = {"name": f"node-{index:03}"}
        objects.append({"apiVersion": API, "kind": "MeshNode", "metadata": metadata, "spec": spec})
    begun = time.process_time()
    isolated = isolate(*objects)
    took = time.process_time() - begun
    assert [each.name for each in isolated.inventory.nodes] == [
        f"node-{index:03}" for index in range(0, count, 2)
    ]
    assert took < 5
