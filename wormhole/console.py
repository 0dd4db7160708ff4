"""Write text to the two standard streams, in colour where a person is looking."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Final, TextIO


class ColorMode(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


Paint = Callable[[str, str], str]
"""``paint(style, text)``: the text, dressed or plain."""

_STYLES: Final = {
    "create": "32",
    "delete": "31",
    "change": "33",
    "recreate": "35",
    "conflict": "1;31",
    "warning": "33",
    "error": "31",
    "good": "32",
    "strong": "1",
    "faint": "2",
}


def out(text: str) -> None:
    """Write a result: what a pipe would want."""
    sys.stdout.write(text + "\n")


def out_json(text: str) -> None:
    """Write a document; what a terminal would obey is escaped, and means the same to a program.

    Control characters from U+007F on, and those that turn text round, may stand in JSON as they are
    (RFC 8259, section 7), and any document may hold them.
    """
    lines = (
        line if line.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in line)
        for line in text.removesuffix("\n").split("\n")
    )
    out("\n".join(lines))


def _escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))


def err(text: str) -> None:
    """Write what a person should know beside the result, after what was written before it."""
    with suppress(OSError):  # whoever read our output may be gone; that is said at the end
        sys.stdout.flush()
    sys.stderr.write(text + "\n")


def progress(text: str) -> None:
    """Show work that goes on, in place; only where a person is looking. Empty text wipes it."""
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        sys.stderr.write(f"\r\x1b[2K{text[: width - 1]}")
        sys.stderr.flush()


def paint_plain(_style: str, text: str) -> str:
    """Return the text as it is."""
    return text


def paint_ansi(style: str, text: str) -> str:
    """Return the text between the SGR sequences of a style."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text else text


def choose_paint(mode: str, stream: TextIO) -> Paint:
    """Colour when told to; else on a terminal that can, unless ``NO_COLOR`` is set.

    See no-color.org: any value but the empty one counts.
    """
    if mode == ColorMode.AUTO:
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return paint_ansi if wanted and stream.isatty() else paint_plain
    return paint_ansi if mode == ColorMode.ALWAYS else paint_plain
