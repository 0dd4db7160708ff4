"""keygen, plan, apply, status, destroy: the whole way on a host in memory."""

import json
from pathlib import Path

import pytest
from commandline import Wormhole

from applier.fake import FakeHost
from applier.host import LiveRoute
from applier.linux.lock import hold
from schemas.validate import load_schema, violations
from schemas.values import Prefix
from wormhole.thishost import require_root

pytestmark = pytest.mark.usefixtures("state")
ON_A = ("state", "--host", "node-a")


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_a_host_is_planned_applied_planned_again_and_destroyed(wormhole: Wormhole) -> None:
    code, planned, err = wormhole("plan", *ON_A)
    assert (code, err) == (1, "")
    assert planned.startswith("Plan for node-a, towards desired state sha256:")

    code, applied, err = wormhole("apply", *ON_A)
    assert (code, err) == (0, "")
    assert applied.startswith(planned)
    assert last_line(applied).endswith(
        "; node-a matches its desired state " + digest_in(planned) + "."
    )

    code, again, err = wormhole("plan", *ON_A)
    assert (code, err) == (0, "")
    assert again == f"No changes: node-a matches its desired state {digest_in(planned)}.\n"
    assert wormhole("apply", *ON_A) == (0, again, "")

    code, destroyed, err = wormhole("destroy", "--host", "node-a")
    assert (code, err) == (0, "")
    assert destroyed.startswith("Destroy on node-a: what carries Wormhole's mark goes\n")
    assert last_line(destroyed).endswith("; nothing of Wormhole's is left; its keys stay.")
    assert wormhole("destroy") == (0, "No changes: nothing of Wormhole's is on this host.\n", "")


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_state_that_an_editor_broke_is_refused_before_anything_happens(
    command: str, wormhole: Wormhole, host: FakeHost, tmp_path: Path
) -> None:
    path = tmp_path / "state/hosts/node-a.json"
    document = json.loads(path.read_text())
    guard = next(route for route in document["routes"] if route["type"] == "unreachable")
    document["routes"].remove(guard)
    path.write_text(json.dumps(document))
    mesh = tmp_path / "state/mesh.json"
    mesh.write_text(mesh.read_text().replace("10.244.2.0/24", "10.244.1.0/25"))
    expected = (
        "error: state/hosts/node-a.json: routes[0] '10.244.0.0/16':"
        " needs an unreachable route of a worse metric, or it may leave in clear\n"
        "error: state/mesh.json: peerGroups.mesh.node-a.allowedIPs '10.244.1.0/24':"
        " overlaps 10.244.1.0/25 of peer 'node-b'\n"
        "2 problems in 2 files\n"
    )
    assert (2, "", expected) == wormhole(command, *ON_A)
    assert host.network.routes == {}


def digest_in(text: str) -> str:
    return text.split("\n", maxsplit=1)[0].rsplit(" ", 1)[1]


def test_a_plan_in_json_follows_its_schema(wormhole: Wormhole) -> None:
    code, out, _ = wormhole("plan", *ON_A, "--json")
    assert code == 1
    assert violations(json.loads(out), "plan") == ()


def test_a_status_in_json_follows_its_schema(wormhole: Wormhole) -> None:
    wormhole("apply", *ON_A)
    code, out, _ = wormhole("status", "--json")
    assert code == 0
    assert violations(json.loads(out), "status") == ()


def test_the_status_schema_describes_every_field() -> None:
    schema = load_schema("status")
    properties = [schema["properties"]]
    properties += [definition["properties"] for definition in schema["$defs"].values()]
    for fields in properties:
        assert all("description" in field for field in fields.values())


def test_the_status_says_that_all_is_well_then_what_drifted(
    wormhole: Wormhole, host: FakeHost
) -> None:
    wormhole("apply", *ON_A)
    code, out, err = wormhole("status")
    assert (code, err) == (0, "")
    assert last_line(out) == "Status: node-a, 1 peer, 0 with a live session; no drift."
    host.set_link("wormhole-br0", mtu=1300)
    code, out, err = wormhole("status")
    assert (code, err) == (0, "")
    assert last_line(out) == "Status: node-a, 1 peer, 0 with a live session; drift: 1 change."
    assert "drift: change link wormhole-br0\n" in out


def test_something_foreign_in_the_way_is_a_conflict(wormhole: Wormhole, host: FakeHost) -> None:
    route = LiveRoute(
        destination=Prefix("10.244.9.0/24"), metric=0, type="unicast", protocol=4, device="eth0"
    )
    host.network.routes[route.destination, 0] = route
    code, out, err = wormhole("plan", *ON_A)
    assert (code, err) == (4, "")
    assert last_line(out).endswith("; 1 conflict.")
    code, out, err = wormhole("apply", *ON_A)
    assert (code, err) == (4, "")
    assert last_line(out).endswith("; 1 conflict left, with what is not Wormhole's.")


def test_another_applier_makes_apply_and_destroy_wait_for_another_day(
    wormhole: Wormhole, host: FakeHost
) -> None:
    with hold(host.paths.run / "lock"):
        for command in (("apply", *ON_A), ("destroy",)):
            code, out, err = wormhole(*command)
            assert (code, out) == (75, "")
            assert err.startswith("wormhole: another applier is at work on this host: lock ")
        assert wormhole("plan", *ON_A)[0] == 1


def test_destroy_waits_until_the_agent_has_been_stopped(wormhole: Wormhole, host: FakeHost) -> None:
    assert wormhole("apply", *ON_A)[0] == 0
    host.faults.writes.clear()
    with hold(host.paths.run / "agent.lock"):
        code, out, err = wormhole("destroy", "--purge")
        assert (code, out) == (75, "")
        assert err.startswith("wormhole: an agent keeps this host: lock ")
        assert "nothing was changed: stop it first, with 'kubectl " in err
        assert host.faults.writes == []
        assert wormhole("destroy", "--dry-run")[0] == 1
        assert wormhole("plan", *ON_A)[0] == 0
        assert wormhole("apply", *ON_A)[0] == 0
    assert wormhole("destroy")[0] == 0


def test_destroy_on_another_machine_than_the_one_meant_is_refused(
    wormhole: Wormhole,
) -> None:
    wormhole("apply", *ON_A)
    expected = "error: --host 'node-z': this machine was applied as 'node-a': nothing was removed\n"
    assert wormhole("destroy", "--host", "node-z") == (2, "", expected)
    assert wormhole("plan", *ON_A)[0] == 0


def test_a_host_of_no_known_name_keeps_its_keys_from_a_guarded_purge(
    wormhole: Wormhole, host: FakeHost
) -> None:
    files = dict(host.files)
    rule = "this machine does not know its node's name: nothing was removed"
    expected = f"error: --host 'node-a': {rule}\n"
    assert wormhole("destroy", "--purge", "--host", "node-a") == (2, "", expected)
    assert host.files == files


def test_purge_removes_the_keys_of_a_host_that_has_nothing_else(
    wormhole: Wormhole, host: FakeHost
) -> None:
    expected = (
        "No changes: nothing of Wormhole's is on this host.\n"
        "Destroyed: 0 changes made; nothing of Wormhole's is left; its keys are removed.\n"
    )
    assert wormhole("destroy", "--purge") == (0, expected, "")
    assert host.files == {}


def test_a_dry_destroy_lists_and_removes_nothing(wormhole: Wormhole) -> None:
    wormhole("apply", *ON_A)
    code, out, err = wormhole("destroy", "--dry-run")
    assert (code, err) == (1, "")
    assert last_line(out).startswith("Plan: 0 to create, 0 to change, ")
    assert wormhole("plan", *ON_A)[0] == 0


def test_the_document_of_another_host_is_refused(wormhole: Wormhole) -> None:
    code, out, err = wormhole("apply", "state", "--host", "node-b")
    assert (code, out) == (2, "")
    assert "is not this host's public key" in err


def test_only_root_may_look(wormhole: Wormhole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wormhole.thishost.require_root", require_root)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    expected = (
        "wormhole: look at this host:"
        " only root may read WireGuard devices, the firewall and the host's key: use sudo\n"
        "nothing was changed: what cannot be read is not empty\n"
    )
    for command in (("plan", *ON_A), ("apply", *ON_A), ("status",), ("destroy",)):
        assert wormhole(*command) == (3, "", expected)


def test_keygen_makes_one_key_and_prints_it_as_often_as_asked(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    code, key, err = wormhole("keygen")
    assert (code, len(key), err) == (0, 45, "")
    assert wormhole("keygen") == (0, key, "")
    assert (tmp_path / "data/private.key").stat().st_mode & 0o777 == 0o600


def test_keygen_rotates_the_key_only_when_told_to(wormhole: Wormhole) -> None:
    _, first, _ = wormhole("keygen")
    code, second, err = wormhole("keygen", "--rotate")
    assert (code, len(second), err) == (0, 45, "")
    assert second != first
    assert wormhole("keygen") == (0, second, "")

    code, node, err = wormhole("keygen", "--rotate", "--node", "node-9")
    _, third, _ = wormhole("keygen")
    assert (code, err) == (0, "")
    assert node.splitlines()[-1] == f'  publicKey: "{third.strip()}"'
    assert third != second


def test_keygen_keeps_the_key_when_the_node_beside_it_is_wrong(wormhole: Wormhole) -> None:
    _, key, _ = wormhole("keygen")
    assert wormhole("keygen", "--rotate", "--node", "Node_9")[0] == 2
    assert wormhole("keygen") == (0, key, "")


def test_keygen_prints_a_node_for_the_inventory(wormhole: Wormhole) -> None:
    _, key, _ = wormhole("keygen")
    arguments = ("--node", "node-9", "--endpoint", "192.0.2.9", "--pod-cidr", "10.244.9.0/24")
    expected = (
        "apiVersion: wormhole.dev/v1alpha1\n"
        "kind: MeshNode\n"
        'metadata: {"name": "node-9"}\n'
        "spec:\n"
        f'  publicKey: "{key.strip()}"\n'
        '  endpoint: "192.0.2.9"\n'
        '  podCIDRs: ["10.244.9.0/24"]\n'
    )
    assert wormhole("keygen", *arguments) == (0, expected, "")


WRONG = {
    "a node's fields without a node": (
        ("--endpoint", "192.0.2.9"),
        "error: --endpoint and --pod-cidr describe a node: name it with --node\n",
    ),
    "a name that is no node's": (
        ("--node", "Node_9"),
        (
            "error: --node 'Node_9': must be a Kubernetes name: at most 253 lower-case letters,"
            " digits, '-' and '.', where each part between dots begins and ends with a letter or"
            " digit\n"
        ),
    ),
    "an endpoint that is a name": (
        ("--node", "node-9", "--endpoint", "example.org"),
        (
            "error: --endpoint 'example.org': must be an IP address, not a name: a name may mean"
            " another address on each host, and another tomorrow\n"
        ),
    ),
    "a prefix with host bits": (
        ("--node", "node-9", "--pod-cidr", "10.244.9.1/24"),
        "error: --pod-cidr '10.244.9.1/24': has host bits set: the prefix is 10.244.9.0/24\n",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_keygen_makes_no_key_for_what_validate_would_refuse(
    case: str, wormhole: Wormhole, tmp_path: Path
) -> None:
    arguments, expected = WRONG[case]
    assert wormhole("keygen", *arguments) == (2, "", expected)
    assert not (tmp_path / "data").exists()


def test_who_debugs_sees_every_change_to_the_host_and_no_secret(
    wormhole: Wormhole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORMHOLE_DEBUG", "1")
    key = tmp_path / "other/private.key"
    code, _, err = wormhole("keygen", "--data-dir", str(key.parent))
    assert code == 0
    assert [f"wormhole.host: create file {key}: done"] == [
        line.split(" ", 2)[2] for line in err.splitlines()
    ]
    assert key.read_text().strip() not in err


def test_who_does_not_debug_sees_no_log(wormhole: Wormhole, tmp_path: Path) -> None:
    code, _, err = wormhole("keygen", "--data-dir", str(tmp_path / "other"))
    assert (code, err) == (0, "")


def test_a_key_that_cannot_be_written_is_not_called_unreadable(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = wormhole("keygen", "--data-dir", str(tmp_path / "file/data"))
    assert (code, out) == (3, "")
    assert last_line(err) == "it ended there: once the cause is gone, run it again"
