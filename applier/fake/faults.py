"""Failures to order, and a count of everything that a host was asked to do."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from applier.errors import HostError


class Killed(BaseException):
    """The process was killed here. Not an ``Exception``: nothing may catch it and go on."""


class Faults:
    """What was done, and what is to go wrong.

    A write is made of steps: a process can be killed between any two, as it can between the
    messages of a large WireGuard configuration or between the tables of one iptables-restore.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """By door."""
        self.writes: list[str] = []
        """Every call that changed, or tried to change, something: the door and its target."""
        self.steps = 0
        self.watch: Callable[[], None] = _watch_nothing
        """Called after every step: laws that must always hold are checked here."""
        self._orders: dict[tuple[str, int], tuple[HostError, int]] = {}
        self._last_step: int | None = None
        self._pending: tuple[HostError, int] | None = None

    def fail(self, door: str, nth: int, error: HostError, *, after: int = 0) -> None:
        """Let the nth call of a door (from 1, counted from now) fail after some of its steps."""
        self._orders[door, self.calls[door] + nth] = (error, after)

    def kill_after(self, steps: int) -> None:
        """Let the process be killed when so many more steps have been made."""
        self._last_step = self.steps + steps

    def calm(self) -> None:
        """Order nothing any more."""
        self._orders.clear()
        self._last_step = None
        self._pending = None

    def read(self, door: str) -> None:
        """Count a call that changes nothing; raise what was ordered for it."""
        self.calls[door] += 1
        order = self._orders.pop((door, self.calls[door]), None)
        if order is not None:
            raise order[0]

    @contextmanager
    def write(self, door: str, target: str) -> Iterator[None]:
        """Count a call that changes something, and its last step."""
        self.calls[door] += 1
        self.writes.append(f"{door} {target}")
        self._pending = self._orders.pop((door, self.calls[door]), None)
        if self._pending is not None and self._pending[1] == 0:
            error, self._pending = self._pending[0], None
            raise error
        yield
        self._pending = None
        self.step()

    def step(self) -> None:
        """Mark a moment at which the outside can see what was done so far."""
        self.steps += 1
        self.watch()
        if self._last_step is not None and self.steps >= self._last_step:
            raise Killed(f"after step {self.steps}")
        if self._pending is not None:
            error, left = self._pending
            self._pending = (error, left - 1)
            if left <= 1:
                self._pending = None
                raise error


def _watch_nothing() -> None:
    """Check nothing."""
