"""A picture too large for links to tiles in rows, by endpoint network, and a list of exceptions."""

from typing import Final

from review.changes.wording import count
from review.pictures.networks import Group, group_by_network
from review.pictures.picture import SIGNS, Change, Node, Picture
from review.pictures.svg.canvas import Box, cut, rectangle, text_at, title, width_of
from review.pictures.svg.page import Layout
from review.pictures.words import endpoint_of, name_of, spell_fields

_WIDTH: Final = 960
_NAMED_AT_MOST: Final = 150
"""Nodes whose tiles have room for their names."""
_SMALL_AT_MOST: Final = 3000
_NAME_SIZE: Final = 13
_MONO_SIZE: Final = 11
_MUTED: Final = " muted"
_LISTED_AT_MOST: Final = 16


def lay_grid(picture: Picture) -> Layout:
    """Return the networks beneath each other, their nodes as tiles, and what is exceptional."""
    tiles = _choose_tiles(picture)
    elements: list[str] = []
    y = 0.0
    for kind, words in [] if isinstance(tiles, _Named) else _list_exceptions(picture):
        elements.append(text_at(0, y, cut(words, _WIDTH, 12), kind))
        y += 18
    y += 12 if elements else 0
    for group in group_by_network(picture.nodes):
        elements += _draw_heading(group, y + 12)
        y += 22
        rows = -(-len(group.nodes) // tiles.columns)
        for index, node in enumerate(group.nodes):
            row, column = divmod(index, tiles.columns)
            elements.append(tiles.draw(node, column * tiles.across, y + row * tiles.down))
        y += rows * tiles.down + 18
    return Layout(
        width=_WIDTH, height=y, elements=tuple(elements), legend=_legend_of(picture, tiles)
    )


class _Named:
    """Tiles with a name, and a prefix."""

    down = 48.0

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        longest = max(
            max(width_of(name_of(node), _NAME_SIZE), width_of(_say(node), _MONO_SIZE, mono=True))
            for node in nodes
        )
        self.columns = max(3, min(7, int(_WIDTH // (longest + 30))))
        self.across = _WIDTH / self.columns

    def draw(self, node: Node, x: float, y: float) -> str:
        box = Box(x=x, y=y, width=self.across - 8, height=self.down - 8)
        changed = "" if node.change is Change.SAME else f" {node.change}"
        room = box.width - 20
        name = cut(name_of(node), room, _NAME_SIZE)
        said = cut(_say(node), room, _MONO_SIZE, mono=True)
        return (
            f"<g>{_hint(node)}{rectangle(box, _kinds('box', node), radius=7)}"
            f"{text_at(x + 10, y + 17, name, f'name{changed}')}"
            f"{text_at(x + 10, y + 32, said, f'mono{changed or _MUTED}')}</g>"
        )


class _Small:
    """Tiles without a name, for hundreds of nodes or thousands."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.across = self.down = 20.0 if len(nodes) <= _SMALL_AT_MOST else 12.0
        self.columns = int(_WIDTH // self.across)

    def draw(self, node: Node, x: float, y: float) -> str:
        side = self.across - 4
        box = Box(x=x + 1, y=y + 1, width=side, height=side)
        kinds = "tile" if node.change is Change.SAME else "box"
        drawn = rectangle(box, _kinds(kinds, node), radius=3, inside=_hint(node))
        if node.change is Change.SAME:
            return drawn
        sign = SIGNS[node.change].replace("-", "\N{MINUS SIGN}")
        middle = x + 1 + side / 2
        return drawn + text_at(middle, y + side - 2, sign, f"sign {node.change}", anchor="middle")


def _choose_tiles(picture: Picture) -> "_Named | _Small":
    return (_Named if len(picture.nodes) <= _NAMED_AT_MOST else _Small)(picture.nodes)


def _kinds(kind: str, node: Node) -> str:
    silent = "" if node.endpoint else " silent"
    return kind + silent + ("" if node.change is Change.SAME else f" {node.change}")


def _say(node: Node) -> str:
    """Return the second line of a tile: what changes, else its first prefix."""
    if node.change is Change.SAME:
        return node.prefixes[0] if node.prefixes else "no pod CIDR"
    return spell_fields(node)


def _draw_heading(group: Group, y: float) -> list[str]:
    first, last = group.nodes[0].name, group.nodes[-1].name
    names = first if first == last else f"{first} to {last}"
    beside = width_of(group.label, _NAME_SIZE) + 14
    said = cut(f"{count(len(group.nodes), 'node')}, {names}", _WIDTH - beside, 12)
    return [text_at(0, y, group.label, "group"), text_at(beside, y, said, "muted")]


def _hint(node: Node) -> str:
    said = [name_of(node), endpoint_of(node), *node.prefixes]
    if node.change is not Change.SAME:
        said.append(spell_fields(node))
    return title(", ".join(said))


def _list_exceptions(picture: Picture) -> list[tuple[str, str]]:
    """Return the nodes that a picture of small tiles has to name, with the class of their text."""
    listed = [
        (str(node.change), f"{name_of(node)} {spell_fields(node)}: {endpoint_of(node)}")
        for node in picture.nodes
        if node.change is not Change.SAME
    ]
    silent = [node.name for node in picture.present if not node.endpoint]
    more = len(listed) - _LISTED_AT_MOST
    if more > 0:
        listed = [*listed[:_LISTED_AT_MOST], ("muted", f"and {count(more, 'node')} more")]
    if silent:
        names = ", ".join(silent[:_LISTED_AT_MOST])
        more = len(silent) - _LISTED_AT_MOST
        listed.append(
            ("muted", f"No endpoint: {names}" + (f" and {more:,} more" if more > 0 else ""))
        )
    return listed


def _legend_of(picture: Picture, tiles: "_Named | _Small") -> tuple[tuple[str, str], ...]:
    """Return what the tiles that occur mean, where any but the plain one does."""
    kind = "box" if isinstance(tiles, _Named) else "tile"
    side = Box(x=13, y=0, width=14, height=14)
    entries = []
    if any(not node.endpoint for node in picture.nodes):
        entries.append(
            (rectangle(side, f"{kind} silent", radius=3), "no endpoint: must speak first")
        )
    for change in (Change.JOINS, Change.LEAVES, Change.CHANGED):
        if any(node.change is change for node in picture.nodes):
            words = f"{SIGNS[change]} node {change}"
            entries.append((rectangle(side, f"box {change}", radius=3), words))
    return tuple(entries)
