"""A picture with links to nodes on an ellipse, each a card that says what it is."""

from itertools import combinations
from math import cos, pi, sin
from typing import Final

from review.pictures.picture import SIGNS, Change, Node, Picture
from review.pictures.svg.canvas import Box, box_around, cut, rectangle, text_at, title, width_of
from review.pictures.svg.links import draw_links
from review.pictures.svg.page import Layout
from review.pictures.words import endpoint_of, name_of, spell_fields

_PADDING: Final = 12
_NARROWEST: Final = 132
_WIDEST: Final = 252
_NAME_SIZE: Final = 13
_MONO_SIZE: Final = 11
_LINE: Final = 15
_HEAD: Final = 22
_PREFIXES_AT_MOST: Final = 3
_GAP: Final = 26
_GROWTH: Final = 1.06


def lay_circle(picture: Picture) -> Layout:
    """Return the nodes on an ellipse just large enough, and the links between them."""
    texts = {node.name: _texts(node) for node in picture.nodes}
    width = min(max(_NARROWEST, *(_width(lines) for lines in texts.values())), _WIDEST)
    tallest = max(len(lines) for lines in texts.values())
    height = _HEAD + _LINE * (tallest - 1) + _PADDING
    boxes = dict(zip(texts, _place(len(texts), width, height), strict=True))
    cards = [_draw_card(node, texts[node.name], boxes[node.name]) for node in picture.nodes]
    return Layout(
        width=max(box.x + box.width for box in boxes.values()),
        height=max(box.y + box.height for box in boxes.values()),
        elements=(*draw_links(picture.links or (), boxes), *cards),
    )


def _texts(node: Node) -> list[str]:
    """Return a card's lines: the name, then what is said in a monospaced font."""
    prefixes = [*node.prefixes[:_PREFIXES_AT_MOST]]
    if more := len(node.prefixes) - len(prefixes):
        prefixes.append(f"and {more:,} more")
    changed = [] if node.change is Change.SAME else [spell_fields(node)]
    return [name_of(node), endpoint_of(node), *prefixes, *changed]


def _width(lines: list[str]) -> float:
    widths = [width_of(line, _MONO_SIZE, mono=True) for line in lines[1:]]
    return max(width_of(lines[0], _NAME_SIZE), *widths) + 2 * _PADDING


def _place(number: int, width: float, height: float) -> list[Box]:
    """Return boxes on the smallest ellipse on which no two come too near."""
    across, down = width * 0.9, height * 1.5
    while True:  # ends: the boxes stay as they are while the distances grow
        boxes = [box_around(point, width, height) for point in _points(number, across, down)]
        if not any(one.overlaps(two, _GAP) for one, two in combinations(boxes, 2)):
            return _shift(boxes)
        across, down = across * _GROWTH, down * _GROWTH


def _points(number: int, across: float, down: float) -> list[tuple[float, float]]:
    """Return points clockwise from the top; two stand side by side, one alone in the middle."""
    if number == 1:
        return [(0, 0)]
    begin = pi if number == 2 else -pi / 2  # noqa: PLR2004 - a pair
    turns = [begin + 2 * pi * index / number for index in range(number)]
    return [(across * cos(turn), down * sin(turn)) for turn in turns]


def _shift(boxes: list[Box]) -> list[Box]:
    """Move the boxes so that the field begins at 0, 0."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    return [Box(x=box.x - left, y=box.y - top, width=box.width, height=box.height) for box in boxes]


def _draw_card(node: Node, lines: list[str], box: Box) -> str:
    room = box.width - 2 * _PADDING
    kinds = ["box", *([] if node.endpoint else ["silent"])]
    changed = node.change is not Change.SAME
    if changed:
        kinds.append(str(node.change))
    x, y = box.x + _PADDING, box.y + _HEAD
    name = cut(lines[0], room, _NAME_SIZE)
    parts = [rectangle(box, " ".join(kinds), radius=8)]
    parts.append(text_at(x, y, name, f"name {node.change}" if changed else "name"))
    for index, line in enumerate(lines[1:], start=1):
        is_change = changed and index == len(lines) - 1
        kind = f"mono {node.change}" if is_change else "mono muted"
        shown = cut(line, room, _MONO_SIZE, mono=True)
        parts.append(text_at(x, y + _LINE * index + 2, shown, kind))
    hint = ", ".join((node.name, endpoint_of(node), *node.prefixes))
    return f"<g>{title(f'{SIGNS[node.change]} {hint}'.strip())}{''.join(parts)}</g>"
