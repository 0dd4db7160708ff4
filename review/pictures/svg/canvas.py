"""Shapes and text to SVG elements: what all layouts draw with.

Where nothing measures text, a width can only be estimated. The estimates are those of wide fonts,
so that what fits here fits with any.
"""

from html import escape
from typing import Final

from schemas.problems import neutralise
from schemas.state import Value

_SANS: Final = 0.64
"""Width of a character in sizes of the font: bold DejaVu Sans, mixed; most fonts are narrower."""
_MONO: Final = 0.61
_HEAD: Final = 0.6
"""How much of a text that is cut stays before the cut: names differ at both ends."""


class Box(Value, frozen=True, kw_only=True):
    """A rectangle; x and y are its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """The point in the middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def overlaps(self, other: "Box", gap: float = 0) -> bool:
        """Whether two boxes are nearer to each other than ``gap``."""
        return (
            self.x < other.x + other.width + gap
            and other.x < self.x + self.width + gap
            and self.y < other.y + other.height + gap
            and other.y < self.y + self.height + gap
        )


def box_around(centre: tuple[float, float], width: float, height: float) -> Box:
    """Return the box with this centre."""
    return Box(x=centre[0] - width / 2, y=centre[1] - height / 2, width=width, height=height)


def width_of(text: str, size: float, *, mono: bool = False) -> float:
    """Estimate a text's width from above. A wide character (CJK) counts for two."""
    letters = sum(1 if ord(char) < 0x1100 else 2 for char in text)  # noqa: PLR2004 - Hangul begins
    return letters * size * (_MONO if mono else _SANS)


def cut(text: str, width: float, size: float, *, mono: bool = False) -> str:
    """Return the text, its middle left out where it is wider than ``width``."""
    if width_of(text, size, mono=mono) <= width:
        return text
    kept = len(text)
    while kept > 1 and width_of(_without_middle(text, kept), size, mono=mono) > width:
        kept -= 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    head = max(1, round(kept * _HEAD))
    return f"{text[:head]}…{text[len(text) - (kept - head) :] if kept > head else ''}"


def number(value: float) -> str:
    """Spell a coordinate: at most one decimal, none where it is whole."""
    spelt = f"{value:.1f}".removesuffix(".0")
    return "0" if spelt == "-0" else spelt


def text_at(x: float, y: float, text: str, kind: str, *, anchor: str = "") -> str:
    """Return a text element; ``y`` is its baseline, ``kind`` its classes."""
    where = f' text-anchor="{anchor}"' if anchor else ""
    shown = escape(neutralise(text), quote=False)
    return f'<text x="{number(x)}" y="{number(y)}" class="{kind}"{where}>{shown}</text>'


def rectangle(box: Box, kind: str, *, radius: float = 6, inside: str = "") -> str:
    """Return a rect element; ``inside`` are elements, such as its title."""
    place = f'x="{number(box.x)}" y="{number(box.y)}"'
    size = f'width="{number(box.width)}" height="{number(box.height)}" rx="{number(radius)}"'
    end = f">{inside}</rect>" if inside else "/>"
    return f'<rect {place} {size} class="{kind}"{end}'


def title(text: str) -> str:
    """Return a title element: what a pointer that rests is told."""
    return f"<title>{escape(neutralise(text), quote=False)}</title>"
