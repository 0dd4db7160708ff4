"""Two boxes and how they meet to the line between them, its tip and its mark."""

from collections.abc import Mapping
from math import hypot
from typing import Final

from review.pictures.picture import SIGNS, Change, Link, Way
from review.pictures.svg.canvas import Box, box_around, number, text_at

_GAP: Final = 5
_TIP: Final = 9
_MARK: Final = 18
_PLACES: Final = (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73, 0.2, 0.8, 0.14, 0.86)
"""Where on its line a mark may stand, the best place first."""

WAY_CLASSES: Final = {
    Way.EITHER: "",
    Way.FIRST: "first",
    Way.NEVER: "never",
    Way.ONE_SIDED: "onesided",
}
_TIPPED: Final = (Way.FIRST, Way.ONE_SIDED)
_Point = tuple[float, float]


def draw_links(links: tuple[Link, ...], boxes: Mapping[str, Box]) -> list[str]:
    """Return the elements of all links: lines, then marks, none over another or over a box."""
    lines, marks = [], []
    taken = [*boxes.values()]
    for link in sorted(links, key=lambda link: link.change is not Change.SAME):
        start, end = _between(boxes[link.tail], boxes[link.head])
        lines.append(_draw_line(link, start, end))
        place = _find_place(start, end, taken) if _mark_of(link) else None
        if place is not None:
            taken.append(place)
            marks.append(_draw_mark(link, place))
    return lines + marks


def sample(kind: str) -> str:
    """Return a short line for the legend."""
    line = f'<line x1="0" y1="7" x2="40" y2="7" class="{_classes("link", kind)}"/>'
    tip = _draw_tip((32.0, 7.0), (40.0, 7.0), kind) if kind in {"first", "onesided"} else ""
    return line + tip


def _draw_line(link: Link, start: _Point, end: _Point) -> str:
    kind = _classes(WAY_CLASSES[link.way], "" if link.change is Change.SAME else link.change)
    tip = _draw_tip(start, end, kind) if link.way in _TIPPED else ""
    stop = _towards(end, start, _TIP - 2) if tip else end
    points = " ".join(
        f'{name}="{number(value)}"'
        for name, value in zip(("x1", "y1", "x2", "y2"), (*start, *stop), strict=True)
    )
    return f'<line {points} class="{_classes("link", kind)}"/>{tip}'


def _draw_tip(start: _Point, end: _Point, kind: str) -> str:
    """Return a triangle. A marker would not take its line's colour in every program."""
    (x, y), (back_x, back_y) = end, _towards(end, start, _TIP)
    wide_x, wide_y = (y - back_y) * 0.45, (back_x - x) * 0.45
    corners = ((x, y), (back_x + wide_x, back_y + wide_y), (back_x - wide_x, back_y - wide_y))
    path = " ".join(f"{number(one)},{number(two)}" for one, two in corners)
    return f'<polygon points="{path}" class="{_classes("tip", kind)}"/>'


def _draw_mark(link: Link, place: Box) -> str:
    x, y = place.centre
    kind = "fault" if link.change is Change.SAME else str(link.change)
    dot = f'<circle cx="{number(x)}" cy="{number(y)}" r="8" class="dot"/>'
    return dot + text_at(x, y + 5, _mark_of(link), f"sign {kind}", anchor="middle")


def _mark_of(link: Link) -> str:
    """Return what stands on the line: what becomes of it, else that it leads nowhere."""
    marks = {Way.NEVER: "×", Way.ONE_SIDED: "!"}  # noqa: RUF001 - the sign is meant
    return SIGNS[link.change].replace("-", "\N{MINUS SIGN}") or marks.get(link.way, "")


def _find_place(start: _Point, end: _Point, taken: list[Box]) -> Box | None:
    """Return where a mark covers nothing; None where a line is too crowded for one."""
    for part in _PLACES:
        x, y = (one + (two - one) * part for one, two in zip(start, end, strict=True))
        place = box_around((x, y), _MARK, _MARK)
        if not any(place.overlaps(other) for other in taken):
            return place
    return None


def _between(tail: Box, head: Box) -> tuple[_Point, _Point]:
    """Return where the line between two centres leaves the one box and enters the other."""
    return _border(tail, head.centre), _border(head, tail.centre)


def _border(box: Box, to: _Point) -> _Point:
    x, y = box.centre
    far_x, far_y = to[0] - x, to[1] - y
    scale = min(
        (box.width / 2 + _GAP) / abs(far_x) if far_x else 1e9,
        (box.height / 2 + _GAP) / abs(far_y) if far_y else 1e9,
    )
    return x + far_x * scale, y + far_y * scale


def _towards(point: _Point, other: _Point, distance: float) -> _Point:
    length = hypot(other[0] - point[0], other[1] - point[1]) or 1
    return (
        point[0] + (other[0] - point[0]) / length * distance,
        point[1] + (other[1] - point[1]) / length * distance,
    )


def _classes(*names: str) -> str:
    return " ".join(name for name in names if name)
