"""Show differences: the same one in many files is shown once."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from review.changes.delta import Delta
from review.changes.frame import Frame
from review.changes.place import spell_place
from review.changes.review import Action, Difference


def fold(frame: Frame, deltas: Iterable[Delta]) -> tuple[Difference, ...]:
    """Return differences, each with all the files that have it."""
    files: dict[tuple[str, bytes, bytes], list[str]] = {}
    values: dict[tuple[str, bytes, bytes], Delta] = {}
    for delta in deltas:
        key = (spell_place(frame, delta), _encode(delta.before), _encode(delta.after))
        if not delta.path:
            key = (delta.file, b"", b"")  # a whole file is only like itself
        files.setdefault(key, []).append(delta.file)
        values.setdefault(key, delta)
    return tuple(_show(values[key], key[0], files[key]) for key in values)


def _show(delta: Delta, place: str, files: list[str]) -> Difference:
    if not delta.path:
        return Difference(files=tuple(files), action=_action_of(delta))
    before, after = (
        UNSET if value is UNSET else msgspec.to_builtins(value)
        for value in (delta.before, delta.after)
    )
    where = tuple(sorted({*files}))
    return Difference(files=where, action=_action_of(delta), path=place, before=before, after=after)


def _action_of(delta: Delta) -> Action:
    if delta.comes:
        return Action.ADDED
    return Action.REMOVED if delta.goes else Action.CHANGED


def _encode(value: object) -> bytes:
    return b"" if value is UNSET else msgspec.json.encode(value, order="sorted")
