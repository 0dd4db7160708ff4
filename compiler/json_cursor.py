"""A place in JSON text that moves on, value by value, and knows its line.

The standard library's scanner reads whole values; objects and lists can be walked as well, by
whoever needs to know where their parts stand.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from compiler.reading import Malformed

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_MOST_DIGITS: Final = 100


class Cursor:
    """Raises ``json.JSONDecodeError`` and ``Malformed`` where the text is not JSON."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.repeats = False
        """Whether a value that was read holds an object with a key given twice."""
        self._counted_to = 0
        self._line = 1
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._build,
            parse_constant=_refuse_constant,
            parse_float=_read_float,
            parse_int=_read_int,
        )

    def _build(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) != len(pairs):
            self.repeats = True
        return built

    def line_at(self, offset: int) -> int:
        """Return the line of an offset, from 1. Offsets must be asked for in ascending order."""
        self._line += self.text.count("\n", self._counted_to, offset)
        self._counted_to = offset
        return self._line

    def skip_space(self) -> str:
        """Move to the next character that is not white space; return it, or "" at the end."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def read_value(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Read the value that begins here."""
        value, self.at = self._decoder.raw_decode(self.text, self.at)
        return value

    def members(self) -> Iterator[tuple[str, int]]:
        """Yield the keys of the object that begins here, and their offsets.

        The caller reads each value before it goes on.
        """
        self.at += 1
        if self.skip_space() == "}":
            self.at += 1
            return
        while True:
            if self.skip_space() != '"':
                raise self._expecting("a key in double quotes")
            start = self.at
            key = self.read_value()
            self._take(":")
            self.skip_space()
            yield key, start
            if self._take(",}") == "}":
                return

    def elements(self) -> Iterator[int]:
        """Yield the index of each element of the list that begins here; the caller reads it."""
        self.at += 1
        if self.skip_space() == "]":
            self.at += 1
            return
        index = 0
        while True:
            self.skip_space()
            yield index
            index += 1
            if self._take(",]") == "]":
                return

    def _take(self, characters: str) -> str:
        found = self.skip_space()
        if not found or found not in characters:
            raise self._expecting(" or ".join(f"'{each}'" for each in characters))
        self.at += 1
        return found

    def _expecting(self, what: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(f"Expecting {what}", self.text, self.at)


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(0, f"is not JSON: {name} is no number")


def _read_float(text: str) -> float | str:
    """Leave what no float can hold a string, which no numeric field takes."""
    value = float(text)
    return value if math.isfinite(value) else text


def _read_int(text: str) -> int | str:
    """Leave an endless number a string: Python refuses to convert it, and no field takes it."""
    return int(text) if len(text) <= _MOST_DIGITS else text
