"""YAML text and the places somebody asks for to their lines; read again, only for errors."""

import yaml

from compiler.reading import Path, Tree
from compiler.yaml_events import line_of, parse_events


def find_yaml_lines(text: str, wanted: Tree) -> dict[Path, int]:
    """Return the lines of the wanted places that are written in a text.

    A path's first step is the document's index. A key's line is where the key stands. The text
    has been read before: it is YAML.
    """
    finder = _Finder(wanted)
    for event in parse_events(text):
        finder.take(event)
    return finder.lines


class _Frame:
    """A collection; ``tree`` is what is wanted inside it, None away from all wanted places."""

    __slots__ = ("keyed", "path", "pending", "step", "tree")

    def __init__(self, path: Path, tree: Tree | None, *, keyed: bool) -> None:
        self.path = path
        self.tree = tree
        self.keyed = keyed
        self.pending = False
        """Whether a key has been read whose value comes next."""
        self.step: str | int = "" if keyed else -1


class _Finder:
    def __init__(self, wanted: Tree) -> None:
        self.lines: dict[Path, int] = {}
        self._stack = [_Frame((), wanted, keyed=False)]

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent() if self._awaits_key():
                self._enter(event.value, event)
                self._stack[-1].pending = True
            case yaml.ScalarEvent() | yaml.AliasEvent():
                self._begin_value(event)
            case yaml.CollectionStartEvent():
                self._begin_value(event)
                frame = self._stack[-1]
                tree = None if frame.tree is None else frame.tree.get(frame.step)
                keyed = isinstance(event, yaml.MappingStartEvent)
                self._stack.append(_Frame((*frame.path, frame.step), tree, keyed=keyed))
            case yaml.CollectionEndEvent():
                self._stack.pop()
            case _:
                pass

    def _awaits_key(self) -> bool:
        return self._stack[-1].keyed and not self._stack[-1].pending

    def _begin_value(self, event: yaml.Event) -> None:
        frame = self._stack[-1]
        if frame.keyed:
            frame.pending = False
        else:
            self._enter(int(frame.step) + 1, event)

    def _enter(self, step: str | int, event: yaml.Event) -> None:
        frame = self._stack[-1]
        frame.step = step
        if frame.tree is not None and step in frame.tree:
            self.lines[(*frame.path, step)] = line_of(event)
