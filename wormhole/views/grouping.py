"""Changes of one kind to rows: many that read alike become one."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Final, TypeVar

from applier.plan import Action, Change
from schemas.state import Value
from wormhole.views.fields import FieldText
from wormhole.views.kinds import fields_of, name_of

_ALIKE: Final = 5
"""More changes than this that read alike become one row."""
_NAMED: Final = 3

T = TypeVar("T")


class Row(Value, frozen=True, kw_only=True):
    """One change, or several that read alike."""

    changes: tuple[Change, ...]
    fields: tuple[FieldText, ...] = ()

    @property
    def first(self) -> Change:
        """The change that stands for all."""
        return self.changes[0]

    @property
    def name(self) -> str:
        """What the row is about: an object's name, or how many there are and a few of them."""
        if len(self.changes) == 1:
            return name_of(self.first)
        some = ", ".join(map(name_of, self.changes[:_NAMED]))
        return f"{len(self.changes)} of them: {some} ... {name_of(self.changes[-1])}"


def make_rows(changes: Sequence[Change], *, verbose: bool) -> tuple[Row, ...]:
    """Return a row for each change, or for many alike, at the place of the first of them."""
    if verbose:
        return tuple(map(_row_of_one, changes))
    rows: list[Row] = []
    for alike in _sort(changes, lambda c: (c.action, c.cause, c.risk, c.note)):
        if len(alike) <= _ALIKE:
            rows += map(_row_of_one, alike)
        elif alike[0].action in (Action.UPDATE, Action.RECREATE):
            rows += _join_updates(alike)
        else:  # a thousand new peers: not worth a word each, so none is looked for
            rows.append(Row(changes=tuple(alike)))
    places = {id(change): place for place, change in enumerate(changes)}
    return tuple(sorted(rows, key=lambda row: places[id(row.first)]))


def _join_updates(changes: Iterable[Change]) -> Iterable[Row]:
    """Join first what says the same, then what touches the same fields."""
    singles: list[Row] = []
    for alike in _sort(map(_row_of_one, changes), lambda row: row.fields):
        if len(alike) > _ALIKE:
            yield Row(changes=tuple(row.first for row in alike), fields=alike[0].fields)
        else:
            singles += alike
    for alike in _sort(singles, _generalise):
        if len(alike) > _ALIKE:
            yield Row(changes=tuple(row.first for row in alike), fields=_generalise(alike[0]))
        else:
            yield from alike


def _generalise(row: Row) -> tuple[FieldText, ...]:
    """Say which fields differ, and not how."""
    return tuple(FieldText(name=field.name, text="(each its own)") for field in row.fields)


def _row_of_one(change: Change) -> Row:
    return Row(changes=(change,), fields=fields_of(change))


def _sort(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterable[list[T]]:
    """Sort items into lists of equal key, in the order in which the keys come first."""
    sorts: dict[Hashable, list[T]] = {}
    for item in items:
        sorts.setdefault(key(item), []).append(item)
    return sorts.values()
