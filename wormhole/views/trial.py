"""A change on trial, and one that was taken back, to sentences."""

from datetime import UTC, datetime

from applier.pending.note import Note, Phase, Reverted
from applier.pending.verdict import Moment, seconds_left
from applier.status import PendingStatus, RevertedStatus, Status
from schemas.document import digest
from wormhole.views.plan import shorten_digest


def say_pending(note: Note, moment: Moment) -> str:
    """Say what is on trial, and until when."""
    name = shorten_digest(digest(note.desired))
    left = round(seconds_left(note, moment))
    if left and note.phase is Phase.APPLYING:
        return f"{name} is being applied on trial"
    if left:
        return f"{name} is on trial: {left} s are left for 'wormhole confirm'"
    who = "its watchdog takes it back" if moment.watched else "the next apply takes it back"
    tried = f"; tried, and left: {'; '.join(note.trouble)}" if note.trouble else ""
    return f"{name} was not confirmed: {who}{tried}"


def say_reverted(reverted: Reverted | RevertedStatus) -> str:
    """Say what the host went back from, when, and why."""
    moment = datetime.fromtimestamp(reverted.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{shorten_digest(reverted.digest)} was taken back at {moment}: {reverted.reason}"


def describe_pending(note: Note, moment: Moment) -> PendingStatus:
    """Return what a status tells of a change on trial."""
    return PendingStatus(
        digest=digest(note.desired),
        applied=note.phase is Phase.APPLIED,
        seconds_left=round(seconds_left(note, moment)),
        watched=moment.watched,
        trouble=note.trouble,
    )


def describe_reverted(reverted: Reverted) -> RevertedStatus:
    """Return what a status tells of a state that the host went back from."""
    return RevertedStatus(digest=reverted.digest, at=reverted.at, reason=reverted.reason)


def say_trials(status: Status) -> tuple[str, ...]:
    """Say of a status what is on trial and what was taken back, a line each."""
    said = []
    if status.pending is not None:
        name = shorten_digest(status.pending.digest)
        if status.pending.seconds_left:
            said.append(f"on trial: {name}, {status.pending.seconds_left} s left to confirm it")
        else:
            said.append(f"on trial: {name}, to be taken back: nobody confirmed it in time")
        if not status.pending.watched:
            said.append("on trial: its watchdog is gone: the next apply takes it back")
        said += [f"on trial: could not go back: {each}" for each in status.pending.trouble]
    if status.reverted is not None:
        said.append(say_reverted(status.reverted))
    return tuple(said)
