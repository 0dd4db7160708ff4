"""YAML text to documents: libyaml's events, put together here.

PyYAML's own constructor takes twice as long, lets a repeated key overwrite the first, recurses
until the interpreter's stack ends, and makes objects that JSON does not have.
"""

from collections.abc import Callable
from typing import Any, Final

import yaml

from compiler.reading import DEEPEST, Document, Fault, Malformed, Reading
from compiler.yaml_events import line_of, parse_events
from compiler.yaml_scalar import read_scalar

_WIDEST: Final = 100_000
"""How many values aliases may stand for, all together: ten lines of them can mean billions."""
_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_IN_ITEMS: Final = 2
"""How many collections are open where an element of the root's ``items`` begins."""


def read_yaml(text: str) -> Reading:
    """Read every document of a stream; empty ones are left out."""
    builder = _Builder()
    handlers = builder.handlers()
    try:
        for event in parse_events(text):
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)
    except Malformed as error:
        return Reading(syntax="YAML", faults=(*builder.faults, error.fault))
    documents, faults = tuple(builder.documents), tuple(builder.faults)
    return Reading(syntax="YAML", documents=documents, faults=faults)


class _Frame:
    """A mapping or a list that is being filled."""

    __slots__ = ("anchor", "keyed", "merged", "pending", "value")

    def __init__(self, value: Any, anchor: str | None) -> None:  # noqa: ANN401 - a dict or a list; ``keyed`` says which
        self.value = value
        self.keyed = isinstance(value, dict)
        self.anchor = anchor
        self.pending: str | None = None
        """The key whose value comes next."""
        self.merged: list[dict[str, object]] = []


class _Builder:
    """Puts events together on a stack of its own, so that depth is ours to bound."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.faults: list[Fault] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, object] = {}
        self._expanded = 0
        self._index = -1
        self._line = 0
        self._item_lines: list[int] = []

    def handlers(self) -> dict[type[yaml.Event], Callable[[Any], None]]:
        """Say who takes which event."""
        return {
            yaml.ScalarEvent: self._take_scalar,
            yaml.MappingStartEvent: lambda event: self._begin({}, event),
            yaml.SequenceStartEvent: lambda event: self._begin([], event),
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._take_alias,
            yaml.DocumentStartEvent: self._begin_document,
        }

    def _begin_document(self, _event: yaml.DocumentStartEvent) -> None:
        self._index += 1
        self._anchors = {}
        self._item_lines = []

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        if self._awaits_key():
            self._take_key(event.value, event)
            return
        value = read_scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        self._put(value, event)

    def _awaits_key(self) -> bool:
        stack = self._stack
        return bool(stack) and stack[-1].keyed and stack[-1].pending is None

    def _take_key(self, key: str, event: yaml.ScalarEvent) -> None:
        """Take a key as it is written: ``on`` and ``1`` are fine names for a field."""
        frame = self._stack[-1]
        if key in frame.value:
            rule = "is given twice in the same mapping"
            self.faults.append(Fault(line=line_of(event), path=key, rule=rule))
        frame.pending = key
        if event.anchor is not None:
            self._anchors[event.anchor] = key

    def _begin(self, value: object, event: yaml.CollectionStartEvent) -> None:
        line, depth = line_of(event), len(self._stack)
        if event.tag not in _TAGS:
            rule = f"the tag {event.tag!r} means nothing in Kubernetes objects"
            raise Malformed(line, rule)
        if depth == DEEPEST:
            raise Malformed(line, f"is nested more than {DEEPEST} deep")
        if self._awaits_key():
            raise Malformed(line, "a mapping or a list cannot be a key")
        if not depth:
            self._line = line
        elif depth == _IN_ITEMS and self._stack[0].pending == "items":
            self._item_lines.append(line)
        self._stack.append(_Frame(value, event.anchor))

    def _end(self, event: yaml.CollectionEndEvent) -> None:
        frame = self._stack.pop()
        for merged in frame.merged:
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = frame.value
        self._put(frame.value, event)

    def _put(self, value: object, event: yaml.Event) -> None:
        if not self._stack:
            self._finish_document(value, event)
            return
        frame = self._stack[-1]
        if not frame.keyed:
            frame.value.append(value)
            return
        if frame.pending == "<<":
            self._merge(frame, value, event)
        else:
            frame.value[frame.pending] = value
        frame.pending = None

    def _finish_document(self, value: object, event: yaml.Event) -> None:
        if value is None:
            return
        items = value.get("items") if isinstance(value, dict) else None
        # Items that are scalars or aliases have begun no collection: then no line is known.
        known = isinstance(items, list) and len(items) == len(self._item_lines)
        lines = tuple(self._item_lines) if known else ()
        line = self._line if isinstance(value, dict | list) else line_of(event)
        self.documents.append(Document(value, self._index, line, lines))

    def _merge(self, frame: _Frame, value: object, event: yaml.Event) -> None:
        """Keep what ``<<`` names until the mapping ends: the mapping's own keys win."""
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise Malformed(line_of(event), "'<<' takes a mapping, or a list of mappings")
            frame.merged.append(each)

    def _take_alias(self, event: yaml.AliasEvent) -> None:
        line, name = line_of(event), str(event.anchor)
        if any(frame.anchor == name for frame in self._stack):
            raise Malformed(line, f"the alias '*{name}' stands inside what it stands for")
        if name not in self._anchors:
            raise Malformed(line, f"the alias '*{name}' has no anchor '&{name}' before it")
        if self._awaits_key():
            raise Malformed(line, "an alias cannot be a key")
        value = self._anchors[name]
        self._expanded += _count(value, enough=_WIDEST - self._expanded)
        if self._expanded >= _WIDEST:
            raise Malformed(line, f"its aliases stand for more than {_WIDEST} values")
        self._put(value, event)


def _count(value: object, *, enough: int) -> int:
    """Count the values inside a value, giving up at about a bound."""
    waiting, count = [value], 0
    while waiting and count < enough:
        each = waiting.pop()
        count += 1
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return count
