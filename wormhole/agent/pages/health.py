"""Whether the loop lives, and whether the host was as desired when it was last looked at."""

import threading
import time
from collections.abc import Callable
from typing import Final

from wormhole.agent.status.report import is_ready
from wormhole.agent.turns.trouble import describe_conflicts, find_conflicts, find_troubles
from wormhole.agent.turns.turn import Turn

STALE: Final = 180.0
"""Seconds without a heartbeat after which the loop counts as stuck. A turn takes seconds."""


class Health:
    """What the probes ask. The loop beats and tells of turns; any thread may ask."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._beat = monotonic()
        self._ready = False
        self._why_not = "no turn has been taken yet"

    def beat(self) -> None:
        """Note that the loop is alive."""
        with self._lock:
            self._beat = self._monotonic()

    def observe(self, turn: Turn) -> None:
        """Note what came of a turn."""
        with self._lock:
            self._ready = is_ready(turn, self._ready)
            self._why_not = "" if self._ready else _say_why_not(turn)

    def find_illness(self) -> str:
        """Return why the agent should be started anew; empty while it is well."""
        with self._lock:
            age = self._monotonic() - self._beat
        if age < STALE:
            return ""
        return f"the loop has not been heard of for {age:.0f} s"

    def find_hindrance(self) -> str:
        """Return why the host is not ready; empty when the last verify was good."""
        with self._lock:
            return self._why_not


def _say_why_not(turn: Turn) -> str:
    if troubles := find_troubles(turn):
        return f"{troubles[0].reason}: {troubles[0].message}"
    if conflicts := find_conflicts(turn):
        return f"Conflict: {describe_conflicts(conflicts)}"
    return "the host is not as desired"
