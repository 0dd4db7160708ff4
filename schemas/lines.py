"""JSON text to the line of each of its values: the slow way, taken when something is wrong."""

import json
import re
from collections.abc import Iterator
from typing import Final

Path = tuple[str | int, ...]

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def locate(text: str) -> Iterator[tuple[Path, int]]:
    """Yield the path of every field and item, and the line on which it begins.

    The text is valid JSON. A field that its object holds twice is yielded twice.
    """
    path: list[str | int] = []  # the step taken in each container that is open
    is_key = False
    line, seen = 1, 0
    for match in _TOKEN.finditer(text):
        line, seen = line + text.count("\n", seen, match.start()), match.start()
        token = match.group()
        match token[0]:
            case "}" | "]":
                path.pop()
                is_key = False
            case ",":
                is_key, path[-1] = _next_step(path[-1])
            case ":":
                is_key = False
            case _ if is_key:
                path[-1] = json.loads(token)
                yield tuple(path), line
            case opening:
                if path and isinstance(path[-1], int):
                    yield tuple(path), line
                if opening in "{[":
                    path.append("" if opening == "{" else 0)
                    is_key = opening == "{"


def _next_step(step: str | int) -> tuple[bool, str | int]:
    """Return whether a key follows a comma, and the step until it is known."""
    return (False, step + 1) if isinstance(step, int) else (True, "")


def find_repeated(text: str) -> Iterator[tuple[Path, int]]:
    """Yield each field that its object has held before, but not again what is inside of it.

    JSON readers keep one of them, silently (RFC 8259, section 4).
    """
    seen: set[Path] = set()
    repeated: Path | None = None
    for path, line in locate(text):
        if repeated is not None and path[: len(repeated)] == repeated and path != repeated:
            continue
        repeated = path if path in seen else None
        if repeated is not None:
            yield path, line
        seen.add(path)
