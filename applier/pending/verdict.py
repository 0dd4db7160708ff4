"""A change on trial and a moment to what is to be done about it. Pure."""

from typing import Final

from applier.pending.note import Note, Phase, Reason
from schemas.state import Value

GRACE: Final = 30.0
"""Seconds that a living watchdog is left alone with an overdue change: it knows the host best."""


class Moment(Value, frozen=True, kw_only=True):
    """What a verdict depends on beside the note."""

    boot_id: str
    now: float
    """Seconds of ``CLOCK_BOOTTIME``."""
    watched: bool
    """Whether a watchdog is alive."""


def seconds_left(note: Note, moment: Moment) -> float:
    """Return how long the change may still be confirmed; 0 when that is over."""
    if note.boot_id != moment.boot_id or note.asked_back:
        return 0.0
    return max(0.0, note.deadline - moment.now)


def must_go_back(note: Note, moment: Moment) -> bool:
    """Whether whoever holds the host's lock must go back before anything else.

    Not while the watchdog lives and has its time: it holds a snapshot, and others only a document.
    """
    if note.boot_id != moment.boot_id or not moment.watched:
        return True
    return moment.now >= note.deadline + GRACE


def may_keep(note: Note, moment: Moment) -> bool:
    """Whether a confirmation still counts. One without a watchdog does, if it is in time."""
    return note.phase is Phase.APPLIED and seconds_left(note, moment) > 0


def why_back(note: Note, moment: Moment) -> Reason:
    """Say why the host goes back at this moment."""
    if note.boot_id != moment.boot_id:
        return Reason.RESTARTED
    if note.asked_back:
        return Reason.TAKEN_BACK
    if note.phase is Phase.APPLYING:
        return Reason.CUT_SHORT
    return Reason.LAPSED if moment.now >= note.deadline else Reason.UNWATCHED
