"""What is to be done about a change on trial, at every moment."""

import pytest
from scenes import build_inventory, resolve_host

from applier.pending.note import Note, Phase, Reason
from applier.pending.verdict import (
    GRACE,
    Moment,
    may_keep,
    must_go_back,
    seconds_left,
    why_back,
)

RESOLVED = resolve_host(build_inventory())
BEGIN = 1000.0
IN_TIME, LATE = BEGIN + 59, BEGIN + 60


def a_note(**fields: object) -> Note:
    given = {
        "id": "one",
        "desired": RESOLVED,
        "previous": None,
        "boot_id": "this boot",
        "deadline": BEGIN + 60,
        "began": 1_800_000_000,
        "phase": Phase.APPLIED,
    } | fields
    return Note(**given)  # type: ignore[arg-type] # whatever a test wants


def at(now: float, *, watched: bool = True, boot_id: str = "this boot") -> Moment:
    return Moment(boot_id=boot_id, now=now, watched=watched)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (at(IN_TIME), False),
        (at(LATE), False),
        (at(LATE + GRACE - 1), False),
        (at(LATE + GRACE), True),
        (at(IN_TIME, watched=False), True),
        (at(IN_TIME, boot_id="another"), True),
    ],
    ids=[
        "in time",
        "its watchdog is at it",
        "still at it",
        "its watchdog does not get on",
        "its watchdog is gone",
        "after a boot",
    ],
)
@pytest.mark.parametrize("phase", Phase)
def test_who_holds_the_lock_goes_back_when_no_watchdog_will(
    phase: Phase, moment: Moment, *, expected: bool
) -> None:
    assert must_go_back(a_note(phase=phase), moment) is expected


@pytest.mark.parametrize(
    ("note", "moment", "expected"),
    [
        (a_note(), at(IN_TIME), True),
        (a_note(), at(IN_TIME, watched=False), True),
        (a_note(), at(LATE), False),
        (a_note(), at(IN_TIME, boot_id="another"), False),
        (a_note(phase=Phase.APPLYING), at(IN_TIME), False),
        (a_note(asked_back=True), at(IN_TIME), False),
    ],
    ids=["in time", "without watchdog", "late", "after a boot", "half applied", "asked back"],
)
def test_only_a_whole_change_is_kept_and_only_in_time(
    note: Note, moment: Moment, *, expected: bool
) -> None:
    assert may_keep(note, moment) is expected


@pytest.mark.parametrize(
    ("note", "moment", "expected"),
    [
        (a_note(), at(LATE), Reason.LAPSED),
        (a_note(), at(IN_TIME, watched=False), Reason.UNWATCHED),
        (a_note(), at(LATE, boot_id="another"), Reason.RESTARTED),
        (a_note(phase=Phase.APPLYING), at(LATE), Reason.CUT_SHORT),
        (a_note(phase=Phase.APPLYING, asked_back=True), at(IN_TIME), Reason.TAKEN_BACK),
    ],
    ids=str,
)
def test_the_reason_is_what_came_first(note: Note, moment: Moment, expected: Reason) -> None:
    assert why_back(note, moment) is expected


def test_the_time_of_another_boot_is_over() -> None:
    """Its clock began anew, so that a deadline of before may seem to be hours away."""
    assert seconds_left(a_note(), at(BEGIN)) == 60
    assert seconds_left(a_note(), at(5.0, boot_id="another")) == 0
