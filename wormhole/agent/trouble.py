"""A turn to what is wrong: a word for programs, and a sentence for whoever has to mend it."""

from collections.abc import Iterable
from typing import Final

from applier.outcome import Failure, Outcome, Result
from applier.plan import Change
from schemas.state import Value
from wormhole.agent.turn import Turn
from wormhole.agent.wording import clip, redact
from wormhole.planview import describe_change
from wormhole.remarks import count

_NAMED: Final = 3
"""How many of several are named in a sentence; the log has them all."""
_DIGITS: Final = 12

_REASONS: Final = {
    Result.REFUSED: "MassDeleteRefused",
    Result.REVERTED: "Reverted",
    Result.NOT_REVERTED: "NotReverted",
    Result.FILES_LEFT: "FilesLeft",
}


class Trouble(Value, frozen=True, kw_only=True):
    """One thing that is wrong."""

    reason: str
    """CamelCase, as reasons of conditions and Events are."""
    message: str
    """One line of at most 1 KiB, without a secret."""


def find_troubles(turn: Turn) -> tuple[Trouble, ...]:
    """Return what an operator should mend, gravest first; empty when all is well.

    Conflicts are not here, they have a condition of their own. Nor is the API server's absence:
    who reads a status from it would only learn that it had been away.
    """
    return tuple(
        Trouble(reason=reason, message=clip(message)) for reason, message in _find_troubles(turn)
    )


def find_conflicts(turn: Turn) -> tuple[Change, ...]:
    """Return what is in the way after the turn; empty when nothing was compared, too."""
    return turn.outcome.left.conflicts if turn.outcome else ()


def describe_conflicts(conflicts: tuple[Change, ...]) -> str:
    """Return who is in whose way, on one line of at most 1 KiB."""
    return clip(_name_some([f"{change.kind} {change.key}: {change.note}" for change in conflicts]))


def _find_troubles(turn: Turn) -> Iterable[tuple[str, str]]:
    if turn.hindrance is not None:
        yield turn.hindrance, redact(turn.error) or "no reason was given"
    if turn.outcome is not None and turn.outcome.result in _REASONS:
        yield _REASONS[turn.outcome.result], redact(_describe_outcome(turn, turn.outcome))
    if turn.fight:
        yield "Fight", turn.fight
    if turn.desired.problems:
        kept = "; the last good documents stay" if turn.from_memory else ""
        yield "InvalidDocuments", _name_some(map(str, turn.desired.problems)) + kept
    elif turn.desired.waiting_for and turn.hindrance is None:
        yield "Waiting", f"waiting for {turn.desired.waiting_for}; the last good documents stay"
    if turn.outcome is not None and turn.outcome.reverted is None and not turn.outcome.files_left:
        for trouble in turn.outcome.trouble:
            yield "Incomplete", redact(trouble)


def _describe_outcome(turn: Turn, outcome: Outcome) -> str:
    if outcome.refused:
        return f"{outcome.refused}; nothing was changed. {_say_how_to_allow(turn, outcome)}"
    why = _name_some([*map(_describe_failure, outcome.failures), *outcome.trouble])
    match outcome.result:
        case Result.REVERTED:
            return f"what had been changed was put back: {why}"
        case Result.NOT_REVERTED:
            return f"not everything could be put back: {why}"
        case _:
            return f"files could not be removed: {why}"


def _say_how_to_allow(turn: Turn, outcome: Outcome) -> str:
    if turn.source_kind == "folder":
        return "If it is meant: wormhole apply --allow-mass-delete on this host"
    digest = outcome.plan.digest[:_DIGITS]
    note = f"wormhole.dev/allow-mass-delete={digest}"
    return f"If it is meant: kubectl annotate meshnode {turn.host} {note}"


def _describe_failure(failure: Failure) -> str:
    tried = "not tried: " if failure.skipped else ""
    return f"{describe_change(failure.change)}: {tried}{failure.reason}"


def _name_some(sentences: Iterable[str]) -> str:
    said = list(sentences)
    named = "; ".join(said[:_NAMED])
    more = len(said) - _NAMED
    return f"{named}; and {count(more, 'more', 'more')}" if more > 0 else named
