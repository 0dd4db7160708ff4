"""The plan: what would change on one host, why, and what it risks. Pure.

``diff`` is the one function that decides. Dry run, apply, verify, revert, destroy and drift
all call it; converged means that it returns nothing.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from schemas.state import API_VERSION, ApiVersion, Value


class Action(StrEnum):
    """What happens to one object."""

    CREATE = "create"
    DELETE = "delete"
    UPDATE = "update"
    RECREATE = "recreate"
    CONFLICT = "conflict"
    """Nothing: a foreign object stands in the way and is left alone."""


class Cause(StrEnum):
    """Why live and desired state differ, judged by what was applied last."""

    DESIRED = "desired changed"
    DRIFT = "drift"
    BOTH = "both"


class Risk(StrEnum):
    """What traffic notices, in rising order."""

    HITLESS = "hitless"
    SESSION_DROP = "session drop"
    DISRUPTIVE = "disruptive"


class Change(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One object, one action."""

    kind: str
    key: str
    action: Action
    before: Any = None
    """The observed value (a frozen value of the kind's), None when there is none."""
    after: Any = None
    """The desired value, None when there is none."""
    cause: Cause
    risk: Risk = Risk.HITLESS
    note: str = ""
    """What an operator should know: who is in the way, why this cannot be done in place."""


class Plan(Value, frozen=True, kw_only=True, omit_defaults=False, tag_field="kind", tag="Plan"):
    """All changes of one host, in the order in which they are made."""

    api_version: ApiVersion = API_VERSION

    host: str
    digest: str
    """SHA-256 of the desired state's canonical JSON."""
    changes: tuple[Change, ...] = ()

    @property
    def conflicts(self) -> tuple[Change, ...]:
        """The changes that somebody else's object forbids."""
        return tuple(change for change in self.changes if change.action is Action.CONFLICT)


class Observed(Value, frozen=True, kw_only=True):
    """What one kind found: what is ours by its marks, and foreign objects under keys of ours."""

    owned: Mapping[str, Any]
    foreign: Mapping[str, str] = {}
    """Key to a sentence that says what is there and whose it seems to be."""
