"""A place to what is told of it: rule and origins, and whether it is what the inventory gives."""

from typing import Any, Final

from msgspec.structs import replace

from compiler.origins.origin import Origins, spell_value
from compiler.origins.registry import find_reason
from review.model.story import Place
from schemas.problems import spell_path
from wormhole.explain.document import Told
from wormhole.explain.folder import Folder, Steps, look_up

_STRANGE: Final = (
    "No rule of the compiler writes this: it was edited by hand, or by another version of wormhole."
)
_WHY: Final = "edited by hand, or compiled from another revision"
_WIDEST: Final = 200
"""Characters of a value that is said in full."""
_IDENTITIES: Final = (("name",), ("comment",), ("destination", "metric"))
"""What an item of a list is known by when the rest of it differs: chains, rules, routes."""


def tell(folder: Folder, origins: Origins | None, place: Place, role: str = "") -> Told:
    """Tell where a place comes from; without an inventory, by which rule."""
    document = folder.read(place.file)
    reason = find_reason(document, place.path)
    told = Told(
        role=role,
        file=place.file,
        line=folder.line_of(place.file, place.path),
        path=spell_path(place.path),
        value=look_up(document, place.path),
        rule=reason.says if reason else _STRANGE,
        made_by=reason.made_by if reason else "",
    )
    return told if origins is None else _compare(told, document, origins, place)


def _compare(told: Told, document: Any, origins: Origins, place: Place) -> Told:  # noqa: ANN401 - JSON is anything
    """Add the origins of what the inventory compiles to there, and how that differs."""
    if place.file not in origins.files:
        return replace(told, deviation=f"this inventory compiles to no {place.file}: {_WHY}")
    compiled = origins.read(place.file)
    path = _find_counterpart(document, compiled, place.path)
    if path is None:
        return replace(told, deviation=f"this inventory compiles to nothing of the kind: {_WHY}")
    should_be = look_up(compiled, path)
    differs = should_be != told.value
    return replace(
        told,
        origins=origins.find(place.file, path),
        reckoning=origins.reckon(place.file, path),
        deviation=_say_difference(told.value, should_be, path, place.path),
        compiled=should_be if differs else None,
    )


def _say_difference(held: object, should_be: object, path: Steps, asked: Steps) -> str:
    if held != should_be:
        if should_be is None:
            return f"this inventory compiles to nothing there: {_WHY}"
        if isinstance(should_be, dict | list) and len(spell_value(should_be)) > _WIDEST:
            return f"this inventory compiles to something else in there: {_WHY}"
        return f"this inventory compiles to {spell_value(should_be)}: {_WHY}"
    if path != asked:
        return f"in what this inventory compiles to it stands at {spell_path(path)}: {_WHY}"
    return ""


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
