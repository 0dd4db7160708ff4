"""Two values to the places where they differ: all of them, each once.

It walks whatever documents are made of, so that a field that is added to them is compared too.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from schemas.state import Chain, Route

Path = tuple[str | int, ...]

_NAMES: Final = ("type", "name", "subnet", "dst")
"""What tells apart the objects of a list in a CNI configuration (CNI specification 1.0.0, section
1, and its host-local plugin): the first of these that an object has."""


class Delta(NamedTuple):
    """One difference. There may be a hundred thousand, so it is a plain tuple."""

    file: str
    path: Path
    """Fields as documents spell them. An item of a list that goes is counted among the old ones,
    one that comes among the new ones, one that is changed inside among the old ones."""
    before: Any
    """``UNSET``: it was not there."""
    after: Any
    """``UNSET``: it is not there any more."""

    @property
    def comes(self) -> bool:
        """Whether it was not there before."""
        return self.before is UNSET

    @property
    def goes(self) -> bool:
        """Whether it is not there any more."""
        return self.after is UNSET

    @property
    def value(self) -> Any:  # noqa: ANN401 - any part of a document
        """What goes, else what is there now."""
        return self.before if self.after is UNSET else self.after


def find_deltas(file: str, before: object, after: object, path: Path = ()) -> Iterator[Delta]:
    """Yield every difference between two values, in the order of their fields."""
    if before == after and type(before) is type(after):
        return
    if isinstance(before, msgspec.Struct) and type(before) is type(after):
        yield from _in_struct(file, before, after, path)
    elif isinstance(before, dict) and isinstance(after, dict):
        yield from _in_dict(file, before, after, path)
    elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
        yield from _in_list(file, before, after, path)
    else:
        yield Delta(file, path, before, after)


def _in_struct(file: str, before: msgspec.Struct, after: object, path: Path) -> Iterator[Delta]:
    fields = zip(before.__struct_fields__, before.__struct_encode_fields__, strict=True)
    for field, spelt in fields:
        one, other = getattr(before, field), getattr(after, field)
        if one is None or other is None:  # an absent optional field
            if one is not other:
                there = (UNSET if value is None else value for value in (one, other))
                yield Delta(file, (*path, spelt), *there)
        elif one is not other:
            yield from find_deltas(file, one, other, (*path, spelt))


def _in_dict(
    file: str, before: dict[str, Any], after: dict[str, Any], path: Path
) -> Iterator[Delta]:
    keys = before if before.keys() == after.keys() else sorted(before.keys() | after.keys())
    for key in keys:
        one, other = before.get(key, UNSET), after.get(key, UNSET)
        if one is UNSET or other is UNSET:
            yield Delta(file, (*path, key), one, other)
        elif one is not other:
            yield from find_deltas(file, one, other, (*path, key))


def _in_list(file: str, before: Sequence[Any], after: Sequence[Any], path: Path) -> Iterator[Delta]:
    """Match the items that are the same thing and stand in one order; others go or come."""
    ours, theirs = list(map(_identify, before)), list(map(_identify, after))
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for _, first, last, start, end in matcher.get_opcodes():
        if ours[first:last] == theirs[start:end]:
            for index in range(first, last):
                other = after[start + index - first]
                yield from find_deltas(file, before[index], other, (*path, index))
            continue
        for index in range(first, last):
            yield Delta(file, (*path, index), before[index], UNSET)
        for index in range(start, end):
            yield Delta(file, (*path, index), UNSET, after[index])


def _identify(item: object) -> object:
    """Return what makes an item of a list the same thing on both sides; it can be hashed."""
    match item:
        case Chain():
            return item.name
        case Route():
            return item.destination, item.metric
        case dict():
            return next((f"{name}={item[name]}" for name in _NAMES if name in item), "object")
        case list():
            return "list"
        case bool() | int() | float():
            return repr(item)  # 1 and True are equal, and are not the same JSON
        case _:
            return item
