"""Why a difference is there: equal reasons, wherever they show, become one entry."""

from typing import NamedTuple

from review.changes.review import Cause

Told = str | tuple[str, ...] | None
"""A value, several, or none, as a sentence tells it."""


class Reason(NamedTuple):
    """A cause, and what tells it from others of its kind."""

    cause: Cause
    subject: str = ""
    """The node, prefix, parameter, chain or path; empty where there is only one such thing."""
    before: Told = None
    """What it was, or what it loses."""
    after: Told = None
    """What it is, or what it gains."""


def tell_several(told: Told) -> tuple[str, ...]:
    """Return the values of a reason that lists them; none of a reason that does not."""
    return told if isinstance(told, tuple) else ()


def tell(value: object) -> str | None:
    """Return a plain value as a reason holds it; None for one that is not there."""
    return str(value) if isinstance(value, str | int) else None
