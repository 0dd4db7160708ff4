"""The loop: it sleeps until something happened, takes a turn, and tells what came of it.

Level-triggered: what woke it decides when it looks, never what it does. A lost event costs at most
the timer's period; a hundred of them cost one turn.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from wormhole.agent.desired import Cause
from wormhole.agent.turns.pace import Pace
from wormhole.agent.turns.turn import Hindrance, Turn

HEARTBEAT: Final = 20.0
"""Seconds after which an idle loop shows that it is alive."""

_PATIENT: Final = frozenset(
    {Hindrance.NO_DOCUMENTS, Hindrance.HELD_BACK, Hindrance.ON_TRIAL, Hindrance.NOT_CONFIRMED}
)
"""What trying again does not mend: the source wakes the loop, or the moment has been set."""


class Taker(Protocol):
    """Takes turns; see :class:`wormhole.agent.turns.taker.TurnTaker`."""

    def take(self, causes: tuple[Cause, ...]) -> tuple[Turn, float | None]:
        """Take one turn; return it, and until when something in it has been put off."""


Observer = Callable[[Turn], None]
"""Told of every turn, in the loop's thread: quick, and never raising."""


class Loop:
    """Runs turns in the thread that calls :meth:`run`; everything else wakes it from outside."""

    def __init__(
        self,
        taker: Taker,
        pace: Pace,
        observers: Sequence[Observer],
        heartbeat: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._taker = taker
        self._pace = pace
        self._observers = tuple(observers)
        self._heartbeat = heartbeat
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._stopping = False

    def wake(self, cause: Cause) -> None:
        """Mark the host dirty."""
        with self._changed:
            self._pace.mark(cause, self._monotonic())
            self._changed.notify()

    def stop(self) -> None:
        """End after the turn that is being taken. The network stays as it is."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def run(self) -> None:
        """Take turns until stopped."""
        self.wake(Cause.START)
        while (causes := self._await()) is not None:
            turn, until = self._taker.take(causes)
            with self._changed:
                now = self._monotonic()
                self._pace.settle(now, failed=is_failure(turn))
                if until is not None:
                    self._pace.postpone(until)
            for tell in self._observers:
                tell(turn)

    def _await(self) -> tuple[Cause, ...] | None:
        """Sleep until a turn is due; return what called for it, or None to end."""
        with self._changed:
            while not self._stopping:
                self._heartbeat()
                now = self._monotonic()
                due = self._pace.due()
                if due is not None and due <= now:
                    return self._pace.take(now)
                self._changed.wait(HEARTBEAT if due is None else min(due - now, HEARTBEAT))
        return None


def is_failure(turn: Turn) -> bool:
    """Whether a turn should be repeated sooner than the timer would."""
    if turn.outcome is None:
        return turn.hindrance not in _PATIENT
    return turn.outcome.reverted is not None
