"""Find the places where two values differ: all of them, each once.

It walks whatever documents are made of, so that a field that is added to them is compared too.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from schemas.state import Chain, Cni, HostState, Route, Rule

Path = tuple[str | int, ...]

_NAMES: Final = ("type", "name", "subnet", "dst")
"""What tells apart the objects of a list in a CNI configuration (CNI specification 1.0.0, section
1, and its host-local plugin): the first of these that an object has."""

_LOOSE: Final = (HostState, Cni, dict, list)
"""What holds JSON of any kind, or may: there 1, 1.0 and true are equal, and are not the same."""

_THEMSELVES: Final = frozenset({Rule, str})
"""Items that are the same thing only when they are equal."""


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
    if type(before) is type(after) and not isinstance(before, _LOOSE) and before == after:
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
    ours, theirs = _identify_all(before), _identify_all(after)
    if ours == theirs:
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            if one is not other:
                yield from find_deltas(file, one, other, (*path, index))
        return
    for same, first, last, start, end in _align(ours, theirs):
        if same:
            for one, other in zip(range(first, last), range(start, end), strict=True):
                if before[one] is not after[other]:
                    yield from find_deltas(file, before[one], after[other], (*path, one))
            continue
        for index in range(first, last):
            yield Delta(file, (*path, index), before[index], UNSET)
        for index in range(start, end):
            yield Delta(file, (*path, index), UNSET, after[index])


_Run = tuple[bool, int, int, int, int]
"""Whether it is the same on both sides; where it begins and ends in the old and in the new one."""


def _align(ours: Sequence[object], theirs: Sequence[object]) -> Iterator[_Run]:
    """Yield the runs of two lists that are the same, and what stands between them."""
    shorter = min(len(ours), len(theirs))
    head = next((i for i in range(shorter) if ours[i] != theirs[i]), shorter)
    left = shorter - head
    tail = next((i for i in range(left) if ours[-1 - i] != theirs[-1 - i]), left)
    ends = len(ours) - tail, len(theirs) - tail
    yield True, 0, head, 0, head
    if head in ends:  # only one side has more: no need to search
        yield False, head, ends[0], head, ends[1]
    else:
        matcher = SequenceMatcher(
            None, ours[head : ends[0]], theirs[head : ends[1]], autojunk=False
        )
        for action, *places in matcher.get_opcodes():
            first, last, start, end = (head + place for place in places)
            yield action == "equal", first, last, start, end
    yield True, ends[0], len(ours), ends[1], len(theirs)


def _identify_all(items: Sequence[Any]) -> Sequence[object]:
    """Return what makes each item the same thing on both sides; it can be hashed."""
    if all(type(item) in _THEMSELVES for item in items):
        return items
    return [_identify(item) for item in items]


def _identify(item: object) -> object:
    match item:
        case Chain():
            return item.name
        case Route():
            return item.destination, item.metric, item.type
        case dict():
            return next((f"{name}={item[name]}" for name in _NAMES if name in item), "object")
        case list():
            return _identify_list(item)
        case bool() | int() | float():
            return repr(item)  # 1 and True are equal, and are not the same JSON
        case _:
            return item


def _identify_list(items: list[Any]) -> str:
    """Return what a list is known by: a range set of host-local by its IP family."""
    match items:
        case [{"subnet": str(subnet)}, *_]:
            return f"IPv{6 if ':' in subnet else 4}"
        case _:
            return "list"
