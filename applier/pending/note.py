"""What this host remembers of a change on trial, and of one that it went back from; no secrets."""

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from applier.errors import Damaged, Missing, Unobservable
from applier.host import Host
from applier.keys import Files
from applier.memory import Names
from applier.paths import Paths
from schemas.document import digest
from schemas.state import ResolvedHost, Value

T = TypeVar("T")


class Phase(StrEnum):
    """How far the apply got that is on trial."""

    APPLYING = "applying"
    """It has not said that it ended. Once its process has, it was cut short."""
    APPLIED = "applied"
    """It ended well, and waits to be confirmed."""


class Note(Value, frozen=True, kw_only=True):
    """A change on trial. It is on the disk before the first write, and gone once all is decided."""

    id: str
    """Tells this trial from every other, also of the same state."""
    desired: ResolvedHost
    previous: ResolvedHost | None
    """What the host had converged to before; None: it had nothing of Wormhole's."""
    attempted: Names | None = None
    """The note of an unfinished apply as it was before."""
    boot_id: str
    """The boot that ``deadline`` counts in (``/proc/sys/kernel/random/boot_id``)."""
    deadline: float
    """Seconds of ``CLOCK_BOOTTIME``, which counts a suspended host's time too."""
    began: int
    """Unix seconds, for people."""
    phase: Phase = Phase.APPLYING
    conflicts: tuple[str, ...] = ()
    """The kinds of which foreign objects were in the way."""
    asked_back: bool = False
    """Somebody asked to go back before the time is over."""
    trouble: tuple[str, ...] = ()
    """Why going back did not succeed when it was tried last."""


class Reason(StrEnum):
    """Why the host went back, as the end of a sentence."""

    LAPSED = "nobody confirmed it in time"
    TAKEN_BACK = "somebody took it back"
    CUT_SHORT = "its apply was ended before it was done"
    RESTARTED = "the host restarted before anybody confirmed it"
    UNWATCHED = "its watchdog was ended before anybody confirmed it"


class Reverted(Value, frozen=True, kw_only=True):
    """A state that the host went back from. It is not tried again until it changes."""

    digest: str
    previous: str
    """The digest of what the host went back to; empty when that was a host without Wormhole."""
    at: int
    """Unix seconds."""
    reason: Reason


def load_note(files: Files, paths: Paths) -> Note | None:
    """Return the change on trial; None when there is none.

    Raises:
        Damaged: the note makes no sense; only a living watchdog knows what is to be done.
        Unobservable: it could not be read.

    """
    return _decode(files, paths.pending, Note)


def store_note(host: Host, paths: Paths, note: Note) -> None:
    """Write the note; it is on the disk when this returns."""
    host.write_file(paths.pending, _encode(note), 0o600)


def drop_note(host: Host, paths: Paths) -> None:
    """Remove the note: from here on the change is no longer on trial."""
    with suppress(Missing):
        host.remove_file(paths.pending)


def load_reverted(files: Files, paths: Paths) -> Reverted | None:
    """Return what the host went back from last, unless it converged to something else since."""
    try:
        return _decode(files, paths.reverted, Reverted)
    except Unobservable:
        return None  # it only spares a second try


def store_reverted(host: Host, paths: Paths, note: Note, reason: Reason) -> Reverted:
    """Write down that the host went back."""
    reverted = Reverted(
        digest=digest(note.desired),
        previous=digest(note.previous) if note.previous else "",
        at=host.now(),
        reason=reason,
    )
    host.write_file(paths.reverted, _encode(reverted), 0o600)
    return reverted


def clear_reverted(host: Host, paths: Paths, converged: str) -> None:
    """Forget what the host went back from, now that it converged to this digest.

    Converging to the state that it went back to forgets nothing: that is healed again and again.
    But where a repair was taken back both are one state, and it was converged to after all.
    """
    reverted = load_reverted(host, paths)
    if reverted is None:
        return
    if converged == reverted.digest or converged != reverted.previous:
        with suppress(Missing):
            host.remove_file(paths.reverted)


def _encode(value: Any) -> bytes:  # noqa: ANN401 - either of our values
    return msgspec.json.encode(value, order="sorted") + b"\n"


def _decode(files: Files, path: Path, kind: type[T]) -> T | None:
    content = files.read_file(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # bytes that are no UTF-8 end so
        reason = f"damaged ({error}): remove it to go on with the host as it is"
        raise Damaged("read", str(path), reason) from None
