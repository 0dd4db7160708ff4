"""A plan to JSON and back, the values in it typed by their kind."""

from typing import Final

import msgspec
from msgspec.structs import replace

from applier.kind import KindValue
from applier.kinds import KINDS
from applier.plan import Change, Plan
from schemas.document import dump

_VALUE_TYPES: Final = {kind.name: kind.value_type for kind in KINDS}


def dump_plan(plan: Plan) -> bytes:
    """Write a plan as canonical JSON; ``schemas/plan.schema.json`` describes it."""
    return dump(plan)


def load_plan(text: str | bytes) -> Plan:
    """Read a plan back, equal to the one that was written.

    Raises:
        ValueError: not a plan (``msgspec.DecodeError`` is one).

    """
    plan = msgspec.json.decode(text, type=Plan)
    return replace(plan, changes=tuple(map(_with_types, plan.changes)))


def _with_types(change: Change) -> Change:
    if change.kind not in _VALUE_TYPES:
        raise msgspec.ValidationError(f"unknown kind {change.kind!r}")
    kind = _VALUE_TYPES[change.kind]
    return replace(change, before=_as(change.before, kind), after=_as(change.after, kind))


def _as(value: KindValue, kind: type[KindValue]) -> KindValue:
    return None if value is None else msgspec.convert(value, kind)
