"""The loop: what it does with wake-ups, failures and the end."""

import threading
from collections.abc import Callable

from applier.outcome import Outcome
from applier.plan import Plan
from wormhole.agent.desired import Cause, Desired
from wormhole.agent.turns.loop import Loop, is_failure
from wormhole.agent.turns.pace import Pace
from wormhole.agent.turns.turn import Hindrance, Turn

PLAN = Plan(host="node-a", digest="0" * 64)


def a_turn(hindrance: Hindrance | None = None, outcome: Outcome | None = None) -> Turn:
    return Turn(
        number=1,
        causes=(Cause.START,),
        started=0.0,
        seconds=0.1,
        host="node-a",
        source_kind="cluster",
        desired=Desired(),
        hindrance=hindrance,
        outcome=outcome,
    )


class Script:
    """Takes turns as told, and stops the loop when there are no more."""

    def __init__(self, *turns: Turn) -> None:
        self._turns = list(turns)
        self.causes: list[tuple[Cause, ...]] = []
        self.then: Callable[[], None] = lambda: None
        self.after: dict[int, Callable[[], None]] = {}

    def take(self, causes: tuple[Cause, ...]) -> tuple[Turn, float | None]:
        self.causes.append(causes)
        self.after.get(len(self.causes), lambda: None)()
        turn = self._turns.pop(0)
        if not self._turns:
            self.then()
        return turn, None


def run(script: Script, wake: Cause | None = None) -> list[Turn]:
    """Run a script to its end; ``wake`` happens during the first turn."""
    told: list[Turn] = []
    loop = Loop(script, Pace(lambda: 0.0), [told.append], lambda: None)
    script.then = loop.stop
    if wake is not None:
        script.after[1] = lambda: loop.wake(wake)
    limit = threading.Timer(30, loop.stop)  # a test that hangs must end
    limit.start()
    loop.run()
    limit.cancel()
    return told


def test_the_first_turn_is_the_start_and_observers_are_told() -> None:
    turn = a_turn(outcome=Outcome(plan=PLAN, left=PLAN))
    script = Script(turn)
    assert run(script) == [turn]
    assert script.causes == [(Cause.START,)]


def test_a_failed_turn_is_retried() -> None:
    script = Script(a_turn(Hindrance.UNOBSERVABLE), a_turn())
    run(script)
    assert script.causes == [(Cause.START,), (Cause.RETRY,)]


def test_what_happens_during_a_turn_calls_for_another() -> None:
    good = Outcome(plan=PLAN, left=PLAN)
    script = Script(a_turn(outcome=good), a_turn(outcome=good))
    run(script, wake=Cause.KERNEL)
    assert script.causes == [(Cause.START,), (Cause.KERNEL,)]


def test_a_stopped_loop_takes_no_turn() -> None:
    script = Script(a_turn())
    loop = Loop(script, Pace(lambda: 0.0), [], lambda: None)
    loop.stop()
    loop.run()
    assert script.causes == []


def test_only_what_trying_again_may_mend_counts_as_failed() -> None:
    fine = Outcome(plan=PLAN, left=PLAN)
    failures = {hindrance: is_failure(a_turn(hindrance)) for hindrance in Hindrance}
    assert {each for each, failed in failures.items() if not failed} == {
        Hindrance.NO_DOCUMENTS,
        Hindrance.HELD_BACK,
        Hindrance.ON_TRIAL,
        Hindrance.NOT_CONFIRMED,
    }
    assert not is_failure(a_turn(outcome=fine))
    assert not is_failure(a_turn(outcome=Outcome(plan=PLAN, left=PLAN, refused="too much")))
    assert is_failure(a_turn(outcome=Outcome(plan=PLAN, left=PLAN, reverted=True)))
