"""A snapshot of a host to the same host as it was: reverting is planning towards it."""

from functools import partial

from applier.carry import carry_out_whole
from applier.diff import diff, state_of
from applier.errors import HostError
from applier.host import Host
from applier.outcome import Failure, Progress
from applier.plan import Action, Change
from applier.situation import Situation, look_again
from schemas.state import Value


class Reversal(Value, frozen=True, kw_only=True):
    """What came of reverting."""

    complete: bool
    trouble: tuple[str, ...] = ()
    """What could not be put back, and why."""
    causes: tuple[str, ...] = ()
    """Of these, what the others wait for: a link has twenty things that do."""


def revert(host: Host, before: Situation, progress: Progress) -> Reversal:
    """Give everything of ours the state that was observed before; never stop at a failure."""
    try:
        back = partial(_changes_back, host, before)
        _, failures = carry_out_whole(host, back(), back, before.scope, progress)
        left = _changes_back(host, before)
    except HostError as error:
        return fail(f"revert: {error}")
    if not left:
        return Reversal(complete=True)
    names = tuple(map(_name, left))
    causes = tuple(_tell(failure) for failure in failures if not failure.skipped)
    return Reversal(complete=False, trouble=(*map(_tell, failures), *names), causes=causes or names)


def fail(reason: str) -> Reversal:
    """Return what came of reverting that did not get on at all."""
    return Reversal(complete=False, trouble=(reason,), causes=(reason,))


def _changes_back(host: Host, before: Situation) -> tuple[Change, ...]:
    """Plan towards the snapshot; what we wanted in between counts as applied last.

    So an endpoint that we changed is changed back at once, although the peer is being heard.
    """
    now = look_again(host, before)
    changes = diff(state_of(before.observed), now.observed, before.desired)
    return tuple(change for change in changes if change.action is not Action.CONFLICT)


def _tell(failure: Failure) -> str:
    return f"revert: {failure.change.kind} {failure.change.key}: {failure.reason}"


def _name(change: Change) -> str:
    return f"not reverted: {change.kind} {change.key}"
