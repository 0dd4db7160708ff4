import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from compiler.compile import compile_host
from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problem, Problems
from schemas.resolve import resolve
from schemas.state import ResolvedHost
from schemas.values import NodeName, PublicKey
from wormhole.agent.desired import Cause, Desired
from wormhole.agent.sources.clustersource import ClusterSource
from wormhole.cluster.content import Snapshot, Vanished
from wormhole.cluster.errors import ApiError

API = "wormhole.dev/v1alpha1"
KEYS = [
    PublicKey("zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="),
    PublicKey("arnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA="),
    PublicKey("9CFJmPD5uzBCUWVv8NWKlGaQyuMjMqXcNSYjqhNLNnU="),
]
OWN = NodeName("node-0")
Object = dict[str, Any]


def mesh(name: str = "demo", **spec: object) -> Object:
    spec = {"overlayCIDRs": ["10.244.0.0/16"]} | spec
    return {"apiVersion": API, "kind": "Mesh", "metadata": {"name": name}, "spec": spec}


def mesh_node(index: int, **spec: object) -> Object:
    metadata = {"name": f"node-{index}", "creationTimestamp": f"2026-01-01T00:00:0{index}Z"}
    own = {"publicKey": KEYS[index], "podCIDRs": [f"10.244.{index}.0/24"]}
    return {"apiVersion": API, "kind": "MeshNode", "metadata": metadata, "spec": own | spec}


def node(index: int) -> Object:
    metadata = {"name": f"node-{index}"}
    status = {"addresses": [{"type": "InternalIP", "address": f"192.0.2.{index + 1}"}]}
    spec = {"podCIDRs": [f"10.244.{index}.0/24"]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec} | {
        "status": status
    }


class Shelf:
    """A collection that the test fills. Its snapshots stay the same until it changes."""

    def __init__(self, *objects: Object) -> None:
        self.objects = {each["metadata"]["name"]: each for each in objects}
        self.deleted: dict[str, Vanished] = {}
        self.synced = True
        self.renew()

    def renew(self) -> None:
        objects, deleted = dict(self.objects), dict(self.deleted)
        self.kept = Snapshot(objects=objects, synced=self.synced, deleted=deleted)

    def put(self, *objects: Object) -> None:
        self.objects |= {each["metadata"]["name"]: each for each in objects}
        for each in objects:
            self.deleted.pop(each["metadata"]["name"], None)
        self.renew()

    def delete(self, name: str, at: float = 0.0, *, witnessed: bool = True) -> None:
        self.deleted[name] = Vanished(object=self.objects.pop(name), at=at, witnessed=witnessed)
        self.renew()

    def snapshot(self) -> Snapshot:
        return self.kept


@dataclass
class Cluster:
    """Three nodes that are as they should be, until a test does something to them."""

    meshes: Shelf = field(default_factory=lambda: Shelf(mesh()))
    mesh_nodes: Shelf = field(default_factory=lambda: Shelf(*map(mesh_node, range(3))))
    nodes: Shelf = field(default_factory=lambda: Shelf(*map(node, range(3))))
    now: float = 0.0
    subnets: list[tuple[str, ...] | Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.woken: list[Cause] = []
        self.source = ClusterSource(
            OWN,
            meshes=self.meshes,
            mesh_nodes=self.mesh_nodes,
            nodes=self.nodes,
            find_overlay=self.find_overlay,
            clock=lambda: self.now,
        )
        self.source.start(self.woken.append)

    def find_overlay(self) -> tuple[str, ...]:
        answer = self.subnets.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def desired(self, applied: ResolvedHost | None = None) -> Desired:
        return self.source.desired(KEYS[0], applied)

    def peers(self) -> list[str]:
        desired = self.desired()
        assert desired.resolved is not None, desired
        return sorted(desired.resolved.peers)

    def offline(self) -> ResolvedHost:
        """Return what the strict compiler makes of the same objects."""
        shelves = (self.meshes, self.mesh_nodes, self.nodes)
        objects = [each for shelf in shelves for each in shelf.objects.values()]
        inventory = parse([Source(name="-", text="\n".join(map(json.dumps, objects)))])
        return resolve(*compile_host(inventory, OWN))

    def wait_for_waking(self) -> None:
        deadline = time.monotonic() + 10
        while not self.woken and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.woken.pop() is Cause.CLUSTER


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_cluster_says_what_the_offline_compiler_says(cluster: Cluster) -> None:
    assert cluster.desired() == Desired(resolved=cluster.offline())


@pytest.mark.parametrize(
    ("unread", "waiting"),
    [
        (["meshes"], "the API's list of meshes"),
        (["mesh_nodes"], "the API's list of meshnodes"),
        (["nodes"], "the API's list of nodes"),
        (["nodes", "meshes"], "the API's list of meshes and of nodes"),
    ],
)
def test_nothing_is_made_of_lists_that_are_not_whole(
    cluster: Cluster, unread: list[str], waiting: str
) -> None:
    for name in unread:
        shelf = getattr(cluster, name)
        shelf.synced = False
        shelf.renew()
    assert cluster.desired() == Desired(waiting_for=waiting)


@pytest.mark.parametrize(
    ("shelf", "name", "waiting"),
    [
        ("meshes", "demo", "a Mesh object"),
        ("nodes", "node-0", "Node/node-0"),
        ("mesh_nodes", "node-0", "MeshNode/node-0, which this agent publishes"),
    ],
)
def test_what_this_host_cannot_do_without_is_waited_for(
    cluster: Cluster, shelf: str, name: str, waiting: str
) -> None:
    getattr(cluster, shelf).delete(name)
    assert cluster.desired() == Desired(waiting_for=waiting)


def test_another_public_key_than_this_hosts_is_waited_to_go(cluster: Cluster) -> None:
    waiting = "MeshNode/node-0 with this host's public key, which this agent publishes"
    assert cluster.source.desired(KEYS[2]) == Desired(waiting_for=waiting)
    assert cluster.desired().resolved is not None


def test_two_meshes_are_a_problem_that_names_them(cluster: Cluster) -> None:
    cluster.meshes.put(mesh("another"), mesh("zebra"))
    rule = (
        "a cluster has exactly one Mesh, and here are 3: delete all but one "
        "(the others: demo, zebra)"
    )
    assert cluster.desired() == Desired(problems=(Problem(object="Mesh/another", rule=rule),))


def test_what_is_wrong_with_the_mesh_is_said_without_a_file_that_is_none(cluster: Cluster) -> None:
    cluster.meshes.put(mesh(listenPort=0))
    expected = Problem(
        object="Mesh/demo",
        path="spec.listenPort",
        value="0",
        rule="must be between 1 and 65535",
    )
    assert cluster.desired() == Desired(problems=(expected,))


def test_offender_is_left_out_and_named_and_the_rest_goes_on(cluster: Cluster) -> None:
    cluster.mesh_nodes.put(mesh_node(2, publicKey=KEYS[1]))
    expected = Problem(
        object="MeshNode/node-2",
        path="spec.publicKey",
        value=KEYS[1],
        rule="is the public key of MeshNode/node-1 too: a key has one host",
    )
    desired = cluster.desired()
    assert (desired.left_out, desired.problems, desired.own_left_out) == ((expected,), (), False)
    assert cluster.peers() == ["node-1"]


def test_who_had_it_when_the_host_last_converged_has_it_still(cluster: Cluster) -> None:
    """Without pod CIDRs of Nodes, only what this host remembers says whose they are."""
    applied = cluster.offline()
    cluster.nodes.put(*({**node(index), "spec": {}} for index in range(3)))
    cluster.mesh_nodes.put(mesh_node(1, podCIDRs=[f"10.244.{index}.0/24" for index in range(3)]))
    alone = cluster.desired()
    assert (alone.resolved, alone.own_left_out, len(alone.left_out)) == (None, True, 3)
    desired = cluster.desired(applied)
    assert desired.resolved is not None
    assert sorted(desired.resolved.peers) == ["node-2"]
    assert {problem.object for problem in desired.left_out} == {"MeshNode/node-1"}


def test_what_was_remembered_is_looked_at_again_only_where_it_matters(cluster: Cluster) -> None:
    first = cluster.desired()
    assert cluster.desired(cluster.offline()) is first
    applied = cluster.offline()
    cluster.mesh_nodes.put(mesh_node(2, publicKey=KEYS[1]))
    second = cluster.desired(applied)
    assert cluster.desired(applied) is second
    assert cluster.desired() is not second


def test_who_copies_an_endpoint_stays_without_it_and_is_named(cluster: Cluster) -> None:
    cluster.mesh_nodes.put(mesh_node(1, endpoint="192.0.2.3"))
    expected = Problem(
        object="MeshNode/node-1",
        path="spec.endpoint",
        value="192.0.2.3:9806",
        rule="its endpoint is left out, and it must speak first: this is the endpoint of "
        "MeshNode/node-2 too",
    )
    desired = cluster.desired()
    assert desired.resolved is not None
    assert (desired.left_out, desired.endpoints_left_out) == ((), (expected,))
    found = {name: peer.endpoint for name, peer in desired.resolved.peers.items()}
    assert found == {"node-1": None, "node-2": "192.0.2.3:9806"}


def test_host_whose_own_endpoint_is_left_out_is_in_the_mesh(cluster: Cluster) -> None:
    cluster.mesh_nodes.put(mesh_node(0, endpoint="192.0.2.3"))
    desired = cluster.desired()
    assert cluster.peers() == ["node-1", "node-2"]
    assert desired.own_left_out is False
    assert [problem.object for problem in desired.endpoints_left_out] == ["MeshNode/node-0"]


def test_host_whose_own_object_is_left_out_keeps_what_it_has(cluster: Cluster) -> None:
    cluster.mesh_nodes.put(mesh_node(0, endpoint="10.244.0.9"), mesh_node(2, listenPort=0))
    desired = cluster.desired()
    inside = (
        "is inside overlay CIDR 10.244.0.0/16: encrypted packets to it would be sent into the "
        "tunnel again"
    )
    own = Problem(
        object="MeshNode/node-0", path="spec.endpoint", value="10.244.0.9:9806", rule=inside
    )
    other = Problem(
        object="MeshNode/node-2",
        path="spec.listenPort",
        value="0",
        rule="must be between 1 and 65535",
    )
    assert desired == Desired(problems=(own,), left_out=(other,), own_left_out=True)


def test_vanished_mesh_node_is_kept_for_a_minute_while_its_node_is_there(cluster: Cluster) -> None:
    cluster.mesh_nodes.delete("node-1", at=5.0)
    for now, peers in ((5.0, ["node-1", "node-2"]), (64.9, ["node-1", "node-2"])):
        cluster.now = now
        assert cluster.peers() == peers
    cluster.now = 65.0
    assert cluster.peers() == ["node-2"]


def test_all_mesh_nodes_deleted_at_once_cost_nobody_once_the_own_is_back(cluster: Cluster) -> None:
    for index in range(3):
        cluster.mesh_nodes.delete(f"node-{index}")
    assert cluster.desired().waiting_for == "MeshNode/node-0, which this agent publishes"
    cluster.mesh_nodes.put(mesh_node(0))
    assert cluster.peers() == ["node-1", "node-2"]


def test_vanished_mesh_node_that_came_back_is_the_new_one(cluster: Cluster) -> None:
    cluster.mesh_nodes.delete("node-1")
    cluster.mesh_nodes.put(mesh_node(1, listenPort=7))
    assert cluster.desired() == Desired(resolved=cluster.offline())


def test_peer_of_a_deleted_node_goes_at_once_and_was_expected_to(cluster: Cluster) -> None:
    cluster.nodes.delete("node-1")
    for _ in range(2):
        desired = cluster.desired()
        assert (desired.departed, cluster.peers()) == (frozenset({KEYS[1]}), ["node-2"])
        cluster.mesh_nodes.objects.pop("node-1", None)
        cluster.mesh_nodes.deleted["node-1"] = Vanished(object=mesh_node(1), at=0.0, witnessed=True)
        cluster.mesh_nodes.renew()


def test_node_that_a_later_list_lacks_is_not_known_to_have_departed(cluster: Cluster) -> None:
    cluster.mesh_nodes.delete("node-1", witnessed=False)
    cluster.nodes.delete("node-1", witnessed=False)
    desired = cluster.desired()
    assert (desired.departed, cluster.peers()) == (frozenset(), ["node-2"])


def test_node_that_came_back_under_another_name_has_not_departed(cluster: Cluster) -> None:
    cluster.nodes.delete("node-1")
    cluster.mesh_nodes.delete("node-1")
    cluster.nodes.put(node(2))
    cluster.mesh_nodes.put(mesh_node(2, publicKey=KEYS[1]))
    assert cluster.desired().departed == frozenset()


def test_node_that_came_back_has_not_departed(cluster: Cluster) -> None:
    cluster.nodes.delete("node-1")
    assert cluster.desired().departed == {KEYS[1]}
    cluster.nodes.put(node(1))
    assert cluster.desired().departed == frozenset()


def test_consent_to_a_mass_deletion_is_read_from_the_own_object_only(cluster: Cluster) -> None:
    for index, consent in ((0, "0123456789ab"), (1, "ba9876543210")):
        own = mesh_node(index)
        own["metadata"]["annotations"] = {"wormhole.dev/allow-mass-delete": consent}
        cluster.mesh_nodes.put(own)
    assert cluster.desired().allow_mass_delete == "0123456789ab"


def test_consent_that_is_no_text_is_none(cluster: Cluster) -> None:
    own = mesh_node(0)
    own["metadata"]["annotations"] = {"wormhole.dev/allow-mass-delete": 7}
    cluster.mesh_nodes.put(own)
    assert cluster.desired().allow_mass_delete == ""


def without_overlay() -> Object:
    bare = mesh()
    del bare["spec"]["overlayCIDRs"]
    return bare


def test_mesh_without_overlay_takes_the_clusters(cluster: Cluster) -> None:
    expected = cluster.offline()
    cluster.meshes.put(without_overlay())
    cluster.subnets = [("10.244.0.0/16",)]
    assert cluster.desired() == Desired(
        waiting_for="kube-system's kubeadm-config, whose podSubnet is the overlay of a Mesh "
        "without one"
    )
    cluster.wait_for_waking()
    assert cluster.desired() == Desired(resolved=expected)
    assert "overlayCIDRs" not in cluster.meshes.objects["demo"]["spec"]


def test_cluster_that_has_no_overlay_either_is_a_problem(cluster: Cluster) -> None:
    cluster.meshes.put(without_overlay())
    cluster.subnets = [ApiError("GET /x", 404, "NotFound", "")]
    cluster.desired()
    cluster.wait_for_waking()
    rule = "is not there to supply the Mesh's overlay: give the Mesh its own overlayCIDRs"
    expected = Problem(object="ConfigMap/kubeadm-config", rule=rule)
    assert cluster.desired() == Desired(problems=(expected,))
    cluster.source.stop()
    cluster.meshes.put(mesh())
    assert cluster.desired() == Desired(resolved=cluster.offline())


def test_mesh_that_names_its_overlay_asks_the_cluster_nothing(cluster: Cluster) -> None:
    cluster.subnets = [Problems([])]
    assert cluster.desired().resolved is not None
    assert len(cluster.subnets) == 1


def test_nothing_is_compiled_twice_while_nothing_changed(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cluster.desired()
    monkeypatch.setattr("wormhole.agent.sources.clustersource.isolate_objects", None)
    cluster.now = 1e9
    assert cluster.desired() is first


@pytest.mark.parametrize("shelf", ["meshes", "mesh_nodes", "nodes"])
def test_each_collection_that_changed_is_looked_at_again(cluster: Cluster, shelf: str) -> None:
    first = cluster.desired()
    getattr(cluster, shelf).renew()
    again = cluster.desired()
    assert (again, again is first) == (first, False)


def test_change_wakes_the_loop(cluster: Cluster) -> None:
    cluster.source.changed()
    assert cluster.woken == [Cause.CLUSTER]
