"""Turns to the status of a MeshNode."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from agentturns import (
    BEGIN,
    DIGEST,
    make_blind_turn,
    make_change,
    make_conflict,
    make_failure,
    make_outcome,
    make_peer,
    make_status,
    make_turn,
    take_real_turn,
)
from hypothesis import given
from hypothesis import strategies as st
from scenes import EPOCH, Scene, build_inventory, converged, resolve_host

from applier.outcome import Outcome
from applier.plan import Action
from schemas.document import digest
from schemas.problems import Problem
from schemas.validate import violations
from wormhole.agent.desired import Desired
from wormhole.agent.status.report import make_report
from wormhole.agent.turns.trouble import find_troubles
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.agent.wording import clip, redact
from wormhole.psk.epochs import encode_master

KEY = "kPk3Cq0YvVwqHkIu8n7A0o0yq0Gg4m3cV1uTzJrXb1E="


def report_of(turn: Turn, previous: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return make_report(turn, previous or {}, "1.2.3")


def condition(report: Mapping[str, Any], name: str) -> tuple[str, str, str]:
    (found,) = (each for each in report["conditions"] if each["type"] == name)
    return found["status"], found["reason"], found["message"]


def test_a_good_turn_is_ready_and_nothing_else() -> None:
    assert report_of(make_turn(generation=3)) == {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Converged",
                "message": "the host is as desired",
                "lastTransitionTime": "2027-01-15T08:00:00Z",
                "observedGeneration": 3,
            },
            {
                "type": "Degraded",
                "status": "False",
                "reason": "AsExpected",
                "message": "nothing is amiss",
                "lastTransitionTime": "2027-01-15T08:00:00Z",
                "observedGeneration": 3,
            },
            {
                "type": "Conflict",
                "status": "False",
                "reason": "NoConflict",
                "message": "nothing foreign is in the way",
                "lastTransitionTime": "2027-01-15T08:00:00Z",
                "observedGeneration": 3,
            },
        ],
        "desiredDigest": DIGEST,
        "version": "1.2.3",
    }


def test_a_second_good_turn_says_the_same() -> None:
    first = report_of(make_turn())
    assert report_of(make_turn(60), first) == first


def test_a_condition_keeps_since_when_it_is_so_while_its_reason_changes() -> None:
    refused = make_blind_turn(hindrance=Hindrance.NO_KEY, error="private.key: permission denied")
    first = report_of(refused)
    lost = make_blind_turn(60, hindrance=Hindrance.NO_DOCUMENTS, error="waiting for the Mesh")
    second = report_of(lost, first)
    good = report_of(make_turn(120), second)

    assert condition(first, "Ready") == ("False", "NoKey", "private.key: permission denied")
    assert condition(second, "Ready") == ("False", "NoDocuments", "waiting for the Mesh")
    times = [
        next(each["lastTransitionTime"] for each in report["conditions"] if each["type"] == "Ready")
        for report in (first, second, good)
    ]
    assert times == ["2027-01-15T08:00:00Z", "2027-01-15T08:00:00Z", "2027-01-15T08:02:00Z"]


@pytest.mark.parametrize(
    ("hindrance", "status"),
    [
        (Hindrance.UNOBSERVABLE, "Unknown"),
        (Hindrance.BUG, "Unknown"),
        (Hindrance.UNSUPPORTED, "False"),
        (Hindrance.UNFIT_DOCUMENTS, "False"),
        (Hindrance.HELD_BACK, "False"),
        (Hindrance.HOST_ERROR, "False"),
    ],
)
def test_a_turn_without_an_outcome_is_not_ready(hindrance: Hindrance, status: str) -> None:
    report = report_of(make_blind_turn(hindrance=hindrance, error="why"), report_of(make_turn()))
    assert condition(report, "Ready") == (status, hindrance, "why")
    assert condition(report, "Degraded") == ("True", hindrance, "why")
    assert condition(report, "Conflict")[:2] == ("False", "NoConflict")


def test_without_a_look_at_the_host_a_conflict_stays_what_it_was() -> None:
    first = report_of(make_turn(outcome=make_outcome(left=(make_conflict(),))))
    blind = make_blind_turn(60, hindrance=Hindrance.UNOBSERVABLE, error="why")
    assert condition(report_of(blind, first), "Conflict") == (
        "True",
        "ForeignObject",
        "cni 10-wormhole.conflist: it is flannel's",
    )
    assert condition(report_of(blind), "Conflict") == (
        "Unknown",
        "NotCompared",
        "the host could not be compared with its desired state",
    )


def test_an_operator_at_work_leaves_readiness_as_it_was() -> None:
    locked = make_blind_turn(60, hindrance=Hindrance.LOCKED, error="held by process 7")
    first = report_of(make_turn())
    assert condition(report_of(locked, first), "Ready")[:2] == ("True", "Converged")
    assert condition(report_of(locked), "Ready")[:2] == ("Unknown", "Locked")
    assert condition(report_of(locked, first), "Degraded") == (
        "True",
        "Locked",
        "held by process 7",
    )


def test_a_conflict_is_not_ready_and_has_its_own_condition() -> None:
    turn = make_turn(outcome=make_outcome(make_change(), left=(make_conflict(),)))
    report = report_of(turn)
    said = "cni 10-wormhole.conflist: it is flannel's"
    assert condition(report, "Ready") == ("False", "Conflict", said)
    assert condition(report, "Degraded")[0] == "False"
    assert condition(report, "Conflict") == ("True", "ForeignObject", said)


def test_many_conflicts_are_named_in_part() -> None:
    conflicts = tuple(make_conflict(f"file-{number}", "taken") for number in range(9))
    said = condition(report_of(make_turn(outcome=make_outcome(left=conflicts))), "Conflict")[2]
    assert said == "cni file-0: taken; cni file-1: taken; cni file-2: taken; and 6 more"


def test_a_refusal_says_how_to_allow_it() -> None:
    refused = make_outcome(
        left=(make_change(),),
        refused="the plan removes 9 of 10 objects, which is more than a fifth",
    )
    why = "the plan removes 9 of 10 objects, which is more than a fifth; nothing was changed."
    annotate = "kubectl annotate meshnode node-a wormhole.dev/allow-mass-delete=abababababab"
    report = report_of(make_turn(outcome=refused))
    assert condition(report, "Ready") == (
        "False",
        "MassDeleteRefused",
        f"{why} If it is meant: {annotate}",
    )
    folder = find_troubles(make_turn(outcome=refused, source_kind="folder"))[0]
    assert folder.message == (
        f"{why} If it is meant: wormhole apply --allow-mass-delete on this host"
    )


def refuse(leaving: int = 9, **fields: Any) -> Outcome:  # noqa: ANN401 - a test names the fields
    """Return a refusal of which only the removals wait."""
    sentence = f"the plan removes {leaving} of 10 objects, which is more than a fifth"
    return make_outcome(left=(make_change(),), refused=sentence, spared=True, **fields)


HOW = "If it is meant: kubectl annotate meshnode node-a wormhole.dev/allow-mass-delete=abababababab"


SENTENCE = "the plan removes 9 of 10 objects, which is more than a fifth"


def test_a_refusal_says_when_only_the_removals_wait() -> None:
    (trouble,) = find_troubles(make_turn(outcome=refuse()))
    assert (trouble.reason, trouble.message) == (
        "MassDeleteRefused",
        f"{SENTENCE}; they stay, all else is done. {HOW}",
    )


@pytest.mark.parametrize(
    ("reverted", "reason", "words"),
    [
        (True, "Reverted", "what had been changed was put back: "),
        (False, "NotReverted", "not everything could be put back: "),
    ],
)
def test_what_fails_beside_a_refusal_is_told_too(
    reason: str, words: str, *, reverted: bool
) -> None:
    failures = (make_failure(make_change()),)
    first, second = find_troubles(make_turn(outcome=refuse(failures=failures, reverted=reverted)))
    assert (first.reason, first.message) == (
        "MassDeleteRefused",
        f"the plan removes 9 of 10 objects, which is more than a fifth; they stay for now. {HOW}",
    )
    assert (second.reason, second.message) == (
        reason,
        f"{words}create route 10.244.0.0/16: operation not supported",
    )


def test_a_refusal_whose_numbers_move_is_no_news() -> None:
    first = report_of(make_turn(outcome=refuse(9)))
    second = report_of(make_turn(60, outcome=refuse(8)), first)
    assert second == first
    other = report_of(make_turn(60, outcome=make_outcome(refused="another reason")), first)
    assert other != first


@pytest.mark.parametrize(
    ("fields", "reason", "message"),
    [
        ({"reverted": True}, "Reverted", "what had been changed was put back"),
        ({"reverted": False}, "NotReverted", "not everything could be put back"),
        ({"files_left": True}, "FilesLeft", "files could not be removed"),
    ],
)
def test_a_failure_says_what_came_of_it(fields: dict[str, Any], reason: str, message: str) -> None:
    outcome = make_outcome(failures=(make_failure(make_change()),), trouble=("and so",), **fields)
    said = f"{message}: create route 10.244.0.0/16: operation not supported; and so"
    assert condition(report_of(make_turn(outcome=outcome)), "Degraded") == ("True", reason, said)


def test_wrong_documents_degrade_a_host_that_is_still_ready() -> None:
    desired = Desired(
        problems=(Problem(object="MeshNode/node-a", path="spec.podCIDRs[0]", rule="too large"),)
    )
    report = report_of(make_turn(desired=desired, from_memory=True))
    assert condition(report, "Ready") == (
        "True",
        "LastGoodDocuments",
        "the host is as its last good documents say",
    )
    assert condition(report, "Degraded") == (
        "True",
        "InvalidDocuments",
        "MeshNode/node-a spec.podCIDRs[0]: too large; the last good documents stay",
    )


def test_waiting_with_a_memory_degrades() -> None:
    report = report_of(make_turn(desired=Desired(waiting_for="the Mesh object"), from_memory=True))
    assert condition(report, "Degraded") == (
        "True",
        "Waiting",
        "waiting for the Mesh object; the last good documents stay",
    )


def test_a_fight_names_who_it_is_with() -> None:
    report = report_of(make_turn(fight="somebody removes route 10.244.0.0/16 again and again"))
    assert condition(report, "Degraded") == (
        "True",
        "Fight",
        "somebody removes route 10.244.0.0/16 again and again",
    )


def test_the_gravest_trouble_gives_the_reason_and_all_are_in_the_message() -> None:
    turn = make_turn(outcome=make_outcome(trouble=("memory: disk full",)), fight="a fight")
    assert condition(report_of(turn), "Degraded") == ("True", "Fight", "a fight; memory: disk full")


def test_peers_count_as_connected_for_275_seconds() -> None:
    peers = [make_peer(f"node-{age}", age) for age in (0, 274, 275, 9000)]
    status = make_status(*peers, make_peer("node-x", None))
    report = report_of(make_turn(status=status))
    assert (report["peers"], report["connectedPeers"]) == (5, 2)


def test_peers_that_could_not_be_read_stay_as_they_were() -> None:
    first = report_of(make_turn(status=make_status(make_peer())))
    second = report_of(make_turn(60), first)
    assert (second["peers"], second["connectedPeers"]) == (1, 1)


def test_no_peers_are_a_number_too() -> None:
    report = report_of(make_turn(status=make_status()))
    assert (report["peers"], report["connectedPeers"]) == (0, 0)


def test_the_last_change_is_when_the_host_was_changed_last() -> None:
    first = report_of(make_turn(outcome=make_outcome(make_change()), seconds=2.5))
    second = report_of(make_turn(60), first)
    assert [first["lastChange"], second["lastChange"]] == ["2027-01-15T08:00:02Z"] * 2
    assert "lastChange" not in report_of(make_turn())


def test_an_epoch_is_in_use_once_every_peer_has_its_key() -> None:
    resolved = resolve_host(build_inventory())
    peer = make_change("peer", "a key", action=Action.UPDATE)
    failed = make_outcome(left=(peer,), failures=(make_failure(peer),), reverted=True)
    previous = {"presharedKeyEpoch": "2026-10"}
    epochs = [
        report_of(make_turn(resolved=resolved, outcome=outcome), previous).get("presharedKeyEpoch")
        for outcome in (
            make_outcome(),
            make_outcome(left=(make_conflict(),)),
            failed,
            make_outcome(left=(peer,)),
            make_outcome(left=(peer,), refused="too much"),
        )
    ]
    assert epochs == [EPOCH, EPOCH, "2026-10", "2026-10", "2026-10"]


def test_an_epoch_that_is_no_longer_used_is_not_reported() -> None:
    resolved = resolve_host(build_inventory(epoch=None))
    report = report_of(make_turn(resolved=resolved), {"presharedKeyEpoch": EPOCH})
    assert "presharedKeyEpoch" not in report


def test_held_epochs_are_reported_when_there_are_any() -> None:
    report = report_of(make_turn(held_epochs=("2026-11", "2026-12")))
    assert report["heldPresharedKeyEpochs"] == ["2026-11", "2026-12"]
    assert "heldPresharedKeyEpochs" not in report_of(make_turn(), report)


def test_no_more_held_epochs_are_reported_than_a_status_may_have() -> None:
    """One too many, and the whole status would be refused."""
    schema = json.loads((Path(__file__).parents[4] / "schemas/meshnode.schema.json").read_text())
    status = schema["properties"]["status"]["properties"]
    most = status["heldPresharedKeyEpochs"]["maxItems"]
    epochs = ("zebra", *(f"e{number}" for number in range(most)))
    report = report_of(make_turn(held_epochs=epochs))
    assert report["heldPresharedKeyEpochs"] == list(epochs[:most])


def test_an_object_is_left_out_once_with_all_that_is_wrong_with_it() -> None:
    left_out = (
        Problem(object="MeshNode/evil", path="spec.podCIDRs[0]", value="10.244.1.0/24", rule="b"),
        Problem(object="MeshNode/evil", path="spec.endpoint", rule="a"),
    )
    silent = (Problem(object="MeshNode/dumb", path="spec.endpoint", rule="c"),)
    report = report_of(make_turn(desired=Desired(left_out=left_out, endpoints_left_out=silent)))
    assert report["leftOut"] == [
        {"name": "MeshNode/dumb", "reason": "spec.endpoint: c"},
        {
            "name": "MeshNode/evil",
            "reason": "spec.endpoint: a; spec.podCIDRs[0] '10.244.1.0/24': b",
        },
    ]


def test_at_most_ten_objects_are_named() -> None:
    left_out = tuple(Problem(object=f"MeshNode/n{number:02}", rule="no") for number in range(30))
    report = report_of(make_turn(desired=Desired(left_out=left_out[::-1])))
    assert [each["name"] for each in report["leftOut"]] == [
        f"MeshNode/n{number:02}" for number in range(10)
    ]


def test_without_an_outcome_the_digest_is_computed() -> None:
    resolved = resolve_host(build_inventory())
    turn = make_blind_turn(resolved=resolved, hindrance=Hindrance.LOCKED, error="why")
    assert report_of(turn)["desiredDigest"] == digest(resolved)
    assert (
        report_of(make_blind_turn(hindrance=Hindrance.NO_KEY), {"desiredDigest": DIGEST})[
            "desiredDigest"
        ]
        == DIGEST
    )


def test_a_real_host_reports_what_its_schema_allows() -> None:
    scene = converged()
    report = report_of(take_real_turn(scene, held_epochs=(EPOCH,)))
    assert report["presharedKeyEpoch"] == EPOCH
    assert report["peers"] == 3
    assert violations(_wrap(report), "meshnode") == ()


@given(
    text=st.text(max_size=2000), left_out=st.integers(0, 12), refusal=st.sampled_from(["", "no"])
)
@pytest.mark.law
def test_any_words_give_a_report_that_the_schema_allows(
    text: str, left_out: int, refusal: str
) -> None:
    problems = tuple(
        Problem(object=f"MeshNode/{text[:300]}{number}", value=text, rule=text)
        for number in range(left_out)
    )
    turn = make_turn(
        outcome=make_outcome(left=(make_conflict(note=text),), refused=refusal and text),
        desired=Desired(left_out=problems, problems=problems),
        fight=text,
        status=make_status(make_peer()),
        held_epochs=("2026-11",),
    )
    report = report_of(turn)
    assert violations(_wrap(report), "meshnode") == ()
    said = [each["message"] for each in report["conditions"]]
    assert all(len(message.encode()) <= 1024 and message.isprintable() for message in said)
    assert json.dumps(report)


def test_a_key_that_somebody_quotes_to_us_is_not_passed_on() -> None:
    twice = "a1BrM0NxMFl2VndxSGtJdThuN0EwbzB5cTBHZzRtM2NWMXVUekpyWGIxRT0="
    assert redact(f"data: Invalid value: {KEY!r}") == "data: Invalid value: '(a key)'"
    assert redact(f"{twice}, {twice}") == "(a key), (a key)"
    assert redact(f"data: {encode_master(bytes(range(32)))}") == "data: (a key)"  # with a line end
    digest_and_path = f"{DIGEST} /var/lib/wormhole/a/quite/long/path/to/a/file/of/some/kind"
    assert redact(digest_and_path) == digest_and_path
    outcome = Outcome(**_fields_of(make_outcome()) | {"trouble": (f"said {KEY}",)})
    turns = (
        make_turn(outcome=outcome),
        make_blind_turn(hindrance=Hindrance.HOST_ERROR, error=f"said {KEY}"),
    )
    assert KEY not in json.dumps([report_of(turn) for turn in turns])


def test_text_is_cut_between_characters_and_on_one_line() -> None:
    assert clip("a\nb") == r"a\nb"
    assert clip("ü" * 600, 21) == "ü" * 8 + " ..."
    assert clip("fits", 4) == "fits"


def test_ended_is_when_the_turn_ended() -> None:
    assert make_turn(seconds=1.5).ended == BEGIN + 1.5


def test_a_host_that_was_never_looked_at_shows_its_first_turn() -> None:
    report = report_of(take_real_turn(Scene()))
    assert condition(report, "Ready")[:2] == ("True", "Converged")
    assert report["lastChange"] == "2027-01-15T08:00:00Z"


def _wrap(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "MeshNode",
        "metadata": {"name": "node-a"},
        "spec": {"publicKey": KEY},
        "status": report,
    }


def _fields_of(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in outcome.__struct_fields__}
