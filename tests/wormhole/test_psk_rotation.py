"""Rotations from the command line, with an API in memory and agents that are a few lines long."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from commandline import Wormhole
from memory_api import MemoryApi

from wormhole.cluster.errors import ApiError
from wormhole.psk.epochs import decode_master, encode_master
from wormhole.psk.patience import find_timeout
from wormhole.psk.store import ending

SECRET = "/api/v1/namespaces/wormhole-system/secrets/wormhole-psk"
MESH = "/apis/wormhole.dev/v1alpha1/meshes/demo"
MESH_NODES = "/apis/wormhole.dev/v1alpha1/meshnodes"
NODES = "/api/v1/nodes"
OLD = encode_master(bytes(range(32)))


class Cluster(MemoryApi):
    """A Mesh, a Secret, nodes; and agents, who follow whenever a second passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.asleep: set[str] = set()
        """Nodes whose agent does nothing."""
        self.each_second: Callable[[], None] = lambda: None
        self.put(SECRET, {"kind": "Secret", "metadata": {}, "data": {"2026-11-01": OLD}})
        self.put(
            MESH, {"kind": "Mesh", "metadata": {}, "spec": {"presharedKeyEpoch": "2026-11-01"}}
        )
        for name in ("node-a", "node-b", "node-c"):
            self.join(name)
        self.follow()

    def join(self, name: str) -> None:
        self.put(f"{MESH_NODES}/{name}", {"metadata": {}, "spec": {}})
        ready = {"type": "Ready", "status": "True"}
        self.put(f"{NODES}/{name}", {"metadata": {}, "status": {"conditions": [ready]}})

    def follow(self) -> None:
        for path in [path for path in self.objects if path.startswith(MESH_NODES)]:
            if path.rpartition("/")[2] not in self.asleep:
                status = {
                    "heldPresharedKeyEpochs": sorted(self.entries),
                    "conditions": [{"type": "Ready", "status": "True"}],
                }
                if self.epoch:
                    status["presharedKeyEpoch"] = self.epoch
                self.put(path, self.objects[path] | {"status": status})

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.each_second()
        self.follow()

    def today(self) -> date:
        return date(2026, 11, 22)

    @property
    def entries(self) -> dict[str, str]:
        found: dict[str, str] = self.objects[SECRET].get("data") or {}
        return found

    @property
    def epoch(self) -> str:
        found: str = self.objects[MESH]["spec"].get("presharedKeyEpoch", "")
        return found

    @epoch.setter
    def epoch(self, epoch: str | None) -> None:
        spec = {"presharedKeyEpoch": epoch} if epoch else {}
        self.put(MESH, self.objects[MESH] | {"spec": spec})


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Put a cluster in memory, and its time, where the command looks for a real one."""
    cluster = Cluster()
    monkeypatch.setattr("wormhole.cluster.connection.connect", lambda _kubeconfig: cluster)
    monkeypatch.setattr("wormhole.psk.patience.SystemClock", lambda: cluster)
    yield cluster
    text = repr(cluster.requests)
    assert not [value for value in cluster.entries.values() if value in text]


def test_a_rotation_takes_five_steps(cluster: Cluster, wormhole: Wormhole) -> None:
    assert wormhole("psk", "rotate") == (
        0,
        (
            "Mesh/demo uses epoch 2026-11-01, with 3 nodes.\n"
            "Rotating to 2026-11-22.\n"
            "1/5  Secret wormhole-system/wormhole-psk: entry 2026-11-22 added\n"
            "2/5  all 3 nodes hold 2026-11-22\n"
            "3/5  Mesh/demo: presharedKeyEpoch 2026-11-01 -> 2026-11-22\n"
            "4/5  all 3 nodes use 2026-11-22\n"
            "5/5  entries removed: 2026-11-01\n"
            "Rotated: Mesh/demo uses epoch 2026-11-22.\n"
        ),
        "",
    )
    assert (cluster.epoch, list(cluster.entries)) == ("2026-11-22", ["2026-11-22"])
    assert decode_master(cluster.entries["2026-11-22"])
    assert cluster.writes == [f"PUT {SECRET}", f"PATCH {MESH}", f"PUT {SECRET}"]
    assert cluster.objects[SECRET]["metadata"]["annotations"] == {}


def test_the_first_epoch_comes_the_same_way(cluster: Cluster, wormhole: Wormhole) -> None:
    cluster.put(SECRET, {"kind": "Secret", "metadata": {}})
    cluster.epoch = None
    cluster.follow()
    code, out, _ = wormhole("psk", "rotate", "--epoch", "blue")
    assert code == 0
    assert out.startswith("Mesh/demo uses no pre-shared keys yet, with 3 nodes.\n")
    assert "3/5  Mesh/demo: presharedKeyEpoch blue\n" in out
    assert (cluster.epoch, list(cluster.entries)) == ("blue", ["blue"])


def test_the_mesh_is_not_switched_before_all_hold(cluster: Cluster, wormhole: Wormhole) -> None:
    cluster.asleep = {"node-b"}

    def wake() -> None:
        assert cluster.epoch == "2026-11-01"
        if cluster.now > 20:
            cluster.asleep.clear()

    cluster.each_second = lambda: wake() if cluster.epoch == "2026-11-01" else None
    code, _, err = wormhole("psk", "rotate")
    assert (code, cluster.epoch) == (0, "2026-11-22")
    assert err == "     waiting: 1 of 3 nodes does not hold 2026-11-22: node-b\n"


def test_old_entries_stay_until_all_use_the_new(cluster: Cluster, wormhole: Wormhole) -> None:
    seen = []

    def fall_asleep() -> None:
        if cluster.epoch == "2026-11-22":
            cluster.asleep = {"node-c"} if cluster.now < 60 else set()
            seen.append(sorted(cluster.entries))

    cluster.each_second = fall_asleep
    code, _, err = wormhole("psk", "rotate")
    assert (code, set(map(tuple, seen))) == (0, {("2026-11-01", "2026-11-22")})
    assert err == "     waiting: 1 of 3 nodes does not use 2026-11-22: node-c\n" * 2


def test_a_timeout_names_the_missing_and_can_be_resumed(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    cluster.asleep = {"node-a", "node-b", "node-c"}
    del cluster.objects[f"{NODES}/node-a"]
    cluster.objects[f"{NODES}/node-b"]["status"] = {}
    stuck = {"conditions": [{"type": "Ready", "status": "False", "reason": "HostError"}]}
    cluster.objects[f"{MESH_NODES}/node-c"]["status"] = stuck
    code, out, err = wormhole("psk", "rotate", "--timeout", "4", "--namespace", "wormhole-system")
    assert (code, out.splitlines()[-1]) == (
        75,
        "1/5  Secret wormhole-system/wormhole-psk: entry 2026-11-22 added",
    )
    assert err == (
        "wormhole: 3 of 3 nodes do not hold 2026-11-22: node-a (its Node is gone),"
        " node-b (its Node is not Ready), node-c (not Ready: HostError)\n"
        "it is safe to leave it so: nodes fetch the new master; the mesh goes on with what it used"
        " before.\n"
        "to go on: wormhole psk rotate\n"
    )
    master = cluster.entries["2026-11-22"]
    cluster.asleep.clear()
    code, out, _ = wormhole("psk", "rotate")
    assert (
        "\nGoing on with the rotation to 2026-11-22, which the Secret notes: its entry is there"
        " already.\n"
    ) in out
    assert "1/5  Secret wormhole-system/wormhole-psk: entry 2026-11-22 is there\n" in out
    assert (code, cluster.entries) == (0, {"2026-11-22": master})


def test_interrupted_after_the_switch_it_ends_the_rotation(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    def interrupt() -> None:
        if cluster.epoch == "2026-11-22":
            raise KeyboardInterrupt

    cluster.each_second = interrupt
    code, _, err = wormhole("psk", "rotate", "--without", "node-b", "--kubeconfig", "a b")
    assert (code, err) == (
        130,
        (
            "it is safe to leave it so: the Mesh says the new epoch; the older masters are kept"
            " until all nodes use it.\n"
            "to go on: wormhole psk rotate --kubeconfig 'a b' --without node-b\n"
            "wormhole: interrupted\n"
        ),
    )
    assert sorted(cluster.entries) == ["2026-11-01", "2026-11-22"]
    cluster.each_second = lambda: None
    code, out, _ = wormhole("psk", "rotate")
    assert (code, out) == (
        0,
        (
            "Mesh/demo uses epoch 2026-11-22, with 3 nodes.\n"
            "Ending the rotation to 2026-11-22: the Mesh uses it already.\n"
            "4/5  all 3 nodes use 2026-11-22\n"
            "5/5  entries removed: 2026-11-01\n"
            "Rotated: Mesh/demo uses epoch 2026-11-22.\n"
        ),
    )


def test_a_node_that_is_not_waited_for_keeps_what_it_uses(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    cluster.asleep = {"node-c"}
    code, out, _ = wormhole("psk", "rotate", "--without", "node-c")
    assert code == 0
    assert out.endswith(
        "2/5  2 of 3 nodes hold 2026-11-22\n"
        "3/5  Mesh/demo: presharedKeyEpoch 2026-11-01 -> 2026-11-22\n"
        "4/5  2 of 3 nodes use 2026-11-22\n"
        "5/5  entries removed: none; 2026-11-01 stays, as node-c uses it\n"
        "Rotated: Mesh/demo uses epoch 2026-11-22.\n"
    )
    assert sorted(cluster.entries) == ["2026-11-01", "2026-11-22"]


def test_a_node_that_joins_meanwhile_is_waited_for(cluster: Cluster, wormhole: Wormhole) -> None:
    cluster.asleep = {"node-a", "node-d"}

    def join() -> None:
        if cluster.now == 3:
            cluster.join("node-d")
        cluster.asleep = {"node-d"} if 3 <= cluster.now < 10 else cluster.asleep - {"node-d"}

    cluster.each_second = join
    code, out, _ = wormhole("psk", "rotate")
    assert (code, "2/5  all 4 nodes hold 2026-11-22\n" in out) == (0, True)


@pytest.mark.parametrize("lost", [("node-b",), ("node-a", "node-b", "node-c")])
def test_nodes_whose_mesh_nodes_were_deleted_are_waited_for(
    cluster: Cluster, wormhole: Wormhole, lost: tuple[str, ...]
) -> None:
    """Right after ``kubectl delete meshnodes``: their agents publish them again."""
    for name in lost:
        del cluster.objects[f"{MESH_NODES}/{name}"]

    def publish() -> None:
        if cluster.now < 8:
            assert cluster.epoch == "2026-11-01"
        for name in lost if cluster.now == 8 else ():
            cluster.join(name)

    cluster.each_second = publish
    code, out, err = wormhole("psk", "rotate")
    assert (code, "2/5  all 3 nodes hold 2026-11-22\n" in out) == (0, True)
    why = "has no MeshNode; its agent, if there is one, is about to publish it"
    named = ", ".join(f"{name} ({why})" for name in lost)
    does = "does" if len(lost) == 1 else "do"
    assert err == f"     waiting: {len(lost)} of 3 nodes {does} not hold 2026-11-22: {named}\n"


def test_a_node_without_an_agent_is_waited_for_once_and_for_a_minute(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    del cluster.objects[f"{MESH_NODES}/node-b"]
    code, out, _ = wormhole("psk", "rotate")
    assert (code, "4/5  all 2 nodes use 2026-11-22\n" in out) == (0, True)
    assert 60 <= cluster.now < 70


def test_a_node_that_might_publish_is_named_when_the_time_is_over(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    del cluster.objects[f"{MESH_NODES}/node-b"]
    code, _, err = wormhole("psk", "rotate", "--timeout", "4")
    assert (code, cluster.epoch) == (75, "2026-11-01")
    assert err.startswith("wormhole: 1 of 3 nodes does not hold 2026-11-22: node-b (has no Mesh")


def test_with_no_switch_the_line_for_git_is_printed(cluster: Cluster, wormhole: Wormhole) -> None:
    code, out, _ = wormhole("psk", "rotate", "--no-switch")
    assert code == 0
    assert out.endswith(
        "2/5  all 3 nodes hold 2026-11-22\n"
        "3/5  not changed here (--no-switch). In git, in Mesh/demo:\n"
        "       spec:\n"
        '         presharedKeyEpoch: "2026-11-22"\n'
        "     Once the cluster has that, the rest of the rotation follows with the next run.\n"
        "Half done: Mesh/demo is to use 2026-11-22; then wormhole psk rotate --no-switch\n"
    )
    assert cluster.epoch == "2026-11-01"
    cluster.epoch = "2026-11-22"
    code, out, _ = wormhole("psk", "rotate", "--no-switch")
    assert (code, list(cluster.entries)) == (0, ["2026-11-22"])
    assert cluster.writes == [f"PUT {SECRET}"] * 2


def test_a_mesh_that_git_keeps_is_not_switched_unasked(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    cluster.objects[MESH]["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "x"}
    code, _, err = wormhole("psk", "rotate")
    assert (code, err.startswith("error: Mesh/demo: Flux keeps it as git has it")) == (2, True)
    assert cluster.writes == []
    assert wormhole("psk", "rotate", "--switch")[0] == 0


def test_a_dry_run_writes_nothing(cluster: Cluster, wormhole: Wormhole) -> None:
    code, out, _ = wormhole("psk", "rotate", "--dry-run")
    assert (code, out.splitlines()[-1]) == (0, "Nothing was changed (--dry-run).")
    assert cluster.writes == []


def test_somebody_elses_switch_ends_it(cluster: Cluster, wormhole: Wormhole) -> None:
    cluster.asleep = {"node-a"}

    def switch() -> None:
        cluster.epoch = "green"

    cluster.each_second = switch
    code, _, err = wormhole("psk", "rotate")
    assert (code, err.splitlines()[-1]) == (
        2,
        (
            "error: Mesh/demo spec.presharedKeyEpoch 'green': was changed by somebody else"
            " meanwhile, and the rotation ends here"
        ),
    )


def test_an_entry_that_goes_meanwhile_ends_it(cluster: Cluster, wormhole: Wormhole) -> None:
    cluster.asleep = {"node-a"}

    def remove() -> None:
        cluster.put(SECRET, {"kind": "Secret", "metadata": {}, "data": {"2026-11-01": OLD}})

    cluster.each_second = remove
    code, _, err = wormhole("psk", "rotate")
    assert (code, err.splitlines()[-1]) == (
        2,
        (
            "error: entry '2026-11-22': was removed from the Secret, or damaged, by somebody else"
            " meanwhile"
        ),
    )
    assert cluster.epoch == "2026-11-01"


def test_a_mesh_that_others_change_meanwhile_is_looked_at_again(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    def change(request: str) -> None:
        if request.startswith("PATCH") and len(cluster.writes) == 2:
            mesh = cluster.objects[MESH]
            cluster.put(MESH, mesh | {"spec": mesh["spec"] | {"listenPort": 1}})

    cluster.before = change
    assert wormhole("psk", "rotate")[0] == 0
    spec = cluster.objects[MESH]["spec"]
    assert spec == {"presharedKeyEpoch": "2026-11-22", "listenPort": 1}


def test_a_server_that_is_away_is_waited_for(cluster: Cluster, wormhole: Wormhole) -> None:
    cluster.asleep = {"node-a"}

    def be_away(request: str) -> None:
        if 3 <= cluster.now < 20:
            raise ApiError(request, 0, "Unreachable", "connection refused")

    cluster.before = be_away
    cluster.each_second = lambda: cluster.asleep.clear() if cluster.now > 10 else None
    code, _, err = wormhole("psk", "rotate")
    expected = (
        "     waiting: the API does not answer: GET /apis/wormhole.dev/v1alpha1/meshes:"
        " Unreachable: connection refused\n"
    )
    assert (code, err) == (0, expected)


def test_a_server_that_stays_away_is_a_timeout(cluster: Cluster, wormhole: Wormhole) -> None:
    def be_away(request: str) -> None:
        if cluster.writes:
            raise ApiError(request, 503, "ServiceUnavailable", "etcd is away")

    cluster.before = lambda request: be_away(request) if "meshes" in request else None
    code, _, err = wormhole("psk", "rotate", "--timeout", "10")
    assert (code, err.splitlines()[-3]) == (
        75,
        (
            "wormhole: the API does not answer: GET /apis/wormhole.dev/v1alpha1/meshes:"
            " 503 ServiceUnavailable: etcd is away"
        ),
    )


def test_a_refusal_ends_it_at_once(cluster: Cluster, wormhole: Wormhole) -> None:
    def refuse(request: str) -> None:
        if request.startswith("PATCH"):
            raise ApiError(request, 403, "Forbidden", "meshes is forbidden")

    cluster.before = refuse
    code, _, err = wormhole("psk", "rotate")
    assert (code, err) == (
        3,
        (
            "it is safe to leave it so: nodes fetch the new master; the mesh goes on with what it"
            " used before.\n"
            "to go on: wormhole psk rotate\n"
            f"wormhole: PATCH {MESH}: 403 Forbidden: meshes is forbidden\n"
        ),
    )


def test_the_status_only_looks(cluster: Cluster, wormhole: Wormhole) -> None:
    assert wormhole("psk", "status") == (
        0,
        (
            "Mesh/demo uses epoch 2026-11-01, with 3 nodes.\n"
            "  2026-11-01: used by 3 of 3, held by 3 of 3\n"
            "No rotation is under way.\n"
        ),
        "",
    )
    assert cluster.writes == []


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (["--epoch", "x"], "--epoch"),
        (["--without", "x"], "--without"),
        (["--timeout", "1"], "--timeout"),
        (["--no-switch"], "--switch"),
        (["--fresh"], "--fresh"),
        (["--dry-run"], "--dry-run"),
    ],
)
def test_the_status_takes_no_options_of_rotate(
    cluster: Cluster, wormhole: Wormhole, options: list[str], option: str
) -> None:
    expected = f"error: {option}: goes with rotate; status only looks\n"
    assert wormhole("psk", "status", *options) == (2, "", expected)
    assert cluster.requests == []


@pytest.mark.parametrize("seconds", ["soon", "-1", "inf", "nan"])
def test_a_timeout_is_a_number(wormhole: Wormhole, seconds: str) -> None:
    code, _, err = wormhole("psk", "rotate", f"--timeout={seconds}")
    expected = "error: argument --timeout: must be a number of seconds, such as 300\n"
    assert (code, err.endswith(expected)) == (2, True)


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ((), "the cluster has no Mesh: apply one first"),
        (("one", "two"), "the cluster has 2 Meshes (one, two), and a cluster has one"),
    ],
)
def test_a_cluster_has_one_mesh(
    cluster: Cluster, wormhole: Wormhole, names: tuple[str, ...], problem: str
) -> None:
    mesh = cluster.objects.pop(MESH)
    for name in names:
        cluster.put(MESH.replace("demo", name), mesh | {"metadata": {"name": name}})
    assert wormhole("psk", "rotate") == (2, "", f"error: {problem}\n")
    cluster.put(MESH, mesh)


KNOWN = encode_master(b"\x66" * 32)
"""A master that somebody else knows."""
NOTE = "wormhole.dev/rotating-to"


def seed(cluster: Cluster, epoch: str, note: str = "") -> None:
    """Put an entry into the Secret as a node that was taken over does."""
    annotations = {NOTE: note} if note else {}
    secret = cluster.objects[SECRET]
    metadata = secret["metadata"] | {"annotations": annotations}
    data = cluster.entries | {epoch: KNOWN}
    cluster.put(SECRET, secret | {"metadata": metadata, "data": data})
    cluster.follow()


def test_an_entry_that_nobody_noted_is_never_adopted(cluster: Cluster, wormhole: Wormhole) -> None:
    seed(cluster, "2099-12-31")
    assert wormhole("psk", "rotate") == (
        0,
        (
            "Mesh/demo uses epoch 2026-11-01, with 3 nodes.\n"
            "Entries that no rotation noted, and that go in the end: 2099-12-31.\n"
            "Rotating to 2026-11-22.\n"
            "1/5  Secret wormhole-system/wormhole-psk: entry 2026-11-22 added\n"
            "2/5  all 3 nodes hold 2026-11-22\n"
            "3/5  Mesh/demo: presharedKeyEpoch 2026-11-01 -> 2026-11-22\n"
            "4/5  all 3 nodes use 2026-11-22\n"
            "5/5  entries removed: 2026-11-01, 2099-12-31\n"
            "Rotated: Mesh/demo uses epoch 2026-11-22.\n"
        ),
        "",
    )
    assert list(cluster.entries) == ["2026-11-22"]
    assert cluster.entries["2026-11-22"] != KNOWN


@pytest.mark.parametrize("note", ["2099-12-31", "2026-11-01"])
def test_a_fresh_rotation_goes_by_no_note(cluster: Cluster, wormhole: Wormhole, note: str) -> None:
    seed(cluster, "2099-12-31", note)
    cluster.asleep = {"node-b"}
    code, out, err = wormhole("psk", "rotate", "--fresh", "--timeout", "3")
    assert (code, "Rotating to 2026-11-22.\n" in out) == (75, True)
    assert err.endswith("to go on: wormhole psk rotate\n")
    cluster.asleep = set()
    code, out, _ = wormhole("psk", "rotate")
    assert (code, "Going on with the rotation to 2026-11-22" in out) == (0, True)
    assert (cluster.epoch, list(cluster.entries)) == ("2026-11-22", ["2026-11-22"])
    assert cluster.entries["2026-11-22"] != KNOWN
    assert cluster.objects[SECRET]["metadata"]["annotations"] == {}


@pytest.mark.parametrize("options", [[], ["--fresh"], ["--epoch", "2026-11-22"]])
def test_an_entry_that_appears_in_the_last_moment_is_not_adopted(
    cluster: Cluster, wormhole: Wormhole, options: list[str]
) -> None:
    def add(request: str) -> None:
        if request == f"GET {SECRET}" and cluster.requests.count(request) == 2:
            seed(cluster, "2026-11-22", "2026-11-22" if "--fresh" in options else "")

    cluster.before = add
    code, _, err = wormhole("psk", "rotate", *options)
    assert (code, err.splitlines()[-1]) == (
        2,
        (
            "error: entry '2026-11-22': was put into the Secret by somebody else meanwhile, and is"
            " not taken over: run it again"
        ),
    )
    assert (cluster.epoch, cluster.writes) == ("2026-11-01", [])


def test_a_rotation_that_began_meanwhile_is_not_crossed(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    def begin(request: str) -> None:
        if request == f"GET {SECRET}" and cluster.requests.count(request) == 2:
            seed(cluster, "green", "green")

    cluster.before = begin
    code, _, err = wormhole("psk", "rotate")
    assert (code, err.splitlines()[-1]) == (
        2,
        "error: a rotation to green began meanwhile: let it end first",
    )
    assert cluster.writes == []


def test_the_note_of_another_rotation_stays_and_its_entry(
    cluster: Cluster, wormhole: Wormhole
) -> None:
    def begin() -> None:
        if cluster.epoch == "2026-11-22" and "green" not in cluster.entries:
            seed(cluster, "green", "green")

    cluster.each_second = begin
    code, out, _ = wormhole("psk", "rotate")
    assert (code, out.splitlines()[-2]) == (
        0,
        "5/5  entries removed: 2026-11-01; green stays, as a rotation to it began meanwhile",
    )
    assert sorted(cluster.entries) == ["2026-11-22", "green"]
    assert cluster.objects[SECRET]["metadata"]["annotations"] == {NOTE: "green"}


def test_a_rotation_that_began_in_the_last_moment_keeps_its_entry() -> None:
    data = {"2026-11-01": OLD, "2026-11-22": OLD, "green": KNOWN}
    secret = {"metadata": {"annotations": {NOTE: "green", "a": "b"}}, "data": data}
    ended = ending("2026-11-22", ["2026-11-01", "green"])(secret)
    assert ended is not None
    assert (sorted(ended["data"]), ended["metadata"]) == (
        ["2026-11-22", "green"],
        secret["metadata"],
    )
    assert ending("2026-11-22", ["2026-11-01", "green"])(ended) is None


@pytest.mark.parametrize(("nodes", "seconds"), [(0, 300), (2450, 300), (3000, 420), (5000, 1060)])
def test_the_timeout_is_longer_than_nodes_take_to_report(nodes: int, seconds: int) -> None:
    assert find_timeout(nodes) == pytest.approx(seconds, abs=1)


def test_a_missing_secret_is_told_with_what_to_apply(cluster: Cluster, wormhole: Wormhole) -> None:
    secret = cluster.objects.pop(SECRET)
    code, _, err = wormhole("psk", "rotate")
    assert (code, "apply Wormhole's manifests again" in err) == (3, True)
    cluster.put(SECRET, secret)


def test_no_secret_is_ever_printed(cluster: Cluster, wormhole: Wormhole, tmp_path: Path) -> None:
    del tmp_path
    printed = "".join(
        text
        for arguments in (["rotate", "-v"], ["status", "-v"], ["rotate", "--dry-run"])
        for text in wormhole("psk", *arguments)[1:]
    )
    for value in (OLD, *cluster.entries.values()):
        master = decode_master(value)
        assert master is not None
        assert not [form for form in (value, master.hex()) if form in printed]
