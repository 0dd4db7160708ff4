"""A turn to what is wrong: a word for programs, and a sentence for whoever has to mend it."""

import re
from collections.abc import Iterable
from typing import Final

from applier.outcome import Failure, Outcome, Result
from applier.plan import Change
from schemas.state import Value
from wormhole.agent.turns.offence import place_of
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.agent.wording import clip, name_some, redact
from wormhole.views.plan import describe_change

_DIGITS: Final = 12

_REASONS: Final = {
    Result.REFUSED: "MassDeleteRefused",
    Result.REVERTED: "Reverted",
    Result.NOT_REVERTED: "NotReverted",
    Result.FILES_LEFT: "FilesLeft",
}


_MOVING: Final = re.compile(r"\b0x[0-9a-f]{6,}\b|\b\d+ of \d+ objects\b")
"""Where an object lies in memory, which some libraries put in their errors; and how much a refused
plan would remove, which moves with all that happens to the host meanwhile."""


class Trouble(Value, frozen=True, kw_only=True):
    """One thing that is wrong."""

    reason: str
    """CamelCase, as reasons of conditions and Events are."""
    message: str
    """One line of at most 1 KiB, without a secret."""
    about: str = ""
    """What makes two of them the same, where the message holds what others chose."""


def find_troubles(turn: Turn) -> tuple[Trouble, ...]:
    """Return what an operator should mend, gravest first; empty when all is well.

    Conflicts are not here, they have a condition of their own. Nor is the API server's absence:
    who reads a status from it would only learn that it had been away.
    """
    return tuple(
        Trouble(reason=reason, message=clip(message), about=_name_places(turn, reason))
        for reason, message in _find_troubles(turn)
    )


def blur(message: str) -> str:
    """Return a sentence without what differs from turn to turn while the trouble is the same."""
    return _MOVING.sub("...", message)


def find_conflicts(turn: Turn) -> tuple[Change, ...]:
    """Return what is in the way after the turn; empty when nothing was compared, too."""
    return turn.outcome.left.conflicts if turn.outcome else ()


def describe_conflicts(conflicts: tuple[Change, ...]) -> str:
    """Return who is in whose way, on one line of at most 1 KiB."""
    return clip(name_some([f"{change.kind} {change.key}: {change.note}" for change in conflicts]))


def _find_troubles(turn: Turn) -> Iterable[tuple[str, str]]:
    if turn.hindrance is not None:
        yield turn.hindrance, redact(turn.error) or "no reason was given"
    if turn.withheld and turn.hindrance is not Hindrance.NOT_CONFIRMED:
        yield Hindrance.NOT_CONFIRMED, f"{turn.withheld}; the last good documents stay"
    if turn.outcome is not None and turn.outcome.result in _REASONS:
        yield _REASONS[turn.outcome.result], redact(_describe_outcome(turn, turn.outcome))
        if turn.outcome.refused and turn.outcome.reverted is not None:
            yield _judge_reversal(turn.outcome), redact(_describe_reversal(turn.outcome))
    if turn.fight:
        yield "Fight", turn.fight
    if turn.desired.problems:
        kept = "; the last good documents stay" if turn.from_memory else ""
        yield "InvalidDocuments", name_some(map(str, turn.desired.problems)) + kept
    elif turn.desired.waiting_for and turn.hindrance is None:
        yield "Waiting", f"waiting for {turn.desired.waiting_for}; the last good documents stay"
    if turn.outcome is not None and turn.outcome.reverted is None and not turn.outcome.files_left:
        for trouble in turn.outcome.trouble:
            yield "Incomplete", redact(trouble)


def _name_places(turn: Turn, reason: str) -> str:
    """Return which fields stop this host's documents: their values are whoever's who wrote them."""
    if reason not in {Hindrance.NO_DOCUMENTS, "InvalidDocuments"}:
        return ""
    return ", ".join(sorted({place_of(problem) for problem in turn.desired.problems}))


def _describe_outcome(turn: Turn, outcome: Outcome) -> str:
    if outcome.refused:
        return f"{outcome.refused}; {_say_what_waits(outcome)}. {_say_how_to_allow(turn, outcome)}"
    if outcome.reverted is not None:
        return _describe_reversal(outcome)
    return f"files could not be removed: {_say_why(outcome)}"


def _say_what_waits(outcome: Outcome) -> str:
    if not outcome.spared:
        return "nothing was changed"
    return "they stay for now" if outcome.reverted is not None else "they stay, all else is done"


def _judge_reversal(outcome: Outcome) -> str:
    return _REASONS[Result.REVERTED if outcome.reverted else Result.NOT_REVERTED]


def _describe_reversal(outcome: Outcome) -> str:
    if outcome.reverted:
        return f"what had been changed was put back: {_say_why(outcome)}"
    return f"not everything could be put back: {_say_why(outcome)}"


def _say_why(outcome: Outcome) -> str:
    return name_some([*map(_describe_failure, outcome.failures), *outcome.trouble])


def _say_how_to_allow(turn: Turn, outcome: Outcome) -> str:
    if turn.source_kind == "folder":
        return "If it is meant: wormhole apply --allow-mass-delete on this host"
    digest = outcome.plan.digest[:_DIGITS]
    note = f"wormhole.dev/allow-mass-delete={digest}"
    return f"If it is meant: kubectl annotate meshnode {turn.host} {note}"


def _describe_failure(failure: Failure) -> str:
    tried = "not tried: " if failure.skipped else ""
    return f"{describe_change(failure.change)}: {tried}{failure.reason}"
