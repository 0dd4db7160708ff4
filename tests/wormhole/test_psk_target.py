"""Where a rotation leads: pure functions over one look at the cluster."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.problems import Problems
from wormhole.psk.epochs import (
    EPOCH,
    RULE,
    decode_master,
    encode_master,
    is_epoch,
    name_epoch,
)
from wormhole.psk.survey import Report, Survey
from wormhole.psk.target import Target, Way, Wishes, choose_target
from wormhole.psk.words import describe_dry_run, describe_start, describe_status

TODAY = date(2026, 11, 22)
NONE: Mapping[str, object] = {}


def survey(**fields: object) -> Survey:
    defaults = {
        "mesh": "demo",
        "version": "7",
        "epoch": "2026-11-01",
        "gitops": "",
        "entries": ("2026-11-01",),
        "damaged": (),
        "rotating_to": "",
        "reports": (report("node-a"), report("node-b")),
    }
    return Survey(**(defaults | fields))  # type: ignore[arg-type] # by name, from a test


def report(node: str, **fields: object) -> Report:
    defaults = {"in_use": "2026-11-01", "held": ("2026-11-01",)}
    return Report(node=node, **(defaults | fields))  # type: ignore[arg-type] # as above


def test_an_epochs_name_is_the_schemas() -> None:
    schema = json.loads((Path(__file__).parents[2] / "schemas/mesh.schema.json").read_text())
    epoch = schema["properties"]["spec"]["properties"]["presharedKeyEpoch"]
    assert (epoch["pattern"], epoch["x-rule"]) == (f"^{EPOCH.pattern}$", RULE)


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ((), "2026-11-22"),
        (("2026-11-22",), "2026-11-22.2"),
        (("2026-11-22", "2026-11-22.2", "2026-11-22.4"), "2026-11-22.3"),
    ],
)
def test_a_new_epoch_is_named_by_the_day(taken: tuple[str, ...], name: str) -> None:
    assert name_epoch(TODAY, taken) == name
    assert is_epoch(name)


@given(st.binary(min_size=32, max_size=32).filter(any))
@pytest.mark.law
def test_a_master_is_read_as_it_was_written(master: bytes) -> None:
    assert decode_master(encode_master(master)) == master


@pytest.mark.parametrize("text", [b64encode(bytes(range(32))), b64encode(bytes(range(32))) + b"\n"])
def test_a_master_may_end_in_a_line_break(text: bytes) -> None:
    assert decode_master(b64encode(text).decode()) == bytes(range(32))


@pytest.mark.parametrize(
    ("looked", "wishes", "target"),
    [
        (NONE, NONE, ("2026-11-22", Way.NEW)),
        (NONE, {"epoch": "blue"}, ("blue", Way.NEW)),
        ({"epoch": "", "entries": (), "reports": ()}, NONE, ("2026-11-22", Way.NEW)),
        ({"epoch": "", "entries": ("x",), "rotating_to": "x"}, NONE, ("x", Way.RESUMED)),
        # Whoever put an entry there that nobody noted may know its master.
        ({"entries": ("2026-11-01", "2099-12-31")}, NONE, ("2026-11-22", Way.NEW)),
        ({"entries": ("2026-11-01", "2026-11-22")}, NONE, ("2026-11-22.2", Way.NEW)),
        (
            {"entries": ("2026-11-01", "blue"), "rotating_to": "blue"},
            {"epoch": "blue"},
            ("blue", Way.RESUMED),
        ),
        (
            {"entries": ("2026-11-01", "blue"), "rotating_to": "blue"},
            {"fresh": True},
            ("2026-11-22", Way.NEW),
        ),
        ({"rotating_to": "2026-11-01"}, {"fresh": True}, ("2026-11-22", Way.NEW)),
        (
            {"entries": ("2026-11-01", "blue"), "rotating_to": "blue"},
            {"fresh": True, "epoch": "green"},
            ("green", Way.NEW),
        ),
        ({"entries": ("2026-10-01", "2026-11-01")}, NONE, ("2026-11-22", Way.NEW)),
        (
            {"entries": ("2026-11-01", "blue"), "rotating_to": "blue"},
            NONE,
            ("blue", Way.RESUMED),
        ),
        (
            {"entries": ("2026-10-01", "2026-11-01"), "rotating_to": "2026-11-01"},
            NONE,
            ("2026-11-01", Way.SWITCHED),
        ),
        ({"damaged": ("2026-11-22",)}, NONE, ("2026-11-22.2", Way.NEW)),
        (
            {"reports": (report("node-a", held=("2026-11-22", "2026-11-22.2")),)},
            NONE,
            ("2026-11-22.3", Way.NEW),
        ),
        ({"gitops": "Flux"}, {"switch": False}, ("2026-11-22", Way.NEW)),
        ({"gitops": "Flux"}, {"switch": True}, ("2026-11-22", Way.NEW)),
        ({"gitops": "Flux", "rotating_to": "2026-11-01"}, NONE, ("2026-11-01", Way.SWITCHED)),
    ],
)
def test_a_rotation_goes_on_before_another_begins(
    looked: Mapping[str, object], wishes: Mapping[str, object], target: tuple[str, Way]
) -> None:
    found = survey(**looked)
    chosen = choose_target(found, Wishes(**wishes), TODAY)  # type: ignore[arg-type] # as above
    assert chosen == Target(epoch=target[0], way=target[1], origin=found.epoch)


@pytest.mark.parametrize(
    ("looked", "wishes", "problem"),
    [
        (NONE, {"epoch": "../x"}, f"--epoch '../x': {RULE}"),
        (
            {"entries": ("2026-11-01", "2026-11-09"), "rotating_to": "2026-11-09"},
            {"epoch": "blue"},
            (
                "--epoch 'blue': a rotation to 2026-11-09 is under way: let it end first, without"
                " --epoch, or give it up with --fresh"
            ),
        ),
        (
            {"entries": ("2026-11-01", "blue")},
            {"epoch": "blue"},
            (
                "--epoch 'blue': has an entry in the Secret already, which this rotation did not"
                " make: choose another"
            ),
        ),
        (
            {"entries": ("2026-11-01", "blue"), "rotating_to": "blue"},
            {"epoch": "blue", "fresh": True},
            (
                "--epoch 'blue': has an entry in the Secret already, which this rotation did not"
                " make: choose another"
            ),
        ),
        (
            NONE,
            {"epoch": "2026-11-01"},
            "--epoch '2026-11-01': is what the Mesh uses already: choose another",
        ),
        (
            {"damaged": ("blue",)},
            {"epoch": "blue"},
            (
                "--epoch 'blue': its entry in the Secret is no master secret (32 bytes in base64):"
                " choose another"
            ),
        ),
        (
            {"reports": (report("node-a"), report("node-b", held=("blue",)))},
            {"epoch": "blue"},
            "--epoch 'blue': was used before: node-b still holds a master of that name",
        ),
        (
            NONE,
            {"without": ("node-c", "node-b")},
            "--without 'node-c': there is no MeshNode of this name (did you mean \"node-b\"?)",
        ),
        (
            {"gitops": "Flux"},
            NONE,
            (
                "Mesh/demo: Flux keeps it as git has it, and would take the change back: rotate"
                " with --no-switch and change git when told to; or with --switch if git leaves"
                " presharedKeyEpoch alone"
            ),
        ),
    ],
)
def test_what_would_not_be_safe_is_refused(
    looked: Mapping[str, object], wishes: Mapping[str, object], problem: str
) -> None:
    with pytest.raises(Problems) as caught:
        choose_target(survey(**looked), Wishes(**wishes), TODAY)  # type: ignore[arg-type] # as above
    assert str(caught.value) == problem


def test_the_start_is_said() -> None:
    new = Target(epoch="2026-11-22", way=Way.NEW, origin="2026-11-01")
    assert describe_start(survey(), new) == (
        "Mesh/demo uses epoch 2026-11-01, with 2 nodes.\nRotating to 2026-11-22."
    )
    first = survey(epoch="", reports=(report("node-a"),))
    assert describe_start(first, Target(epoch="x", way=Way.RESUMED, origin="")) == (
        "Mesh/demo uses no pre-shared keys yet, with 1 node.\n"
        "Going on with the rotation to x, which the Secret notes: its entry is there already."
    )


def test_what_nobody_noted_is_named_and_what_is_given_up() -> None:
    new = Target(epoch="2026-11-22", way=Way.NEW, origin="2026-11-01")
    looked = survey(
        entries=("2026-10-01", "2026-11-01", "2099-12-31", "blue"),
        rotating_to="blue",
        reports=(report("node-a"), report("node-b", in_use="2026-10-01")),
    )
    assert describe_start(looked, new) == (
        "Mesh/demo uses epoch 2026-11-01, with 2 nodes.\n"
        "Entries that no rotation noted, and that go in the end: 2099-12-31.\n"
        "The rotation to blue, which the Secret notes, is given up: its entry goes as well.\n"
        "Rotating to 2026-11-22."
    )
    on = Target(epoch="blue", way=Way.RESUMED, origin="2026-11-01")
    assert describe_start(looked, on) == (
        "Mesh/demo uses epoch 2026-11-01, with 2 nodes.\n"
        "Entries that no rotation noted, and that go in the end: 2099-12-31.\n"
        "Going on with the rotation to blue, which the Secret notes: its entry is there already."
    )


def test_once_the_mesh_has_switched_what_is_left_needs_no_note() -> None:
    left = Target(epoch="2026-11-01", way=Way.SWITCHED, origin="2026-11-01")
    looked = survey(entries=("2026-10-01", "2026-11-01"), rotating_to="2026-11-01")
    assert describe_start(looked, left) == (
        "Mesh/demo uses epoch 2026-11-01, with 2 nodes.\n"
        "Ending the rotation to 2026-11-01: the Mesh uses it already."
    )


def test_a_dry_run_lists_the_steps_that_are_left() -> None:
    new = Target(epoch="2026-11-22", way=Way.NEW, origin="2026-11-01")
    assert describe_dry_run(survey(), new, "wormhole-system") == (
        "It would:\n"
        "  1. add an entry for 2026-11-22 to Secret wormhole-system/wormhole-psk\n"
        "  2. wait until 2 nodes hold it\n"
        "  3. change presharedKeyEpoch of Mesh/demo from 2026-11-01 to 2026-11-22\n"
        "  4. wait until 2 nodes use it\n"
        "  5. remove from the Secret: 2026-11-01\n"
        "Nothing was changed (--dry-run)."
    )
    left = Target(epoch="2026-11-01", way=Way.SWITCHED, origin="2026-11-01")
    assert describe_dry_run(survey(), left, "wormhole-system") == (
        "It would:\n"
        "  1. wait until 2 nodes use it\n"
        "  2. remove from the Secret: nothing\n"
        "Nothing was changed (--dry-run)."
    )


def test_the_status_says_who_uses_and_holds_what() -> None:
    found = survey(
        entries=("2026-11-01", "2026-11-22"),
        damaged=("blue",),
        rotating_to="2026-11-22",
        reports=(
            report("node-a", held=("2026-11-01", "2026-11-22")),
            report("node-b", trouble="not Ready: HostError"),
            report("node-c", in_use="old", held=("old",)),
        ),
    )
    assert describe_status(found, "wormhole-system", verbose=False) == (
        "Mesh/demo uses epoch 2026-11-01, with 3 nodes.\n"
        "  2026-11-01: used by 2 of 3, held by 2 of 3 (not by node-c)\n"
        "  2026-11-22: used by 0 of 3, held by 1 of 3 (not by node-b, node-c)\n"
        "  old: used by 1 of 3, held by 1 of 3; not in the Secret\n"
        "  blue: is no master secret (32 bytes in base64), and no node takes it\n"
        "In trouble: node-b (not Ready: HostError).\n"
        "A rotation to 2026-11-22 is under way: `wormhole psk rotate` goes on with it."
    )


def test_the_status_names_entries_that_nobody_noted() -> None:
    found = survey(entries=("2026-11-01", "2099-12-31"))
    assert describe_status(found, "wormhole-system", verbose=False) == (
        "Mesh/demo uses epoch 2026-11-01, with 2 nodes.\n"
        "  2026-11-01: used by 2 of 2, held by 2 of 2\n"
        "  2099-12-31: used by 0 of 2, held by 0 of 2 (not by node-a, node-b)\n"
        "Entries that no rotation noted, and that go with the next one: 2099-12-31.\n"
        "No rotation is under way."
    )


def test_a_status_without_pre_shared_keys_is_short() -> None:
    found = survey(epoch="", entries=(), reports=(report("node-a", in_use="", held=()),))
    assert describe_status(found, "wormhole-system", verbose=False) == (
        "Mesh/demo uses no pre-shared keys, with 1 node.\nNo rotation is under way."
    )


def test_many_names_are_counted_unless_all_are_asked_for() -> None:
    reports = tuple(report(f"node-{number}", held=()) for number in range(7))
    short = describe_status(survey(reports=reports), "x", verbose=False)
    assert "(not by node-0, node-1, node-2, node-3, node-4 and 2 more)" in short
    assert "node-5, node-6)" in describe_status(survey(reports=reports), "x", verbose=True)
