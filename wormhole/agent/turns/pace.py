"""When the loop takes its next turn: pure arithmetic over what happened and when.

Three wishes pull at it. Many events in a row should cost one turn; a failure should not be
repeated as fast as the machine can; and what another program undoes again and again should not be
done again and again. Nothing here reads a clock: every moment is given, in seconds that only grow.
"""

from collections.abc import Callable, Iterable
from typing import Final

from applier.plan import Action, Cause, Change
from schemas.state import Value
from wormhole.agent.desired import Cause as Wakeup
from wormhole.backoff import double

QUIET: Final = 0.2
"""Seconds without another event after which a burst of them counts as over."""
PATIENCE: Final = 2.0
"""Seconds that a burst may last before a turn is taken in its middle."""
INTERVAL: Final = 1.0
"""Seconds between the end of a turn and the next one, whatever happens."""

CONTESTED_INTERVAL: Final = 5.0
"""The same while somebody fights over something, who may wake us ten times a second."""

RETRY_FIRST: Final = 1.0
RETRY_LONGEST: Final = 60.0
"""Seconds before a failed turn is repeated: doubled each time, halved at random."""

FIGHT_WINDOW: Final = 600.0
"""Seconds for which it is remembered that an object drifted."""
FIGHT_ROUNDS: Final = 3
"""How often an object may drift in that time before somebody must be undoing us on purpose."""
FIGHT_LONGEST: Final = 60.0
"""Seconds between two rounds at most: what is contested may be what keeps packets encrypted."""

_NEWS: Final = frozenset({Wakeup.START, Wakeup.CLUSTER, Wakeup.FOLDER, Wakeup.FILE})
"""What may mend a failure, so that it does not wait for the retry. The others may be its echo."""


class Pace:
    """The loop's agenda: what it has been woken by, and when it is due."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """Take ``chance``, which returns a random number from 0 to 1: hosts must not march."""
        self._chance = chance
        self._causes: dict[Wakeup, None] = {}  # a set that keeps its order
        self._first = self._last = 0.0
        self._ended = float("-inf")
        self._failures = 0
        self._retry_at: float | None = None
        self._put_off_until: float | None = None

    def mark(self, cause: Wakeup, now: float) -> None:
        """Note that something happened."""
        if not self._causes:
            self._first = now
        self._last = now
        self._causes[cause] = None

    def due(self) -> float | None:
        """Return when the next turn is due; None while nothing calls for one."""
        wanted = [each for each in (self._retry_at, self._put_off_until) if each is not None]
        if self._causes and (self._retry_at is None or not _NEWS.isdisjoint(self._causes)):
            calm = min(self._last + QUIET, self._first + PATIENCE)
            pause = INTERVAL if self._put_off_until is None else CONTESTED_INTERVAL
            wanted.append(max(calm, self._ended + pause))
        return min(wanted, default=None)

    def take(self, now: float) -> tuple[Wakeup, ...]:
        """Begin a turn: return what called for it, and forget it."""
        dates = (self._retry_at, self._put_off_until)
        retried = any(date is not None and now >= date for date in dates)
        causes = (*self._causes, *((Wakeup.RETRY,) if retried else ()))
        self._causes.clear()
        self._retry_at = self._put_off_until = None
        return causes

    def settle(self, now: float, *, failed: bool) -> None:
        """End a turn; one that failed is repeated, later each time."""
        self._ended = now
        self._failures = self._failures + 1 if failed else 0
        if failed:
            self._retry_at = now + back_off(self._failures, self._chance())

    def postpone(self, until: float) -> None:
        """Ask for a turn at a moment, for what has been put off.

        Others are taken meanwhile, only less often: what else goes wrong must not wait for a fight.
        """
        self._put_off_until = until


def back_off(failures: int, chance: float) -> float:
    """Return how many seconds to wait after so many failures in a row: between half and all."""
    return double(failures, first=RETRY_FIRST, longest=RETRY_LONGEST) * (1 + chance) / 2


class Fight(Value, frozen=True, kw_only=True):
    """An object that somebody keeps changing back."""

    kind: str
    key: str
    rounds: int
    """How often it was mended within the window."""


class Fights:
    """Who undoes us: the moments at which each object was found drifted and mended."""

    def __init__(self) -> None:
        self._mended: dict[tuple[str, str], list[float]] = {}

    def note(self, changes: Iterable[Change], now: float) -> None:
        """Remember which drift was mended."""
        for change in changes:
            if _is_drift(change):
                self._mended.setdefault((change.kind, change.key), []).append(now)
        self._forget(now)

    def hold(self, changes: Iterable[Change], now: float) -> float | None:
        """Return until when a plan should wait: only while all in it is contested."""
        waits = []
        for change in changes:
            if change.action is Action.CONFLICT:
                continue
            rounds = self._rounds(change, now) if _is_drift(change) else []
            if len(rounds) < FIGHT_ROUNDS:
                return None
            waits.append(rounds[-1] + _pause(len(rounds)))
        until = max(waits, default=now)
        return until if until > now else None

    def current(self, now: float) -> tuple[Fight, ...]:
        """Return what is contested at this moment, sorted."""
        self._forget(now)
        return tuple(
            Fight(kind=kind, key=key, rounds=len(times))
            for (kind, key), times in sorted(self._mended.items())
            if len(times) >= FIGHT_ROUNDS
        )

    def _rounds(self, change: Change, now: float) -> list[float]:
        times = self._mended.get((change.kind, change.key), [])
        return [time for time in times if time > now - FIGHT_WINDOW]

    def _forget(self, now: float) -> None:
        for key, times in list(self._mended.items()):
            times[:] = [time for time in times if time > now - FIGHT_WINDOW]
            if not times:
                del self._mended[key]


def _is_drift(change: Change) -> bool:
    return change.cause is Cause.DRIFT and change.action is not Action.CONFLICT


def _pause(rounds: int) -> float:
    return double(rounds - FIGHT_ROUNDS + 1, first=2.0, longest=FIGHT_LONGEST)
