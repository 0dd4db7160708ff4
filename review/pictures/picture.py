"""What a picture shows: nodes, how each pair of them meets, and what changes."""

from enum import StrEnum
from typing import Final

from schemas.state import Value


class Change(StrEnum):
    """What happens to a node or a link between two states."""

    SAME = "stays"
    JOINS = "joins"
    LEAVES = "leaves"
    CHANGED = "changes"


SIGNS: Final = {Change.SAME: "", Change.JOINS: "+", Change.LEAVES: "-", Change.CHANGED: "~"}
"""Never colour alone: what changes carries its sign wherever it is drawn."""


class Way(StrEnum):
    """How two nodes meet."""

    EITHER = "either may begin"
    FIRST = "the arrow's tail must speak first: it has no endpoint"
    NEVER = "never meet: neither has an endpoint"
    ONE_SIDED = "only the arrow's tail knows the other"


class Node(Value, frozen=True, kw_only=True):
    """One node of the mesh."""

    name: str
    endpoint: str | None = None
    """``192.0.2.1:9806``; None where it must speak first."""
    prefixes: tuple[str, ...] = ()
    change: Change = Change.SAME
    fields: tuple[str, ...] = ()
    """For a node that changes, what does: ``endpoint``, ``MTU``."""


class Link(Value, frozen=True, kw_only=True):
    """A pair of nodes that know each other, or of which one knows the other."""

    tail: str
    head: str
    """Where one of the two begins, it is the tail; else the two are in order."""
    way: Way
    change: Change = Change.SAME


class Pairs(Value, frozen=True, kw_only=True):
    """How many pairs of nodes meet in which way."""

    either: int = 0
    first: int = 0
    never: int = 0
    one_sided: int = 0
    strangers: int = 0
    """Neither knows the other: they share no peer group."""

    @property
    def meeting(self) -> int:
        """Pairs that have a tunnel once either, or the one that must, has spoken."""
        return self.either + self.first

    @property
    def total(self) -> int:
        """All pairs."""
        return self.meeting + self.never + self.one_sided + self.strangers


class Picture(Value, frozen=True, kw_only=True):
    """A whole mesh, ready to be drawn."""

    mesh: str
    nodes: tuple[Node, ...]
    """Sorted by name; of a comparison those of both sides."""
    pairs: Pairs
    """Of the new side."""
    links: tuple[Link, ...] | None
    """Sorted; None where there are too many to draw."""
    compared: bool = False

    @property
    def present(self) -> tuple[Node, ...]:
        """The nodes of the new side."""
        return tuple(node for node in self.nodes if node.change is not Change.LEAVES)
