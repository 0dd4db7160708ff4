"""Turns to log lines: what was done, and what is wrong once; nothing while nothing happens."""

import logging
import re
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from applier.outcome import Failure
from applier.plan import Change
from schemas.state import Value
from wormhole.agent.pages.metrics import name_result
from wormhole.agent.turns.offence import find_offences
from wormhole.agent.turns.trouble import blur, describe_conflicts, find_conflicts, find_troubles
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.agent.wording import clip, redact, say_change
from wormhole.views.kinds import name_of
from wormhole.views.plan import shorten_digest

AGAIN: Final = 600.0
"""Seconds after which a trouble that goes on is said again, with how often it was met."""
REMEMBERED: Final = 256
"""Troubles of which it is known when they were said; the oldest are forgotten first."""
LEFT_OUT: Final = 10
"""Fields of objects that were left out which are named, each on its line."""

_PASSING: Final = frozenset(
    {
        *("Waiting", Hindrance.LOCKED, Hindrance.ON_TRIAL, Hindrance.HELD_BACK),
        *(Hindrance.NO_DOCUMENTS, Hindrance.NOT_CONFIRMED),
    }
)
"""What ends by itself, or begins every life of an agent: a warning, no error."""

_API: Final = "ApiError"
_LACK: Final = re.compile(
    r'cannot \w+ resource "[^"]+"(?: in API group "[^"]*"(?: at the cluster scope'
    r'| in the namespace "[^"]+"))?'
)
"""A right that is missing, as the API server's authoriser words it (``forbiddenMessage`` in
apiserver's ``endpoints/handlers/responsewriters/errors.go``) and so do we."""

Field = tuple[str, str | int | float]


class Line(Value, frozen=True, kw_only=True):
    """One line, before it is known how it is written."""

    level: int
    message: str
    fields: tuple[Field, ...] = ()


class Said(Value, frozen=True, kw_only=True):
    """A trouble as it is told."""

    level: int
    reason: str
    message: str
    about: str = ""
    """What makes two of them the same, where the message holds what others chose."""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two of them the same. An outage is one trouble, whatever it stops first."""
        return self.reason, "" if self.reason == _API else self.about or blur(self.message)


class TurnLog:
    """Says of each turn what is new."""

    def __init__(
        self, logger: logging.Logger, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._monotonic = monotonic
        self._memory = TroubleMemory()

    def observe(self, turn: Turn) -> None:
        """Log a turn."""
        for line in (*say_work(turn), *self._memory.say_news(turn, self._monotonic())):
            self._logger.log(line.level, "%s", line.message, extra={"fields": line.fields})


def say_work(turn: Turn) -> Iterable[Line]:
    """Say each change that was made, each that failed, and then the turn that made them."""
    outcome = turn.outcome
    if outcome is None or not (outcome.done or outcome.failures):
        return
    yield from map(_say_done, outcome.done)
    yield from map(_say_failure, outcome.failures)
    yield Line(
        level=logging.INFO if outcome.reverted is None else logging.ERROR,
        message="turn",
        fields=(
            ("turn", turn.number),
            ("result", name_result(turn)),
            ("causes", ",".join(turn.causes)),
            ("changes", len(outcome.done)),
            ("failures", len(outcome.failures)),
            ("seconds", round(turn.seconds, 3)),
            ("digest", shorten_digest(outcome.plan.digest)),
        ),
    )


def list_troubles(turn: Turn) -> Iterable[Said]:
    """Return everything that is wrong after a turn, this host's own and what it saw of others."""
    for trouble in find_troubles(turn):
        level = logging.WARNING if trouble.reason in _PASSING else logging.ERROR
        yield Said(level=level, reason=trouble.reason, message=trouble.message, about=trouble.about)
    if conflicts := find_conflicts(turn):
        yield _warn("Conflict", describe_conflicts(conflicts))
    if turn.api_error:
        yield _warn(_API, redact(turn.api_error))
    for lack in sorted(set(_LACK.findall(turn.api_error))):
        # Each by itself: it is somebody's mistake, and must not go under in an outage.
        yield _warn("Forbidden", f"the account of this agent {lack}")
    offences = find_offences(turn.desired)
    for offence in offences[:LEFT_OUT]:
        yield _warn(offence.reason, offence.message, offence.place)
    if (more := len(offences) - LEFT_OUT) > 0:
        yield _warn("LeftOut", f"and {more} more", "more")


@dataclass
class _Told:
    """When a trouble was told, and how often it was met since."""

    at: float
    reason: str
    message: str
    present: bool = True
    ended: bool = False
    """Its end was told as well."""
    again: int = 0


class TroubleMemory:
    """Tells each trouble when it begins and when it ends, and in between every ten minutes.

    What comes and goes more often than that is counted, and told with its count.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def say_news(self, turn: Turn, now: float) -> tuple[Line, ...]:
        """Return what to say of a turn's troubles; nothing of those that were just told.

        ``now`` is by a clock that never jumps: one that is set must neither silence nor repeat.
        """
        current = {said.key: said for said in list_troubles(turn)}
        lines = [line for said in current.values() for line in self._meet(said, now)]
        return (*lines, *self._miss(current, now))

    def _meet(self, said: Said, now: float) -> Iterable[Line]:
        told = self._told.get(said.key)
        if told is not None and now - told.at < AGAIN:
            told.again += 1
            told.present = True
            return
        times = _count_times(told.again + 1) if told is not None else ()
        fields = (("reason", said.reason), *times)
        yield Line(level=said.level, message=said.message, fields=fields)
        self._told.pop(said.key, None)
        if len(self._told) >= REMEMBERED:
            del self._told[next(iter(self._told))]
        self._told[said.key] = _Told(at=now, reason=said.reason, message=said.message)

    def _miss(self, current: Collection[tuple[str, str]], now: float) -> Iterable[Line]:
        for key, told in list(self._told.items()):
            if key in current:
                continue
            expired = now - told.at >= AGAIN
            if (told.present and not told.ended) or (expired and told.again):
                fields = (("reason", told.reason), *_count_times(told.again))
                yield Line(level=logging.INFO, message=f"over: {told.message}", fields=fields)
                told.ended, told.again = True, 0
            told.present = False
            if expired:
                del self._told[key]


def _say_done(change: Change) -> Line:
    why = (("cause", str(change.cause)), ("risk", str(change.risk)))
    fields = (*_identify(change), *why, ("what", say_change(change)))
    return Line(level=logging.INFO, message="changed", fields=fields)


def _say_failure(failure: Failure) -> Line:
    tried = ("tried", "no" if failure.skipped else "yes")
    fields = (*_identify(failure.change), tried, ("reason", clip(redact(failure.reason))))
    return Line(level=logging.ERROR, message="not changed", fields=fields)


def _identify(change: Change) -> tuple[Field, ...]:
    name = name_of(change)
    named = (("name", name),) if name != change.key else ()
    return (("kind", change.kind), ("key", change.key), *named, ("action", str(change.action)))


def _count_times(times: int) -> tuple[Field, ...]:
    return (("times", times),) if times else ()


def _warn(reason: str, message: str, about: str = "") -> Said:
    return Said(level=logging.WARNING, reason=reason, message=clip(message), about=about)
