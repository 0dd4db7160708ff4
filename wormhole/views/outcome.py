"""What came of an apply or a destroy to sentences; the last one is stable."""

from collections.abc import Iterable, Mapping
from typing import Final

from applier.outcome import Failure, Outcome, Result
from applier.plan import Action
from wormhole.console import Paint, paint_plain, progress
from wormhole.exit import Exit
from wormhole.remarks import count
from wormhole.views.plan import describe_change

_EXITS: Final[Mapping[Result, Exit]] = {
    Result.CONVERGED: Exit.OK,
    Result.CONFLICT: Exit.CONFLICT,
    Result.REFUSED: Exit.REFUSED,
    Result.REVERTED: Exit.REVERTED,
    Result.NOT_REVERTED: Exit.NOT_REVERTED,
    Result.FILES_LEFT: Exit.NOT_REVERTED,
}


def exit_of(outcome: Outcome) -> Exit:
    """Return the command's exit code."""
    return _EXITS[outcome.result]


def show_progress(kind: str, done: int, total: int) -> None:
    """Show how far the work is, where a person is looking."""
    progress(f"{kind}: {done} of {count(total, 'change')} made" if kind else "")


def describe_troubles(
    outcome: Outcome, paint: Paint = paint_plain, *, verbose: bool = False
) -> str:
    """Say what went wrong, one a line; empty when nothing did."""
    word = paint("error", "error")
    return "\n".join(f"{word}: {trouble}" for trouble in _troubles_of(outcome, verbose=verbose))


def summarise_outcome(outcome: Outcome, *, verb: str, converged: str) -> str:
    """Return the last line: the verb in the past, and what is true when all went well."""
    if outcome.refused:
        return f"Refused: {outcome.refused}; nothing was changed."
    made = f"{count(len(outcome.done), 'change')} made"
    if outcome.reverted is not None:
        return f"Failed: {_count_failed(outcome)}; {_describe_revert(outcome)}."
    if outcome.files_left:
        return f"Failed: {made}; files of Wormhole's could not be removed."
    if outcome.left.conflicts:
        conflicts = count(len(outcome.left.conflicts), "conflict")
        return f"{verb}: {made}; {conflicts} left, with what is not Wormhole's."
    return f"{verb}: {made}; {converged}."


def _count_failed(outcome: Outcome) -> str:
    if not outcome.failures:
        return "the host is not as desired after all changes"
    total = sum(change.action != Action.CONFLICT for change in outcome.plan.changes)
    return f"{len(outcome.failures)} of {count(total, 'change')} could not be made"


def _describe_revert(outcome: Outcome) -> str:
    if outcome.reverted:
        return "what had been changed was put back"
    return "not everything could be put back: wormhole plan shows what is left"


def _troubles_of(outcome: Outcome, *, verbose: bool) -> Iterable[str]:
    """Yield what failed. What only waited for it is counted, so that the cause is in sight."""
    waiting = sum(failure.skipped for failure in outcome.failures)
    summed_up = waiting > 1 and not verbose
    for failure in outcome.failures:
        if not (failure.skipped and summed_up):
            yield _describe_failure(failure)
    if summed_up:
        yield f"{count(waiting, 'change')} that wait for this: not tried (-v names them)"
    yield from outcome.trouble


def _describe_failure(failure: Failure) -> str:
    said = describe_change(failure.change)
    if failure.skipped:
        return f"{said}: not tried: {failure.reason}"
    return f"{said}: {failure.reason}"
