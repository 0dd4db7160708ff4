"""``wormhole inventory pull`` writes what compiling needs of a cluster, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from commandline import OTHER_KEY, Wormhole
from hypothesis import given
from hypothesis import strategies as st
from memory_api import MemoryApi

from compiler.compile import compile_mesh
from compiler.parse import parse
from compiler.source import Source
from compiler.text import read_source
from schemas.problems import Problems
from wormhole.cluster.api import KUBEADM_CONFIG, MESH_NODES, MESHES, NODES, Object
from wormhole.cluster.errors import ApiError
from wormhole.cluster.listing import list_objects
from wormhole.files.sources import read_sources
from wormhole.pull.collect import Pulled, collect_objects
from wormhole.pull.spell import MARK, spell_objects

FIXTURES = Path(__file__).parents[3] / "fixtures/clusters"
PATHS = {"Mesh": MESHES, "MeshNode": MESH_NODES, "Node": NODES}
SERVER_FIELDS = {
    "uid": "0b1c",
    "generation": 3,
    "creationTimestamp": "2026-11-01T00:00:00Z",
    "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    "labels": {"zone": "a"},
}


def objects_of(case: str) -> list[Object]:
    found: list[Object] = []
    for path in sorted((FIXTURES / case).glob("*.*")):
        if path.suffix in (".yaml", ".json"):
            for document in yaml.safe_load_all(path.read_text()):
                found += document["items"] if document["kind"].endswith("List") else [document]
    return found


def fill(api: MemoryApi, objects: list[Object]) -> MemoryApi:
    """Store objects as a server would have them: with all that it adds."""
    for found in objects:
        body = found | {"metadata": found["metadata"] | SERVER_FIELDS}
        status: dict[str, Any] = found.get("status") or {}
        body["status"] = status | {"conditions": [{"type": "Ready"}], "observedGeneration": 3}
        api.put(f"{PATHS[found['kind']]}/{found['metadata']['name']}", body)
    return api


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> MemoryApi:
    """Put a cluster where the command connects to one."""
    api = fill(MemoryApi(), objects_of("kubectl-nodes"))
    monkeypatch.setattr("wormhole.cluster.connection.connect", lambda _kubeconfig: api)
    return api


def pull(api: MemoryApi) -> Pulled:
    return collect_objects(api)


@pytest.mark.parametrize("case", sorted(path.name for path in FIXTURES.iterdir()))
def test_what_is_pulled_compiles_to_the_same(case: str) -> None:
    objects = objects_of(case)
    ours = [each for each in objects if each["kind"] in PATHS]
    pulled = pull(fill(MemoryApi(), ours))
    text = spell_objects(pulled.objects).decode()
    live = yaml.safe_dump_all(ours)
    assert compile_mesh(parse([Source(name="pulled", text=text)])) == compile_mesh(
        parse([Source(name="live", text=live)])
    )


def test_an_object_is_its_name_and_what_compiling_reads(
    wormhole: Wormhole, cluster: MemoryApi
) -> None:
    code, output, errors = wormhole("inventory", "pull", "-o", "inventory")
    assert (code, errors) == (0, "")
    assert output.splitlines()[-1] == (
        "ok: mesh prod, 3 MeshNodes, 3 Nodes: 7 written, 0 unchanged, 0 removed"
    )
    assert Path("inventory/nodes/worker-1.yaml").read_text() == (
        f"{MARK}\n"
        "apiVersion: v1\n"
        "kind: Node\n"
        "metadata:\n"
        "  name: worker-1\n"
        "spec:\n"
        "  podCIDRs:\n"
        "  - 10.244.1.0/24\n"
        "status:\n"
        "  addresses:\n"
        "  - address: 203.0.113.11\n"
        "    type: ExternalIP\n"
        "  - address: 192.0.2.11\n"
        "    type: InternalIP\n"
    )
    assert sorted(str(path) for path in Path("inventory").rglob("*.yaml")) == [
        "inventory/mesh.yaml",
        "inventory/meshnodes/cp-1.yaml",
        "inventory/meshnodes/worker-1.yaml",
        "inventory/meshnodes/worker-9.yaml",
        "inventory/nodes/cp-1.yaml",
        "inventory/nodes/worker-1.yaml",
        "inventory/nodes/worker-2.yaml",
    ]
    assert {request.partition("?")[0] for request in cluster.requests} == {
        f"GET {MESHES}",
        f"GET {MESH_NODES}",
        f"GET {NODES}",
    }


def test_a_second_pull_writes_nothing(wormhole: Wormhole, cluster: MemoryApi) -> None:
    wormhole("inventory", "pull", "-o", "inventory")
    before = {path: path.stat().st_mtime_ns for path in Path("inventory").rglob("*.yaml")}
    cluster.put(f"{NODES}/cp-1", cluster.objects[f"{NODES}/cp-1"])  # only its version changes
    _, output, _ = wormhole("inventory", "pull", "-o", "inventory")
    assert output == "ok: mesh prod, 3 MeshNodes, 3 Nodes: 0 written, 7 unchanged, 0 removed\n"
    assert {path: path.stat().st_mtime_ns for path in Path("inventory").rglob("*.yaml")} == before


def test_an_object_that_left_goes_and_what_others_wrote_stays(
    wormhole: Wormhole, cluster: MemoryApi
) -> None:
    wormhole("inventory", "pull", "-o", "inventory")
    Path("inventory/nodes/by-hand.yaml").write_text("# mine\n")
    Path("inventory/nodes/notes.txt").write_text(MARK)
    del cluster.objects[f"{NODES}/worker-2"]
    _, output, _ = wormhole("inventory", "pull", "-o", "inventory")
    assert output.splitlines() == [
        "removed inventory/nodes/worker-2.yaml",
        "ok: mesh prod, 3 MeshNodes, 2 Nodes: 0 written, 6 unchanged, 1 removed",
    ]
    assert sorted(path.name for path in Path("inventory/nodes").iterdir()) == [
        "by-hand.yaml",
        "cp-1.yaml",
        "notes.txt",
        "worker-1.yaml",
    ]


def test_a_file_of_somebody_is_not_overwritten(wormhole: Wormhole, cluster: MemoryApi) -> None:
    assert cluster.objects
    Path("inventory/nodes").mkdir(parents=True)
    Path("inventory/nodes/cp-1.yaml").write_text("# mine\n")
    code, output, errors = wormhole("inventory", "pull", "-o", "inventory")
    assert (code, output) == (2, "")
    assert errors == (
        "error: inventory/nodes/cp-1.yaml: is not from a pull, and would be overwritten: move it,"
        " or name another place\n"
    )
    assert [path.name for path in Path("inventory").rglob("*.yaml")] == ["cp-1.yaml"]


@pytest.mark.parametrize("place", ["inventory", "inventory.yaml"])
def test_another_cluster_is_not_put_over_the_first(
    place: str, wormhole: Wormhole, cluster: MemoryApi
) -> None:
    wormhole("inventory", "pull", "-o", place)
    file = Path(place) / "mesh.yaml" if place == "inventory" else Path(place)
    before = file.read_text()
    mesh = cluster.objects.pop(f"{MESHES}/prod")
    cluster.put(f"{MESHES}/other", mesh | {"metadata": {"name": "other"}})
    code, _, errors = wormhole("inventory", "pull", "-o", place)
    assert (code, file.read_text()) == (2, before)
    assert errors == (
        f"error: {file}: holds mesh 'prod', the cluster has mesh 'other': is it the right"
        " cluster?\n"
    )


@pytest.mark.usefixtures("cluster")
def test_one_file_or_standard_output_is_one_stream(wormhole: Wormhole) -> None:
    assert wormhole("inventory", "pull", "-o", "all.yaml")[0] == 0
    inventory = parse(read_sources(["all.yaml"]))
    assert [node.name for node in inventory.nodes] == ["cp-1", "worker-1"]
    assert wormhole("inventory", "pull", "-o", "all.yaml")[1].endswith(
        ": 0 written, 1 unchanged, 0 removed\n"
    )
    assert wormhole("inventory", "pull") == (0, Path("all.yaml").read_text(), "")


def test_a_mesh_without_overlay_takes_kubeadms(wormhole: Wormhole, cluster: MemoryApi) -> None:
    cluster.put(f"{MESHES}/prod", {"spec": {"listenPort": 9000}})
    configuration = "networking:\n  podSubnet: 10.244.0.0/16\n"
    cluster.put(KUBEADM_CONFIG, {"data": {"ClusterConfiguration": configuration}})
    code, _, errors = wormhole("inventory", "pull", "-o", "inventory")
    assert code == 0
    assert errors == (
        "warning: Mesh/prod spec.overlayCIDRs '10.244.0.0/16': is not set in the cluster: taken"
        " from kubeadm's pod subnet\n"
    )
    assert parse(read_sources(["inventory"])).mesh.overlay_cidrs == ("10.244.0.0/16",)


def test_a_mesh_without_overlay_elsewhere_is_warned_about(
    wormhole: Wormhole, cluster: MemoryApi
) -> None:
    cluster.put(f"{MESHES}/prod", {"spec": {}})
    code, _, errors = wormhole("inventory", "pull", "-o", "inventory")
    assert code == 0
    assert errors.startswith(
        "warning: Mesh/prod spec.overlayCIDRs: is not set, and compiling needs it; kubeadm's pod"
        " subnet is not known: GET "
    )


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (MESHES, "the cluster has no Mesh: there is nothing to pull"),
        (MESH_NODES, "the cluster has no MeshNode: its agents have not published any yet"),
    ],
)
def test_an_empty_cluster_empties_no_folder(
    path: str, sentence: str, wormhole: Wormhole, cluster: MemoryApi
) -> None:
    wormhole("inventory", "pull", "-o", "inventory")
    for name in [name for name in cluster.objects if name.startswith(f"{path}/")]:
        del cluster.objects[name]
    code, _, errors = wormhole("inventory", "pull", "-o", "inventory")
    assert (code, errors) == (2, f"error: {sentence}\n")
    assert len([*Path("inventory").rglob("*.yaml")]) == 7


def test_two_meshes_are_refused(cluster: MemoryApi) -> None:
    cluster.put(f"{MESHES}/other", {"spec": {}})
    with pytest.raises(Problems) as caught:
        pull(cluster)
    assert str(caught.value) == "the cluster has 2 Meshes (other, prod), and a cluster has one"


def test_a_cluster_without_our_kinds_is_told_of(cluster: MemoryApi) -> None:
    def refuse(request: str) -> None:
        raise ApiError(request, 404, "NotFound", "the server could not find it")

    cluster.before = refuse
    with pytest.raises(Problems) as caught:
        pull(cluster)
    assert str(caught.value) == (
        "the cluster does not know Wormhole's kinds: kubectl apply -k deploy/base"
    )


@pytest.mark.parametrize("name", ["../../etc/x", "", ".hidden", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str, cluster: MemoryApi) -> None:
    cluster.objects[f"{NODES}/odd"] = {"metadata": {"name": name}}
    with pytest.raises(Problems) as caught:
        pull(cluster)
    shown = f"{name!r}: " if name else ""
    assert str(caught.value) == (f"{shown}the cluster's answer has an object with no usable name")


def test_a_list_whose_beginning_was_forgotten_begins_anew(cluster: MemoryApi) -> None:
    expired = iter([False, True])

    def forget(request: str) -> None:
        if request == f"GET {NODES}" and next(expired, False):
            raise ApiError(request, 410, "Expired", "the provided continue parameter is too old")

    cluster.before = forget
    assert len(list_objects(cluster, NODES)) == 3


def test_a_name_of_any_length_has_a_file(wormhole: Wormhole, cluster: MemoryApi) -> None:
    long = "n" * 253
    spec = {"publicKey": OTHER_KEY, "podCIDRs": ["10.244.7.0/24"]}
    cluster.put(f"{MESH_NODES}/{long}", {"spec": spec})
    assert wormhole("inventory", "pull", "-o", "inventory")[0] == 0
    [path] = Path("inventory/meshnodes").glob("n*~*.yaml")
    assert yaml.safe_load(path.read_text())["metadata"]["name"] == long


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn"]))
    | st.sampled_from(["on", "1e3", "0x1f", "1_000", "12:30:00", "~", "=", "<<", "2026-11-01"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.x"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abcdef", min_size=1), VALUES, min_size=1, max_size=4))
def test_whatever_a_spec_holds_is_read_back(spec: dict[str, Any]) -> None:
    document = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x"}, "spec": spec}
    text = spell_objects((document, document)).decode()
    reading = read_source(Source(name="x.yaml", text=text))
    assert (reading.faults, [each.value for each in reading.documents]) == ((), [document] * 2)
