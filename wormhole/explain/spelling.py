"""Spell what stands at a place on one line."""

from typing import Any, Final

from compiler.origins.origin import spell_value
from wormhole.remarks import count

_LONG: Final = 100
"""Characters; a list or a mapping that is longer is only counted."""


def spell_held(value: Any) -> str:  # noqa: ANN401 - JSON is anything
    """Spell what stands at a place on one line."""
    match value:
        case None:
            return "(not there)"
        case {"verdict": verdict, "comment": comment, **matches}:
            spelt = (f"{name} {spell_value(match)}" for name, match in matches.items())
            return f"{', '.join((verdict, *spelt))} ({comment})"
        case {"destination": destination, "type": kind, "metric": metric, **rest}:
            by = f" by {rest['device']}" if "device" in rest else f" {kind}"
            return f"{destination}{by}, metric {metric}"
        case {"rangeStart": first, "rangeEnd": last, **_rest}:
            return f"{first} to {last}"
        case dict() | list() if len(spell_value(value)) > _LONG:
            return count(len(value), "field" if isinstance(value, dict) else "item")
        case _:
            return spell_value(value)
