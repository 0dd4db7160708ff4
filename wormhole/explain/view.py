"""An explanation to text: what stands there, why, and which lines of the inventory it is from."""

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from compiler.origins.marks import How
from compiler.origins.origin import Origin
from schemas.problems import neutralise
from schemas.state import Value
from wormhole.console import Paint, paint_plain
from wormhole.explain.addresses import INSIDE
from wormhole.explain.document import Explanation, Told
from wormhole.explain.spelling import spell_held

_WIDTH: Final = 100
_WIDEST: Final = 72
"""How far values push the places that stand behind them."""
_SHOWN: Final = 5
"""How many of the allowed IPs inside a prefix are listed."""
_SAID: Final = {
    How.WRITTEN: "{}",
    How.SILENT: "not given, so the next decides",
    How.DEFAULT: "not given: the default is {}",
}
_NOBODY: Final = "nothing in the inventory: it is the compiler's own"


class View(Value, frozen=True, kw_only=True):
    """How this reader wants it."""

    spell: Callable[[str], str]
    """What the user would call a document."""
    paint: Paint = paint_plain
    verbose: bool = False
    with_inventory: bool = True
    host: str = ""


def describe(explanation: Explanation, view: View) -> str:
    """Return an explanation as text."""
    [first, *more] = explanation.places
    if not more and not first.role:
        lines = [*_describe_place(first, view)]
    else:
        seen = f", as {view.host} has it" if view.host else ""
        lines = [view.paint("strong", neutralise(f"{explanation.asked}{seen}")), ""]
        lines += _describe_places(explanation.places, view)
    return "\n".join((*lines, *_hint(explanation, view)))


def _describe_place(told: Told, view: View) -> Iterator[str]:
    """Yield all of one place."""
    place = neutralise(_spell_place(told, view))
    yield " ".join(part for part in (view.paint("strong", place), neutralise(told.path)) if part)
    yield f"  {neutralise(spell_held(told.value))}"
    yield ""
    yield from textwrap.wrap(told.rule, _WIDTH)
    if told.within:
        yield from textwrap.wrap(neutralise(told.within), _WIDTH)
    if told.reckoning:
        yield f"  {neutralise(told.reckoning)}"
    if view.verbose and told.made_by:
        yield view.paint("faint", f"  {told.made_by}")
    if told.deviation:
        yield ""
        yield from _wrap(view.paint("warning", "differs"), "differs", told.deviation)
    if view.with_inventory and not (told.deviation and not told.origins):
        yield ""
        yield from _list_origins(told.origins, view)


def _describe_places(places: tuple[Told, ...], view: View) -> Iterator[str]:
    """Yield what each place is to what was asked for, and once each line that they come from."""
    notes = _number_origins(_leave_out(places, view), view)
    roles = max(len(neutralise(told.role)) for told in places)
    values = min(max(len(_shorten(told.value)) for told in places), _WIDEST)
    files = max(len(neutralise(_spell_place(told, view))) for told in places)
    for told in _leave_out(places, view):
        place = f"{neutralise(_spell_place(told, view)):<{files}}"
        cited = " ".join(f"[{notes[each]}]" for each in told.origins if each in notes)
        row = f"{neutralise(told.role):<{roles}}  {_shorten(told.value):<{values}}  "
        yield f"{row}{view.paint('faint', place)}  {cited}".rstrip()
        if view.verbose:
            yield from textwrap.wrap(told.rule, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        if told.deviation:
            yield from _wrap(view.paint("warning", "  differs"), "  differs", told.deviation)
    if left_out := len(places) - len(_leave_out(places, view)):
        yield f"and {left_out} more inside it, which -v lists"
    if notes:
        yield ""
        yield from _align([(f"[{n}]", *_spell_origin(origin)) for origin, n in notes.items()])


def _leave_out(places: tuple[Told, ...], view: View) -> tuple[Told, ...]:
    """Return the places without most of what is inside a prefix: a mesh has a thousand nodes."""
    inside = [told for told in places if told.role.startswith(INSIDE)]
    if view.verbose or len(inside) <= _SHOWN + 1:
        return places
    return tuple(told for told in places if told not in inside[_SHOWN:])


def _number_origins(places: tuple[Told, ...], view: View) -> dict[Origin, int]:
    """Give each field its number; those that are silent are for who wants to know all."""
    origins = dict.fromkeys(origin for told in places for origin in told.origins)
    wanted = [each for each in origins if view.verbose or each.how is not How.SILENT]
    return {origin: number for number, origin in enumerate(wanted, 1)}


def _shorten(value: Any) -> str:  # noqa: ANN401 - JSON is anything
    """Spell what stands at a place; of a rule, what it does and its reason."""
    match value:
        case {"verdict": verdict, "comment": comment}:
            return neutralise(f"{verdict}: {comment}")
        case _:
            return neutralise(spell_held(value))


def _list_origins(origins: tuple[Origin, ...], view: View) -> Iterator[str]:
    """Yield the fields of the inventory in columns."""
    rows = [_spell_origin(origin) for origin in origins] or [(_NOBODY,)]
    for number, line in enumerate(_align(rows)):
        head = "    " if number else view.paint("strong", "from")
        yield f"{head}  {line}"


def _align(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _spell_origin(origin: Origin) -> tuple[str, ...]:
    place = f"{origin.file}:{origin.line}" if origin.line else origin.file
    field = f"{origin.object} {origin.path}"
    return tuple(map(neutralise, (place, field, _SAID[origin.how].format(origin.value or "none"))))


def _wrap(painted: str, plain: str, text: str) -> Iterator[str]:
    first, *rest = textwrap.wrap(neutralise(text), _WIDTH - len(plain) - 2) or [""]
    yield f"{painted}: {first}"
    for line in rest:
        yield " " * (len(plain) + 2) + line


def _hint(explanation: Explanation, view: View) -> Iterator[str]:
    roles = any(told.role for told in explanation.places)
    if not view.with_inventory:
        yield ""
        yield "hint: --inventory INVENTORY tells which of its lines this is from"
    elif roles and not view.verbose:
        yield ""
        host = "" if view.host else "; --host NODE tells which route and rules speak of it there"
        yield f"hint: -v tells the rules of the compiler{host}"


def _spell_place(told: Told, view: View) -> str:
    return f"{view.spell(told.file)}:{told.line}"
