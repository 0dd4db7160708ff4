"""A review, and the warnings of a compile, to a commit message that a stranger can read."""

from collections.abc import Iterator

from review.changes.review import Review
from review.changes.summary import describe_text, summarise
from schemas.problems import Problem, neutralise
from schemas.state import Value
from wormhole.remarks import count

_SUBJECT = 72
"""Characters of a first line that every tool shows."""
_SHOWN_WARNINGS = 10


class Occasion(Value, frozen=True, kw_only=True):
    """What a commit is about."""

    mesh: str
    hosts: int
    review: Review | None
    """From the committed state to the new one; None: there is none before, or it is unreadable."""
    why_none: str = ""
    """Why the committed state could not be read; empty: there was none."""
    state_files: int
    """How many documents differ."""
    rendered_files: int
    warnings: tuple[Problem, ...]


def write_message(occasion: Occasion) -> str:
    """Return a subject of at most 72 characters, a blank line, and what there is to say."""
    sections = ["\n".join(lines) for lines in _write_body(occasion) if lines]
    return "\n\n".join([_write_subject(occasion)[:_SUBJECT].rstrip(), *sections]) + "\n"


def _write_subject(occasion: Occasion) -> str:
    mesh, review = neutralise(occasion.mesh), occasion.review
    if review is None:
        verb = "is replaced" if occasion.why_none else "begins"
        return f"mesh {mesh} {verb}: {count(occasion.hosts, 'host')}"
    if review.entries:
        return summarise(review)
    what = "documents" if occasion.state_files else "rendered text"
    return f"mesh {mesh}: {what} written anew, no other change"


def _write_body(occasion: Occasion) -> Iterator[list[str]]:
    if occasion.why_none:
        yield [f"The state before cannot be read: {neutralise(occasion.why_none)}"]
    if occasion.review is not None:
        yield [line.rstrip() for line in describe_text(occasion.review, hint="")]
    yield _write_warnings(occasion.warnings)
    if occasion.rendered_files:
        yield [f"Native text: {count(occasion.rendered_files, 'file')} rendered anew or removed."]


def _write_warnings(warnings: tuple[Problem, ...]) -> list[str]:
    """List some warnings, each behind a dash: no line of theirs may pass for a trailer."""
    if not warnings:
        return []
    shown = [f"- {warning}" for warning in warnings[:_SHOWN_WARNINGS]]
    left = len(warnings) - len(shown)
    more = [f"- and {left} more"] if left else []
    return [f"{count(len(warnings), 'warning')}:", *shown, *more]
