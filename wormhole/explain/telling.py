"""Tell of a place: its rule, its origins, and whether the inventory still gives it."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from compiler.origins.origin import Origins
from compiler.origins.registry import find_reason
from review.model.story import Place
from schemas.lines import Path as Steps
from schemas.problems import spell_path
from wormhole.explain.document import Told
from wormhole.explain.held import Held
from wormhole.explain.spelling import spell_held
from wormhole.files.statetexts import look_up

_STRANGE: Final = (
    "No rule of the compiler writes this: it was edited by hand, or by another version of wormhole."
)
_WHY: Final = "edited by hand, or compiled from another revision"
_IDENTITIES: Final = (("name",), ("comment",), ("destination", "metric"))
"""What an item of a list is known by when the rest of it differs: chains, rules, routes."""


def tell_all(
    held: Held, origins: Origins | None, places: Iterable[tuple[str, Place]]
) -> tuple[Told, ...]:
    """Tell where places come from; without an inventory, by which rules."""
    told = [(place, _tell(held, place, role)) for role, place in places]
    if origins is None:
        return tuple(each for _, each in told)
    counterparts = [_match(held, origins, place) for place, _ in told]
    wanted = [
        (place.file, path)
        for (place, _), path in zip(told, counterparts, strict=True)
        if path is not None
    ]
    found = iter(origins.find_all(wanted))
    return tuple(
        _say_missing(each, origins)
        if path is None
        else _compare(replace(each, origins=next(found)), origins, place, path)
        for (place, each), path in zip(told, counterparts, strict=True)
    )


def _tell(held: Held, place: Place, role: str) -> Told:
    document = held.read(place.file)
    reason = find_reason(document, place.path)
    return Told(
        role=role,
        file=place.file,
        line=(held.texts.line_of(place) or 1),
        path=spell_path(place.path),
        value=look_up(document, place.path),
        rule=reason.says if reason else _STRANGE,
        within=reason.within if reason else "",
        made_by=reason.made_by if reason else "",
    )


def _match(held: Held, origins: Origins, place: Place) -> Steps | None:
    """Return where a place is in what the inventory compiles to; None where it is nothing there."""
    if place.file not in origins.files:
        return None
    return _find_counterpart(held.read(place.file), origins.read(place.file), place.path)


def _say_missing(told: Told, origins: Origins) -> Told:
    nothing = "nothing of the kind" if told.file in origins.files else f"no {told.file}"
    return replace(told, deviation=f"this inventory compiles to {nothing}: {_WHY}")


def _compare(told: Told, origins: Origins, place: Place, path: Steps) -> Told:
    """Add the arithmetic, and how it differs from what the inventory compiles to."""
    should_be = look_up(origins.read(place.file), path)
    return replace(
        told,
        reckoning=origins.reckon(place.file, path),
        deviation=_say_difference(told.value, should_be, path, place.path),
        compiled=should_be if should_be != told.value else None,
    )


def _say_difference(held: object, should_be: object, path: Steps, asked: Steps) -> str:
    if held != should_be:
        if should_be is None:
            return f"this inventory compiles to nothing there: {_WHY}"
        return f"this inventory compiles to {_spell_other(held, should_be)}: {_WHY}"
    if path != asked:
        return f"in what this inventory compiles to it stands at {spell_path(path)}: {_WHY}"
    return ""


def _spell_other(held: object, should_be: object) -> str:
    """Spell what should be there, unless that reads like what is."""
    spelt = spell_held(should_be)
    return spelt if spelt != spell_held(held) else "something else inside of it"


def _find_counterpart(held: Any, compiled: Any, path: Steps) -> Steps | None:  # noqa: ANN401 - as above
    """Return where in the compiled document that stands which a place in the held one is about.

    Items of lists are looked for by what they are, since one more or less moves all behind it.
    """
    found: list[str | int] = []
    for depth, step in enumerate(path):
        there: str | int | None = step
        if isinstance(step, int):
            there = _find_item(held, compiled, step)
        elif step not in compiled and depth < len(path) - 1:
            there = None
        if there is None:
            return None
        found.append(there)
        held, compiled = look_up(held, (step,)), look_up(compiled, (there,))
    return tuple(found)


def _find_item(held: list[Any], items: list[Any], index: int) -> int | None:
    item = held[index]
    if index < len(items) and items[index] == item:
        return index
    if item in items:
        return items.index(item)
    if alike := _find_alike(item, items):
        return index if index in alike else alike[0]
    # What stands there is nobody else's counterpart: this was probably made of it.
    return index if index < len(items) and items[index] not in held else None


def _find_alike(item: Any, items: list[Any]) -> list[int]:  # noqa: ANN401 - as above
    """Return which items are the same chain, rule or route, by what these are known by."""
    for fields in _IDENTITIES:
        if isinstance(item, dict) and all(field in item for field in fields):
            wanted = [item[field] for field in fields]
            return [
                number
                for number, other in enumerate(items)
                if [other.get(field) for field in fields] == wanted
            ]
    return []
