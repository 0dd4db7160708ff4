"""The clerk: errands fail alone, are tried again later each time, and end when told to."""

import threading

from wormhole.agent.publishing.clerk import Clerk
from wormhole.cluster.errors import ApiError

REFUSED = ApiError("PATCH /x", 403, "Forbidden", "no")


class Chore:
    """Fails as often as told, then works."""

    def __init__(self, name: str, failures: int = 0, error: Exception = REFUSED) -> None:
        self.name = name
        self.runs: list[float] = []
        self.falls_due: float | None = None
        self._failures = failures
        self._error = error

    def run(self, now: float) -> None:
        self.runs.append(now)
        if len(self.runs) <= self._failures:
            raise self._error

    def due(self, now: float) -> float | None:
        del now
        return self.falls_due


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_clerk(*chores: Chore, clock: Clock, troubles: list[str] | None = None) -> Clerk:
    clerk = Clerk(
        chores,
        chance=lambda: 1.0,
        monotonic=clock,
        on_trouble=lambda: troubles.append(clerk.tell_error()) if troubles is not None else None,
    )
    return clerk


def test_an_errand_that_fails_does_not_stop_the_next() -> None:
    bad, good = Chore("bad", failures=9), Chore("good")
    a_clerk(bad, good, clock=Clock()).look_through()
    assert (len(bad.runs), len(good.runs)) == (1, 1)


def test_a_failed_errand_is_tried_again_later_each_time() -> None:
    clock, chore = Clock(), Chore("bad", failures=4)
    clerk = a_clerk(chore, clock=clock)
    for tenth in range(300):
        clock.now = 100.0 + tenth / 10
        clerk.look_through()
        if len(chore.runs) == 5:
            break
    assert chore.runs == [100.0, 101.0, 103.0, 107.0, 115.0]


def test_trouble_is_told_when_it_begins_and_when_it_ends() -> None:
    clock, chore, troubles = Clock(), Chore("status", failures=2), list[str]()
    clerk = a_clerk(chore, clock=clock, troubles=troubles)
    for now in (100.0, 101.0, 103.0, 104.0):
        clock.now = now
        clerk.look_through()
    assert troubles == ["status: PATCH /x: 403 Forbidden: no", ""]


def test_a_bug_in_an_errand_is_told_and_is_not_the_end() -> None:
    clock, bad, good = Clock(), Chore("bad", failures=1, error=KeyError("x")), Chore("good")
    clerk = a_clerk(bad, good, clock=clock)
    clerk.look_through()
    assert clerk.tell_error() == "bad: a bug: KeyError: 'x'"
    assert len(good.runs) == 1


def test_the_thread_works_when_poked_and_ends_when_stopped() -> None:
    done = threading.Event()

    class Waiting(Chore):
        def run(self, now: float) -> None:
            super().run(now)
            if len(self.runs) == 2:
                done.set()

    chore = Waiting("chore")
    clerk = Clerk([chore], chance=lambda: 1.0)
    clerk.start()
    for _ in range(100):
        clerk.poke()
        if done.wait(0.05):
            break
    clerk.stop()
    assert len(chore.runs) >= 2
    runs = len(chore.runs)
    clerk.poke()
    assert len(chore.runs) == runs
