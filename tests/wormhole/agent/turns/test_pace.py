"""The pace of the loop: bursts, failures and fights."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.plan import Action, Cause, Change
from wormhole.agent.desired import Cause as Wakeup
from wormhole.agent.turns.pace import (
    CONTESTED_INTERVAL,
    FIGHT_LONGEST,
    FIGHT_ROUNDS,
    INTERVAL,
    PATIENCE,
    QUIET,
    RETRY_LONGEST,
    Fight,
    Fights,
    Pace,
    back_off,
)


def a_pace(chance: float = 1.0) -> Pace:
    return Pace(lambda: chance)


def drift(key: str, cause: Cause = Cause.DRIFT) -> Change:
    return Change(kind="routes", key=key, action=Action.CREATE, cause=cause)


def conflict(key: str) -> Change:
    return Change(kind="routes", key=key, action=Action.CONFLICT, cause=Cause.DRIFT)


def test_nothing_is_due_before_anything_happened() -> None:
    assert a_pace().due() is None


def test_one_event_is_due_after_a_moment_of_quiet() -> None:
    pace = a_pace()
    pace.mark(Wakeup.CLUSTER, 10.0)
    assert pace.due() == 10.0 + QUIET


def test_a_burst_is_one_turn_and_says_all_its_causes_once() -> None:
    pace = a_pace()
    for moment, cause in ((10.0, Wakeup.CLUSTER), (10.1, Wakeup.KERNEL), (10.2, Wakeup.CLUSTER)):
        pace.mark(cause, moment)
    assert pace.due() == pytest.approx(10.2 + QUIET)
    assert pace.take(10.5) == (Wakeup.CLUSTER, Wakeup.KERNEL)
    pace.settle(10.6, failed=False)
    assert pace.due() is None


def test_a_burst_without_end_is_cut_after_the_patience() -> None:
    pace = a_pace()
    for tenth in range(100):
        pace.mark(Wakeup.CLUSTER, 10.0 + tenth / 10)
    assert pace.due() == 10.0 + PATIENCE


def test_turns_keep_their_distance() -> None:
    pace = a_pace()
    pace.mark(Wakeup.CLUSTER, 10.0)
    pace.take(10.2)
    pace.settle(10.3, failed=False)
    pace.mark(Wakeup.CLUSTER, 10.31)
    assert pace.due() == 10.3 + INTERVAL


def test_failures_are_repeated_later_each_time_and_never_later_than_the_longest() -> None:
    waits = []
    pace = a_pace()
    now = 0.0
    for _ in range(10):
        pace.settle(now, failed=True)
        due = pace.due()
        assert due is not None
        waits.append(due - now)
        assert pace.take(due) == (Wakeup.RETRY,)
        now = due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_success_forgets_the_failures() -> None:
    pace = a_pace()
    pace.settle(0.0, failed=True)
    pace.take(1.0)
    pace.settle(1.0, failed=False)
    assert pace.due() is None
    pace.settle(2.0, failed=True)
    assert pace.due() == 3.0


@pytest.mark.parametrize("echo", [Wakeup.KERNEL, Wakeup.TIMER])
def test_what_may_be_the_echo_of_a_failure_waits_for_the_retry(echo: Wakeup) -> None:
    pace = a_pace()
    for _ in range(5):
        pace.settle(0.0, failed=True)
    pace.mark(echo, 0.1)
    assert pace.due() == 16.0


@pytest.mark.parametrize("news", [Wakeup.CLUSTER, Wakeup.FOLDER, Wakeup.FILE])
def test_what_may_mend_a_failure_does_not_wait(news: Wakeup) -> None:
    pace = a_pace()
    for _ in range(5):
        pace.settle(0.0, failed=True)
    pace.mark(news, 0.5)
    assert pace.due() == INTERVAL


@pytest.mark.law
@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_a_retry_waits_between_half_and_all_of_its_time(failures: int, chance: float) -> None:
    assert back_off(failures, 0) <= back_off(failures, chance) <= back_off(failures, 1)
    assert back_off(failures, 0) == back_off(failures, 1) / 2
    assert back_off(failures, 1) <= RETRY_LONGEST


def test_what_is_put_off_falls_due_and_holds_up_nothing_else_for_long() -> None:
    pace = a_pace()
    pace.settle(100.0, failed=False)
    pace.postpone(160.0)
    assert pace.due() == 160.0
    pace.mark(Wakeup.KERNEL, 100.1)
    assert pace.due() == 100.0 + CONTESTED_INTERVAL
    assert pace.take(105.0) == (Wakeup.KERNEL,)
    pace.settle(105.1, failed=False)
    pace.postpone(160.0)
    assert pace.take(160.0) == (Wakeup.RETRY,)


def test_drift_is_mended_at_once_until_it_looks_like_a_fight() -> None:
    fights = Fights()
    for round_ in range(FIGHT_ROUNDS):
        assert fights.hold([drift("a")], float(round_)) is None
        fights.note([drift("a")], float(round_))
    last = FIGHT_ROUNDS - 1.0
    assert fights.hold([drift("a")], last + 0.5) == last + 2.0
    assert fights.hold([drift("a")], last + 2.0) is None
    assert fights.current(last) == (Fight(kind="routes", key="a", rounds=FIGHT_ROUNDS),)


def test_a_long_fight_goes_on_once_a_minute() -> None:
    fights = Fights()
    for round_ in range(30):
        fights.note([drift("a")], float(round_))
    assert fights.hold([drift("a")], 30.0) == 29.0 + FIGHT_LONGEST


def test_a_plan_with_anything_else_in_it_does_not_wait() -> None:
    fights = Fights()
    for round_ in range(5):
        fights.note([drift("a")], float(round_))
    assert fights.hold([drift("a"), drift("b")], 5.0) is None
    assert fights.hold([drift("a", Cause.DESIRED)], 5.0) is None
    assert fights.hold([drift("a"), conflict("c")], 5.0) is not None


def test_an_empty_plan_and_one_of_conflicts_do_not_wait() -> None:
    fights = Fights()
    assert fights.hold([], 1.0) is None
    assert fights.hold([conflict("c")], 1.0) is None


def test_a_fight_is_forgotten_when_it_has_been_over_for_long() -> None:
    fights = Fights()
    for round_ in range(5):
        fights.note([drift("a")], float(round_))
    assert fights.current(100.0) != ()
    assert fights.current(1000.0) == ()
    assert fights.hold([drift("a")], 1000.0) is None


def test_what_was_asked_for_is_no_fight() -> None:
    fights = Fights()
    for round_ in range(9):
        fights.note([drift("a", Cause.DESIRED), drift("b", Cause.BOTH)], float(round_))
    assert fights.current(9.0) == ()
