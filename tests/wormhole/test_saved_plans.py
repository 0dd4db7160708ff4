"""plan --out, show, apply FILE: the file, what is said, and the exit codes."""

import json
import os
import stat
from pathlib import Path

import pytest
from commandline import Wormhole

from applier.fake import FakeHost
from applier.host import LiveRoute
from applier.linux.lock import hold
from schemas.validate import violations
from schemas.values import InterfaceAddress, Prefix
from wormhole import __version__
from wormhole.thishost import require_root

pytestmark = pytest.mark.usefixtures("state")
ON_A = ("state", "--host", "node-a")
OUT = ("--out", "p.json")
KEYS_SAVED = "saved to p.json: wormhole apply p.json\n"


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_a_saved_plan_is_applied_and_a_second_time_there_is_nothing_to_do(
    wormhole: Wormhole, host: FakeHost
) -> None:
    code, planned, err = wormhole("plan", *ON_A, *OUT)
    assert (code, err) == (1, KEYS_SAVED)
    assert wormhole("plan", *ON_A)[:2] == (1, planned)
    code, out, err = wormhole("apply", "p.json")
    assert (code, err, out.startswith(planned)) == (0, "", True)
    assert wormhole("plan", *ON_A)[0] == 0
    host.faults.writes.clear()
    code, out, err = wormhole("apply", "p.json")
    assert (code, err) == (0, "")
    assert out.startswith("No changes: node-a matches its desired state sha256:")
    assert host.faults.writes == []


def test_planning_and_saving_writes_nothing_to_the_host(wormhole: Wormhole, host: FakeHost) -> None:
    wormhole("plan", *ON_A, *OUT)
    assert host.faults.writes == []


def test_a_plan_of_nothing_is_saved_too_so_that_a_pipeline_goes_on(wormhole: Wormhole) -> None:
    wormhole("apply", *ON_A)
    code, out, err = wormhole("plan", *ON_A, *OUT)
    assert (code, err) == (0, KEYS_SAVED)
    assert wormhole("apply", "p.json") == (0, out, "")


def test_the_file_is_its_owners_alone_and_follows_its_schema(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        wormhole("plan", *ON_A, *OUT)
    finally:
        os.umask(old)
    path = tmp_path / "p.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert violations(json.loads(path.read_text()), "saved-plan") == ()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_a_plan_of_before_is_replaced(wormhole: Wormhole, tmp_path: Path) -> None:
    wormhole("plan", *ON_A, *OUT)
    first = (tmp_path / "p.json").read_bytes()
    wormhole("apply", *ON_A)
    assert wormhole("plan", *ON_A, *OUT)[0] == 0
    assert (tmp_path / "p.json").read_bytes() != first
    assert stat.S_IMODE((tmp_path / "p.json").stat().st_mode) == 0o600


def test_anything_else_is_left_as_it_is(wormhole: Wormhole, host: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a plan")
    (tmp_path / "other.json").write_text('{"kind": "Plan"}')
    (tmp_path / "secret").symlink_to("notes.txt")
    os.mkfifo(tmp_path / "pipe")
    host.faults.calls.clear()
    taken = "is there already, and is no saved plan: name another file"
    expected = {
        "notes.txt": taken,
        "other.json": taken,
        "state/mesh.json": taken,
        "pipe": taken,
        "state": taken,
        "secret": "is a symbolic link: name the file itself",
        "nowhere/p.json": "its folder is not there",
        "notes.txt/p.json": "its folder is not there",
    }
    for name, rule in expected.items():
        assert wormhole("plan", *ON_A, "--out", name) == (2, "", f"error: {name}: {rule}\n")
    assert (tmp_path / "notes.txt").read_text() == "not a plan"
    assert host.faults.calls["links"] == 0


def test_a_place_that_cannot_be_written_is_said(
    wormhole: Wormhole, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.link", refuse)
    code, _, err = wormhole("plan", *ON_A, *OUT)
    assert (code, err) == (2, "error: p.json: cannot save the plan: Permission denied\n")


def test_what_is_no_saved_plan_is_refused_by_show_and_apply(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    wormhole("plan", *ON_A, *OUT)
    content = (tmp_path / "p.json").read_bytes()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    (tmp_path / "binary").write_bytes(b'{"a": "\xff\xfe"}')
    (tmp_path / "list.json").write_text("[]")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    lines = content[: len(content) // 2].count(b"\n") + 1
    expected = {
        "empty": "error: empty: empty: expected a JSON document\n",
        "cut": f"error: cut:{lines}: not JSON: ",
        "binary": "error: binary:1: not JSON: not UTF-8\n",
        "list.json": "error: list.json: must be a SavedPlan document, not a bare value\n",
        "state/mesh.json": (
            "error: state/mesh.json: kind 'MeshState': must be 'SavedPlan' for this document\n"
        ),
        "pipe": "error: pipe: cannot read the file: it is no plain file\n",
        "huge": "error: huge: too large for a saved plan: 1099511627776 bytes\n",
    }
    for name, rule in expected.items():
        for command in ("show", "apply"):
            code, out, err = wormhole(command, name)
            assert (code, out, err[: len(rule)]) == (2, "", rule)


def test_a_newer_version_is_told(wormhole: Wormhole, tmp_path: Path) -> None:
    wormhole("plan", *ON_A, *OUT)
    document = json.loads((tmp_path / "p.json").read_text())
    (tmp_path / "newer.json").write_text(json.dumps(document | {"version": "9.9.9"}))
    assert wormhole("show", "newer.json")[0] == 0
    (tmp_path / "alien.json").write_text(json.dumps(document | {"version": "9.9.9", "more": 1}))
    rule = f"made by another wormhole, which writes them otherwise; this one is {__version__}"
    expected = f"error: alien.json: version '9.9.9': {rule}\n"
    assert wormhole("show", "alien.json") == (2, "", expected)


def test_a_saved_plan_is_read_anywhere_as_text_and_as_json(
    wormhole: Wormhole, host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, planned, _ = wormhole("plan", *ON_A, *OUT)
    monkeypatch.setattr("wormhole.thishost.require_root", require_root)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    host.faults.calls.clear()
    code, shown, err = wormhole("show", "p.json")
    document = json.loads((tmp_path / "p.json").read_text())
    head = (
        "Saved plan for node-a\n"
        "  machine  (without an id), boot 00000000-0000-4000-8000-000000000001\n"
        f"  key      {document['host']['publicKey']}\n"
        f"  made by  wormhole {__version__}\n"
        "  after    nothing that is remembered\n"
        "\n"
    )
    assert (code, err) == (0, "")
    assert shown == head + planned
    assert host.faults.calls == {}

    code, out, err = wormhole("show", "p.json", "--json")
    assert (code, err, out) == (0, "", (tmp_path / "p.json").read_text())


def test_names_of_others_are_no_commands_to_the_terminal(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    wormhole("plan", *ON_A, *OUT)
    document = json.loads((tmp_path / "p.json").read_text())
    document["version"] = "\x1b[2J"
    document["host"]["boot"] = "\x1b]0;x\x07"
    for change in document["plan"]["changes"]:
        change["note"] = "\x1b[31mred"
        change["key"] += "\x1b[1m"
    (tmp_path / "p.json").write_text(json.dumps(document))
    for command in ("show", "apply"):
        _, out, err = wormhole(command, "p.json")
        assert "\x1b" not in out + err


def test_drift_makes_it_stale_and_nothing_is_written(wormhole: Wormhole, host: FakeHost) -> None:
    wormhole("apply", *ON_A)
    host.set_link("wormhole-br0", mtu=1400)
    wormhole("plan", *ON_A, *OUT)
    host.set_link("wormhole-br0", mtu=1300)
    host.network.add_address("wormhole-br0", InterfaceAddress("10.9.9.9/32"))
    host.faults.writes.clear()
    code, out, err = wormhole("apply", "p.json")
    first, rest = out.split("\n", maxsplit=1)
    assert (code, err) == (5, "")
    assert first.endswith(": not carried out, plan again")
    assert rest == (
        "\n"
        "links\n"
        "  ~ changed   wormhole-br0  mtu 1400 -> 1300\n"
        "\n"
        "addresses\n"
        "  + appeared  wormhole-br0 10.9.9.9/32\n"
        "\n"
        "Refused: the saved plan for node-a is stale: 2 things differ; nothing was changed.\n"
    )
    assert host.faults.writes == []


def test_a_peer_that_was_lost_is_told_by_what_would_be_done(
    wormhole: Wormhole, host: FakeHost
) -> None:
    wormhole("apply", *ON_A)
    host.set_link("wormhole-br0", mtu=1400)
    wormhole("plan", *ON_A, *OUT)
    master = host.devices.devices["wormhole-wg0"]
    from msgspec.structs import replace  # noqa: PLC0415 - of this test alone

    moved = replace(master.peers[0], endpoint="198.51.100.7:1")
    host.devices.devices["wormhole-wg0"] = replace(master, peers=(moved,))
    code, out, _ = wormhole("apply", "p.json")
    assert code == 5
    assert out.split("\n", maxsplit=1)[1] == (
        "\n"
        "changes\n"
        "  planned: nothing; now: change peer node-b\n"
        "\n"
        "Refused: the saved plan for node-a is stale: its changes would be others now;"
        " nothing was changed.\n"
    )


def test_an_empty_plan_that_is_stale_says_so_too(wormhole: Wormhole, host: FakeHost) -> None:
    wormhole("apply", *ON_A)
    wormhole("plan", *ON_A, *OUT)
    host.set_link("wormhole-br0", mtu=1300)
    code, out, err = wormhole("apply", "p.json")
    assert (code, err) == (5, "")
    assert last_line(out) == (
        "Refused: the saved plan for node-a is stale: 1 thing differs; nothing was changed."
    )


def test_an_edited_file_is_refused(wormhole: Wormhole, tmp_path: Path) -> None:
    wormhole("plan", *ON_A, *OUT)
    path = tmp_path / "p.json"
    path.write_text(path.read_text().replace('"allowMassDelete": false', '"allowMassDelete": true'))
    code, out, err = wormhole("apply", "p.json")
    assert (code, err) == (5, "")
    assert out.splitlines()[1:] == [
        "  the file does not say any more what this host wrote into it",
        "",
        "Refused: the saved plan for node-a was changed after it was written; nothing was changed.",
    ]


def test_a_key_that_was_rotated_makes_it_stale(wormhole: Wormhole, host: FakeHost) -> None:
    wormhole("plan", *ON_A, *OUT)
    other = (b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n", 0o600)
    host.files[host.paths.private_key] = other
    code, out, err = wormhole("apply", "p.json")
    assert (code, err) == (5, "")
    assert last_line(out) == (
        "Refused: the saved plan for node-a was made with another key than this host has;"
        " nothing was changed."
    )


def test_conflicts_are_saved_and_left_alone(wormhole: Wormhole, host: FakeHost) -> None:
    route = LiveRoute(
        destination=Prefix("10.244.9.0/24"), metric=0, type="unicast", protocol=4, device="eth0"
    )
    host.network.routes[route.destination, 0] = route
    assert wormhole("plan", *ON_A, *OUT)[0] == 4
    for _ in range(2):
        code, out, err = wormhole("apply", "p.json")
        assert (code, err) == (4, "")
        assert last_line(out).endswith("; 1 conflict left, with what is not Wormhole's.")


@pytest.fixture
def crowded(wormhole: Wormhole, host: FakeHost, state: Path) -> FakeHost:
    """Return a host without memory that has twenty addresses too many."""
    assert wormhole("apply", state.name, "--host", "node-a")[0] == 0
    del host.files[host.paths.applied]
    for number in range(20):
        host.network.add_address("wormhole-br0", InterfaceAddress(f"10.9.9.{number}/32"))
    return host


@pytest.mark.usefixtures("crowded")
def test_a_plan_that_removes_too_much_is_saved_only_with_permission(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    code, out, err = wormhole("plan", *ON_A, *OUT)
    rule = "the plan removes 20 of 41 objects, which is more than a fifth"
    assert (code, err) == (
        5,
        f"wormhole: {rule}: nothing was saved; --allow-mass-delete allows it\n",
    )
    assert last_line(out).startswith("Plan: 0 to create, 0 to change, 20 to delete")
    assert not (tmp_path / "p.json").exists()

    assert wormhole("plan", *ON_A, *OUT, "--allow-mass-delete")[0] == 1
    shown = wormhole("show", "p.json")[1]
    assert "\n  may      remove more than a fifth of what is Wormhole's\n" in shown
    assert wormhole("apply", "p.json")[0] == 0


def test_permissions_and_hosts_that_do_not_go_together_are_refused(wormhole: Wormhole) -> None:
    wormhole("plan", *ON_A, *OUT)
    expected = {
        ("plan", *ON_A, "--allow-mass-delete"): "--allow-mass-delete: goes with --out",
        ("apply", "p.json", "--allow-mass-delete"): (
            "--allow-mass-delete: goes with planning: what a saved plan may remove was said when"
            " it was made"
        ),
        ("apply", "p.json", "--host", "node-b"): (
            "--host 'node-b': the saved plan is for 'node-a'"
        ),
        ("plan", "p.json"): "p.json: is no state folder: a saved plan is read with 'wormhole show'",
    }
    for command, rule in expected.items():
        assert wormhole(*command) == (2, "", f"error: {rule}\n")
    assert wormhole("apply", "p.json", "--host", "node-a")[0] == 0


@pytest.mark.parametrize("command", ["plan", "apply", "show"])
def test_an_inventory_in_place_of_a_state_is_told_apart_from_it(
    wormhole: Wormhole, command: str
) -> None:
    Path("mesh.yaml").write_text("kind: Mesh\n")
    rule = "is an inventory by its name: 'wormhole compile' makes a state folder of it"
    assert wormhole(command, "mesh.yaml") == (2, "", f"error: mesh.yaml: {rule}\n")


def test_a_plan_is_made_beside_an_apply_and_applied_alone(
    wormhole: Wormhole, host: FakeHost
) -> None:
    with hold(host.paths.run / "lock"):
        assert wormhole("plan", *ON_A, *OUT)[0] == 1
        assert wormhole("apply", "p.json")[0] == 75


def test_the_plan_in_json_is_the_plan_and_the_file_is_the_saved_one(wormhole: Wormhole) -> None:
    code, out, err = wormhole("plan", *ON_A, *OUT, "--json")
    assert (code, err) == (1, KEYS_SAVED)
    assert violations(json.loads(out), "plan") == ()


def test_a_stale_plan_is_never_on_trial(wormhole: Wormhole, host: FakeHost) -> None:
    wormhole("apply", *ON_A)
    wormhole("plan", *ON_A, *OUT)
    host.set_link("wormhole-br0", mtu=1300)
    host.faults.writes.clear()
    code, out, err = wormhole("apply", "p.json", "--confirm", "60")
    assert (code, err, "stale" in last_line(out)) == (5, "", True)
    assert host.faults.writes == []
