"""A picture to a Mermaid flowchart that GitHub shows: at most 500 edges and 50,000 characters.

Both limits are Mermaid's defaults (``maxEdges``, ``maxTextSize``). Nodes have names of our own and
their labels are quoted, so no name can end a statement or begin another.
"""

import re
from collections.abc import Iterator
from typing import Final

from review.changes.wording import count
from review.pictures.networks import Group, group_by_network
from review.pictures.picture import SIGNS, Change, Link, Node, Picture, Way
from review.pictures.words import (
    describe_changes,
    describe_pairs,
    endpoint_of,
    name_of,
    title_of,
)
from schemas.problems import neutralise

_NAMED_AT_MOST: Final = 40
"""Nodes that a summary names: what changes, what has no endpoint. All others are counted."""
_PREFIXES_AT_MOST: Final = 3
_LABEL_AT_MOST: Final = 120
"""Characters of one line of a label; a node's name may have 253."""
_ARROWS: Final = {
    Way.EITHER: "---",
    Way.FIRST: "-.->",
    Way.NEVER: "-. never meet .-",
    Way.ONE_SIDED: "-- one-sided -->",
}
_DASHES: Final = {Change.JOINS: "", Change.LEAVES: ",stroke-dasharray:6 4", Change.CHANGED: ""}
_COLORS: Final = {
    Change.JOINS: "#2da44e",
    Change.LEAVES: "#e5534b",
    Change.CHANGED: "#bf8700",
}
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9 .:/,_-]|^-|\.(?= )")
"""What Mermaid, its Markdown or HTML may obey. Its own escape is ``#`` code ``;``."""


def draw_mermaid(picture: Picture) -> str:
    """Return the flowchart's source, with a newline at its end."""
    ids = {node.name: f"n{index}" for index, node in enumerate(picture.nodes)}
    lines = ["flowchart LR", f'  all["{_label(_head(picture))}"]:::said']
    if picture.links is None:
        lines += _draw_groups(picture, ids)
    else:
        lines += [f"  {_draw_node(node, ids)}" for node in picture.nodes]
        lines += _draw_links(picture.links, ids)
    return "\n".join([*lines, *_draw_classes(picture)]) + "\n"


def _head(picture: Picture) -> list[str]:
    return [title_of(picture), *describe_pairs(picture), describe_changes(picture)]


def _draw_groups(picture: Picture, ids: dict[str, str]) -> Iterator[str]:
    special = [node.name for node in picture.nodes if node.change is not Change.SAME]
    special += [node.name for node in picture.nodes if not node.endpoint]
    shown = {*special[:_NAMED_AT_MOST]}
    for index, group in enumerate(group_by_network(picture.nodes)):
        yield f'  subgraph g{index}["{_label([group.label])}"]'
        yield "    direction LR"
        yield from _draw_group(index, group, shown, ids)
        yield "  end"
        yield f"  all --- g{index}"


def _draw_group(index: int, group: Group, shown: set[str], ids: dict[str, str]) -> Iterator[str]:
    rest = [node for node in group.nodes if node.name not in shown]
    for node in group.nodes:
        if node.name in shown:
            yield f"    {_draw_node(node, ids)}"
    if rest:
        names = [rest[0].name, rest[-1].name] if len(rest) > 1 else [rest[0].name]
        said = [count(len(rest), "node"), " to ".join(map(neutralise, names))]
        if more := sum(node.change is not Change.SAME for node in rest):
            said.append(f"{more:,} of them change")
        yield f'    r{index}["{_label(said)}"]'


def _draw_node(node: Node, ids: dict[str, str]) -> str:
    prefixes = [neutralise(prefix) for prefix in node.prefixes[:_PREFIXES_AT_MOST]]
    if more := len(node.prefixes) - len(prefixes):
        prefixes.append(f"and {more:,} more")
    lines = [name_of(node), endpoint_of(node), *prefixes, ", ".join(node.fields)]
    style = f":::{node.change}"
    if node.change is Change.SAME:
        style = "" if node.endpoint else ":::silent"
    return f'{ids[node.name]}["{_label(lines)}"]{style}'


def _draw_links(links: tuple[Link, ...], ids: dict[str, str]) -> Iterator[str]:
    for link in links:
        arrow = _ARROWS[link.way]
        if sign := SIGNS[link.change]:
            arrow = _signed(arrow, sign)
        yield f"  {ids[link.tail]} {arrow} {ids[link.head]}"
    for change, color in _COLORS.items():
        if numbers := [str(index) for index, link in enumerate(links) if link.change is change]:
            style = f"stroke:{color},stroke-width:3px{_DASHES[change]}"
            yield f"  linkStyle {','.join(numbers)} {style}"


def _signed(arrow: str, sign: str) -> str:
    return {
        _ARROWS[Way.EITHER]: f'---|"{_label([sign])}"|',
        _ARROWS[Way.FIRST]: f'-.->|"{_label([sign])}"|',
        _ARROWS[Way.NEVER]: f'-.-|"{_label([f"{sign} never meet"])}"|',
        _ARROWS[Way.ONE_SIDED]: f'-->|"{_label([f"{sign} one-sided"])}"|',
    }[arrow]


def _draw_classes(picture: Picture) -> Iterator[str]:
    """Yield strokes only: fills would be unreadable in one of GitHub's two schemes."""
    yield "  classDef said stroke-width:0px"
    yield "  classDef silent stroke-dasharray:4 4"
    for change in sorted({node.change for node in picture.nodes} - {Change.SAME}):
        yield f"  classDef {change} stroke:{_COLORS[change]},stroke-width:3px{_DASHES[change]}"


def _label(lines: list[str]) -> str:
    return "<br>".join(_SPECIAL.sub(_escape, _cut(line)) for line in lines if line)


def _cut(line: str) -> str:
    return line if len(line) <= _LABEL_AT_MOST else f"{line[: _LABEL_AT_MOST - 1]}…"


def _escape(found: re.Match[str]) -> str:
    return f"#{ord(found[0])};"
