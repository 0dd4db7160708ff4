"""Say a value, or what differs between two, field by field, in words for a reader."""

import json
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from schemas.problems import neutralise
from schemas.state import Value
from wormhole.remarks import count

NONE: Final = "(none)"
LINE: Final = 76
"""How much is said beside a key before it goes to lines of its own."""
_LINES: Final = 6
"""How many lines of one field are shown unless all are asked for."""


class FieldText(Value, frozen=True, kw_only=True):
    """What is said of one field: on one line, or on several."""

    name: str
    """Dotted; empty when the value has no fields."""
    text: str
    lines: tuple[str, ...] = ()
    """What is too long for the line, one item each."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.name, self.text) if part)


def describe_value(
    value: object, *, leave_out: AbstractSet[str] = frozenset()
) -> tuple[FieldText, ...]:
    """Say a whole value; what is empty, off or none is left out."""
    return tuple(
        _say_items(name, item) if isinstance(item, list) else _say_scalar(name, item)
        for name, item in _flatten(plain(value)).items()
        if item not in (None, "", [], False) and name not in leave_out
    )


def describe_difference(
    before: object, after: object, *, leave_out: AbstractSet[str] = frozenset()
) -> tuple[FieldText, ...]:
    """Say what differs, fields in the order of ``after``."""
    old, new = (_flatten(plain(value)) for value in (before, after))
    names = [*new, *(name for name in old if name not in new)]
    return tuple(
        _compare(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name) and name not in leave_out
    )


def describe_on_lines(fields: Iterable[FieldText], *, verbose: bool) -> Iterator[str]:
    """Say each field on lines of its own."""
    for field in fields:
        yield str(field)
        shown = field.lines if verbose else field.lines[:_LINES]
        yield from (f"  {line}" for line in shown)
        if len(field.lines) > len(shown):
            yield f"  and {len(field.lines) - len(shown)} more (-v shows them)"


def plain(value: object) -> object:
    """Return a value as JSON would have it, every field present.

    ``msgspec.to_builtins`` leaves out defaults, but tells them by identity: two equal values may
    come out with different fields.
    """
    match value:
        case msgspec.Struct():
            names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            return {encoded: plain(getattr(value, name)) for encoded, name in names}
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case tuple() | list():
            return [plain(item) for item in value]
        case _:
            return value


def _flatten(value: object, path: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted path; a list is a leaf."""
    if not isinstance(value, Mapping):
        # A field that is called "value" says no more than the object's own name does.
        return {"" if path == "value" else path: value}
    leaves: dict[str, Any] = {}
    for name, item in value.items():
        leaves |= _flatten(item, f"{path}.{name}" if path else str(name))
    return leaves


def _say_scalar(name: str, value: object) -> FieldText:
    text = _spell(value)
    if "\n" in text:
        lines = tuple(text.splitlines())
        return FieldText(name=name, text=f"{len(lines)} lines", lines=lines)
    return FieldText(name=name, text="" if value is True and name else text)


def _say_items(name: str, items: list[Any]) -> FieldText:
    words = tuple(_spell(item) for item in items)
    if all(isinstance(item, str) and " " not in item for item in items):
        return FieldText(name=name, text=" ".join(words))
    noun = (name or "items").removesuffix("s")
    return FieldText(name="", text=count(len(words), noun), lines=words)


def _compare(name: str, before: object, after: object) -> FieldText:
    if isinstance(before, list) or isinstance(after, list):
        return _compare_items(name, _words(before), _words(after))
    old, new = _spell(before), _spell(after)
    if "\n" in old or "\n" in new:
        return _compare_items(name, old.splitlines(), new.splitlines())
    return FieldText(name=name, text=f"{old} -> {new}")


def _compare_items(name: str, old: list[str], new: list[str]) -> FieldText:
    """Say which items come and go; what both hold is left out."""
    kept = set(old) & set(new)
    removed = [item for item in old if item not in kept]
    added = [item for item in new if item not in kept]
    if not (removed or added):
        text = "the same, elsewhere" if old == new else "the same, in another order"
        return FieldText(name=name, text=text)
    if any(" " in item for item in removed + added):
        lines = (*(f"- {item}" for item in removed), *(f"+ {item}" for item in added))
        text = f"{len(added)} added, {len(removed)} removed"
        return FieldText(name=name, text=text, lines=lines)
    words = [*(f"-{item}" for item in removed), *(f"+{item}" for item in added)]
    return FieldText(name=name, text=" ".join(words))


def _words(value: object) -> list[str]:
    return [_spell(item) for item in value] if isinstance(value, list) else []


def _spell(value: object) -> str:
    match value:
        case None | "":
            return NONE
        case str(text) | {"rule": str(text)}:
            return "\n".join(map(neutralise, text.split("\n")))
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(map(str, describe_value(value)))
        case _:
            return json.dumps(value, ensure_ascii=False)
