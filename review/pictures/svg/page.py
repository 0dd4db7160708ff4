"""A layout's elements to an SVG document: heading, legend, style, and a description in words."""

from collections.abc import Iterator
from html import escape
from typing import Final

from review.pictures.picture import Change, Picture, Way
from review.pictures.svg.canvas import Box, cut, number, rectangle, text_at, width_of
from review.pictures.svg.links import WAY_CLASSES, sample
from review.pictures.svg.style import write_style
from review.pictures.words import describe, describe_changes, describe_pairs, title_of
from schemas.problems import neutralise
from schemas.state import Value

MARGIN: Final = 28
_HEAD_SIZE: Final = 19
_LINE: Final = 18
_LEGEND_LINE: Final = 22
_SAMPLE: Final = 40
_LEAST_WIDTH: Final = 560


class Layout(Value, frozen=True, kw_only=True):
    """What a layout gives: elements in a field that begins at 0, 0, and the field's size."""

    width: float
    height: float
    elements: tuple[str, ...]
    legend: tuple[tuple[str, str], ...] = ()
    """Elements drawn in a field of 40 by 14, each with its words."""


def write_page(picture: Picture, layout: Layout, *, headed: bool) -> str:
    """Return the document, with a newline at its end."""
    width = max(layout.width + 2 * MARGIN, _LEAST_WIDTH)
    heading, top = _write_heading(picture, width) if headed else ([], float(MARGIN))
    legend, bottom = _write_legend((*layout.legend, *_legend_of(picture)), width)
    height = top + layout.height + bottom + MARGIN
    left = (width - layout.width) / 2
    lines = [
        _open(width, height),
        f'<title id="wh-title">{_escape(title_of(picture))}</title>',
        f'<desc id="wh-desc">{_escape(describe(picture))}</desc>',
        f"<style>\n{write_style()}</style>",
        rectangle(Box(x=0, y=0, width=width, height=height), "paper", radius=10),
        *heading,
        f'<g transform="translate({number(left)} {number(top)})">',
        *layout.elements,
        "</g>",
        f'<g transform="translate({MARGIN} {number(top + layout.height)})">',
        *legend,
        "</g>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _open(width: float, height: float) -> str:
    size = f"{number(width)} {number(height)}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="wh" role="img"'
        f' viewBox="0 0 {size}" width="{number(width)}" height="{number(height)}"'
        ' aria-labelledby="wh-title wh-desc">'
    )


def _write_heading(picture: Picture, width: float) -> tuple[list[str], float]:
    """Return the heading, and where the layout may begin."""
    room = width - 2 * MARGIN
    y: float = MARGIN + _HEAD_SIZE - 4
    elements = [text_at(MARGIN, y, cut(title_of(picture), room, _HEAD_SIZE), "head")]
    sentences = [*describe_pairs(picture)]
    if changes := describe_changes(picture):
        sentences.append(changes)
    for sentence in sentences:
        y += _LINE if len(elements) > 1 else _LINE + 5
        elements.append(text_at(MARGIN, y, cut(sentence, room, 12), "muted"))
    return elements, y + MARGIN


def _legend_of(picture: Picture) -> Iterator[tuple[str, str]]:
    """Yield the lines that occur, where any but the plain one does."""
    links = picture.links or ()
    ways = {link.way for link in links}
    if ways - {Way.EITHER}:
        yield from ((sample(WAY_CLASSES[way]), way) for way in Way if way in ways)
    changes = {link.change for link in links}
    for change, words in (
        (Change.JOINS, "+ tunnel that comes"),
        (Change.LEAVES, "- tunnel that goes"),
        (Change.CHANGED, "~ tunnel that changes"),
    ):
        if change in changes:
            yield sample(change), words


def _write_legend(entries: tuple[tuple[str, str], ...], width: float) -> tuple[list[str], float]:
    """Return the legend in as many lines as it takes, and its height."""
    if not entries:
        return [], 0
    elements, x, y = [], 0.0, float(_LEGEND_LINE + 6)
    for drawn, words in entries:
        wide = _SAMPLE + 8 + width_of(words, 12) + 22
        if x and x + wide > width - 2 * MARGIN:
            x, y = 0, y + _LEGEND_LINE
        elements.append(f'<g transform="translate({number(x)} {number(y - 11)})">{drawn}</g>')
        elements.append(text_at(x + _SAMPLE + 8, y, words, "muted"))
        x += wide
    return elements, y


def _escape(text: str) -> str:
    return escape(neutralise(text), quote=False)
