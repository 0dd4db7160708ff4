"""A snapshot and a clock to a host that is kept, or as it was: what the watchdog does.

It runs in a process of its own, which outlives whoever ran the apply; ``applier.linux.guard`` gives
it one. The note decides: once it is gone, everything was decided by somebody else.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from applier.errors import Damaged, HostError, Locked
from applier.host import Host
from applier.paths import Paths
from applier.pending.note import Note, Phase, load_note
from applier.pending.settle import put_back
from applier.pending.verdict import Moment, seconds_left, why_back
from applier.situation import Situation

TICK: Final = 0.25
"""Seconds between two looks at the note, which is a small file."""
KILL_AFTER: Final = 5.0
"""Seconds that an apply which should have ended may hold the lock: it may be stopped (Ctrl-Z)."""
LOCK_PATIENCE: Final = 600.0
"""Seconds to wait for anybody else with the lock before that is told."""
PAUSES: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 120.0)
"""Seconds after each try that failed; after the last one the next start goes on."""


class Applier(Protocol):
    """The process that applies."""

    def runs(self) -> bool:
        """Whether it has not ended."""

    def kill(self) -> None:
        """End it, whatever it is doing."""


@dataclass(frozen=True, kw_only=True)
class Post:
    """Where a watchdog stands: the doors, the clock, and who listens."""

    open_host: Callable[[], AbstractContextManager[Host]]
    hold_lock: Callable[[], AbstractContextManager[None]]
    """Raises Locked."""
    read_moment: Callable[[], Moment]
    sleep: Callable[[float], None]
    applier: Applier
    is_dismissed: Callable[[], bool]
    """Whether somebody wants this process to end: then it goes back at once."""
    say: Callable[[str], None]


def watch(post: Post, armed: Note, before: Situation, paths: Paths) -> bool:
    """Wait for the end of a trial; go back if it comes to that. Return whether all is decided."""
    known = armed
    while (note := _glance(post, known, paths)) is not None:
        if why := _is_over(post, note):
            post.say(f"going back: {why}")
            return _go_back(post, note, before, paths)
        known = note
        post.sleep(TICK)
    post.say("the change was kept, or taken back by somebody else")
    return True


def _glance(post: Post, known: Note, paths: Paths) -> Note | None:
    """Return this trial's note; None when it is gone."""
    try:
        with post.open_host() as host:
            return _read(host, known, paths)
    except HostError:
        return _assume(known)


def _read(host: Host, known: Note, paths: Paths) -> Note | None:
    """Return this trial's note; None when it is gone. A damaged one is as it was known last.

    Raises:
        Unobservable: it may be gone, which cannot be seen now.

    """
    try:
        note = load_note(host, paths)
    except Damaged:
        return _assume(known)
    return note if note is not None and note.id == known.id else None


def _assume(known: Note) -> Note:
    """Return what a note that cannot be read is taken for: its apply may have said that it ended.

    So that the time decides, and not whether the apply is still there.
    """
    return replace(known, phase=Phase.APPLIED)


def _is_over(post: Post, note: Note) -> str:
    """Say why it is time to go back; empty while it is not."""
    ended = not post.applier.runs()  # before the note is looked at: its last word comes first
    moment = post.read_moment()
    if post.is_dismissed():
        return "this watchdog was told to end"
    if seconds_left(note, moment) <= 0:
        return why_back(note, moment)
    if note.phase is Phase.APPLYING and ended:
        return why_back(note, moment)
    return ""


def _go_back(post: Post, known: Note, before: Situation, paths: Paths) -> bool:
    for pause in PAUSES:
        try:
            left = _try(post, known, before, paths)
        except Locked as error:
            left = (str(error),)
        except Exception as error:  # noqa: BLE001 - whatever it is, trying again is all there is
            left = (f"{type(error).__name__}: {error}",)
        if not left:
            return True
        for each in left:
            post.say(f"could not go back: {each}")
        post.sleep(pause)
    post.say("gave up: the next apply, confirm or agent on this host goes on with it")
    return False


def _try(post: Post, known: Note, before: Situation, paths: Paths) -> tuple[str, ...]:
    """Go back once, under the lock; return what is left of the change."""
    with _locked(post), post.open_host() as host:
        note = _read(host, known, paths)
        if note is None:
            post.say("somebody else decided it meanwhile")
            return ()
        reversal = put_back(host, note, before, paths, post.read_moment())
    if reversal.complete:
        post.say("the host is as it was before")
        return ()
    return reversal.causes


@contextmanager
def _locked(post: Post) -> Iterator[None]:
    """Hold the lock; from an apply that does not give it back, take it by force."""
    waited = 0.0
    with ExitStack() as stack:
        while not _take(stack, post, last=waited >= LOCK_PATIENCE):
            if waited >= KILL_AFTER and post.applier.runs():
                post.say("the apply does not end: it is killed")
                post.applier.kill()
            post.sleep(TICK)
            waited += TICK
        yield


def _take(stack: ExitStack, post: Post, *, last: bool) -> bool:
    try:
        stack.enter_context(post.hold_lock())
    except Locked:
        if last:
            raise
        return False
    return True
