"""A planned change of one host to its outcome: carried out, verified, reverted on failure."""

from time import sleep
from typing import Final

from msgspec.structs import replace

from applier.carry import carry_out_whole
from applier.diff import diff
from applier.errors import HostError
from applier.host import Host
from applier.outcome import Failure, Outcome, Progress
from applier.plan import Action, Change, Plan
from applier.revert import revert
from applier.situation import Situation, look_again

_PAUSES: Final = (0.05, 0.2, 0.75)
"""Seconds between looks at a host that has not settled: a link that is only coming up."""

_BACK: Final = "what had been changed on this host is put back"
_NOT_BACK: Final = "this host is changed in part; the next apply completes it"


def make_plan(situation: Situation, host: str, digest: str) -> Plan:
    """Return what leads from what is observed to what is desired."""
    changes = diff(situation.desired, situation.observed, situation.last)
    return Plan(host=host, digest=digest, changes=changes)


def carry_through(host: Host, before: Situation, plan: Plan, progress: Progress) -> Outcome:
    """Make the changes of a plan; end with all of them verified, or with none of them.

    From the first write on, whatever goes wrong on the host is part of the outcome. A bug of ours
    is raised, after the host was put back.
    """
    try:
        done, failures = carry_out_whole(
            host,
            plan.changes,
            lambda: diff(before.desired, look_again(host, before).observed, before.last),
            before.scope,
            progress,
        )
    except Exception as error:
        complete = revert(host, before, progress).complete
        error.add_note(_BACK if complete else _NOT_BACK)
        raise
    left, trouble = _verify(host, before, plan, failures)
    outcome = Outcome(plan=plan, done=done, failures=failures, left=left, trouble=trouble)
    if not failures and not trouble:
        return outcome
    reversal = revert(host, before, progress)
    return replace(outcome, reverted=reversal.complete, trouble=(*trouble, *reversal.trouble))


def is_converged(plan: Plan) -> bool:
    """Whether nothing is left but what somebody else's objects forbid."""
    return all(change.action is Action.CONFLICT for change in plan.changes)


def _verify(
    host: Host, before: Situation, plan: Plan, failures: tuple[Failure, ...]
) -> tuple[Plan, tuple[str, ...]]:
    """Plan again; return what is left to do, and what is wrong with that."""
    try:
        left = _settle(host, before, plan, () if failures else _PAUSES)
    except HostError as error:
        return plan, (f"verify: {error}",)
    return left, _unverified(left, failures)


def _settle(host: Host, before: Situation, plan: Plan, pauses: tuple[float, ...]) -> Plan:
    """Plan again until nothing is left, a few times if need be."""
    left = make_plan(look_again(host, before), plan.host, plan.digest)
    for pause in pauses:
        if is_converged(left):
            break
        sleep(pause)
        left = make_plan(look_again(host, before), plan.host, plan.digest)
    return left


def _unverified(left: Plan, failures: tuple[Failure, ...]) -> tuple[str, ...]:
    """Name what was done without effect: without a failure that would explain it."""
    if failures:
        return ()
    open_changes = (change for change in left.changes if change.action is not Action.CONFLICT)
    return tuple(f"verify: {_name(change)} is not as desired" for change in open_changes)


def _name(change: Change) -> str:
    return f"{change.kind} {change.key}"
