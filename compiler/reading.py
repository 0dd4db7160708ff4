"""What comes out of a text before anybody knows what it means: documents, and faults of form."""

import re
from typing import Final, Literal

from schemas.state import Value

Step = str | int
Path = tuple[Step, ...]
"""Keys and indices, from the outside in."""

Tree = dict[Step, "Tree"]
"""Paths as nested dicts: which places of a text somebody wants to find."""

DEEPEST: Final = 200
"""How deep mappings and lists may nest. Kubernetes objects stay far below."""


SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a UTF-16 pair, which no text may hold: also how Python smuggles undecodable bytes."""


class Document(Value, frozen=True):
    """One document of a stream, made of dicts with string keys, lists and scalars."""

    value: object
    index: int
    """Its place in the stream, from 0; empty documents count."""
    line: int
    item_lines: tuple[int, ...] = ()
    """The lines of the elements of the root's ``items``, where that is known at no cost."""


class Fault(Value, frozen=True):
    """Something that no reading of the text can make sense of."""

    line: int
    rule: str
    path: str = ""


class Reading(Value, frozen=True, kw_only=True):
    """One text, read."""

    syntax: Literal["JSON", "YAML"]
    documents: tuple[Document, ...] = ()
    faults: tuple[Fault, ...] = ()


class Malformed(Exception):  # noqa: N818 - a fault, on its way out of a reader
    """The rest of the text cannot be read."""

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(rule)
        self.fault = Fault(line=line, rule=rule)


def grow_tree(paths: set[Path]) -> Tree:
    """Fold paths into a tree."""
    root: Tree = {}
    for path in paths:
        branch = root
        for step in path:
            branch = branch.setdefault(step, {})
    return root
