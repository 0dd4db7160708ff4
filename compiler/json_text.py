"""JSON text to documents, each with its line; and places in it to lines, for errors.

Only the outermost object is walked, so that each element of a ``List`` knows its line at no cost.
"""

import json
import re
from collections.abc import Iterator
from typing import Final

from compiler.json_cursor import Cursor
from compiler.reading import (
    DEEPEST,
    SURROGATE,
    Document,
    Fault,
    Malformed,
    Path,
    Reading,
    Tree,
)

_CONSTANT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(NaN|-?Infinity)')
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(text: str) -> Reading:
    """Read every value of a text; there may be several, one after the other."""
    cursor = Cursor(text)
    documents: list[Document] = []
    try:
        while cursor.skip_space():
            documents.append(_read_document(cursor, len(documents)))
        faults = list(_find_repeats(Cursor(text))) if cursor.repeats else []
        for document in _find_no_text(text, documents):
            documents.remove(document)
            rule = "is not text: an escape in it is half of a UTF-16 pair"
            faults.append(Fault(document.line, rule))
    except json.JSONDecodeError as error:
        message = (error.msg[:1].lower() + error.msg[1:]).removesuffix(" starting at")
        return _failed(error.lineno, f"is not JSON: {message} (column {error.colno})")
    except Malformed as error:
        return _failed(cursor.line_at(_find_constant(text, cursor.at)), error.fault.rule)
    except RecursionError:
        return _failed(cursor.line_at(cursor.at), "is nested too deep to be read")
    return Reading(syntax="JSON", documents=tuple(documents), faults=tuple(faults))


def _failed(line: int, rule: str) -> Reading:
    return Reading(syntax="JSON", faults=(Fault(line, rule),))


def _find_constant(text: str, start: int) -> int:
    """Find where JSON is left for JavaScript: ``NaN`` or ``Infinity``, outside of strings."""
    return next(match.start() for match in _CONSTANT.finditer(text, start) if match[1])


def _find_no_text(text: str, documents: list[Document]) -> list[Document]:
    """Find documents with halves of UTF-16 pairs, which the scanner lets pass.

    No other reader takes them for strings, so they are not handed on.
    """
    if "\\u" not in text or not _SURROGATE_ESCAPE.search(text):
        return []
    return [
        document
        for document in documents
        if SURROGATE.search(json.dumps(document.value, ensure_ascii=False))
    ]


def _read_document(cursor: Cursor, index: int) -> Document:
    line = cursor.line_at(cursor.at)
    if cursor.text[cursor.at] != "{":
        return Document(cursor.read_value(), index, line)
    value: dict[str, object] = {}
    item_lines: list[int] = []
    for key, _ in cursor.members():
        if key in value:
            cursor.repeats = True
        if key == "items" and cursor.text.startswith("[", cursor.at):
            value[key], item_lines = _read_items(cursor)
        else:
            value[key] = cursor.read_value()
    return Document(value, index, line, tuple(item_lines))


def _read_items(cursor: Cursor) -> tuple[list[object], list[int]]:
    items: list[object] = []
    lines: list[int] = []
    for _ in cursor.elements():
        lines.append(cursor.line_at(cursor.at))
        items.append(cursor.read_value())
    return items, lines


def _find_repeats(cursor: Cursor) -> Iterator[Fault]:
    while cursor.skip_space():
        yield from _find_repeats_in(cursor, DEEPEST)


def _find_repeats_in(cursor: Cursor, depth: int) -> Iterator[Fault]:
    """Find keys given twice in the value here. Deeper than anybody nests, none are looked for."""
    begins = cursor.text[cursor.at]
    if begins == "{" and depth:
        seen = set()
        for key, start in cursor.members():
            if key in seen:
                rule = "is given twice in the same mapping"
                yield Fault(cursor.line_at(start), rule, path=key)
            seen.add(key)
            yield from _find_repeats_in(cursor, depth - 1)
    elif begins == "[" and depth:
        for _ in cursor.elements():
            yield from _find_repeats_in(cursor, depth - 1)
    else:
        cursor.read_value()


def find_json_lines(text: str, wanted: Tree) -> dict[Path, int]:
    """Return the lines of the wanted places that are written in a text.

    A path's first step is the document's index. A key's line is where the key stands. The text
    has been read before: it is JSON.
    """
    cursor = Cursor(text)
    lines: dict[Path, int] = {}
    index = 0
    while cursor.skip_space():
        if index in wanted:
            lines[(index,)] = cursor.line_at(cursor.at)
        _find_lines_in(cursor, (index,), wanted.get(index, {}), lines)
        index += 1
    return lines


def _find_lines_in(cursor: Cursor, path: Path, wanted: Tree, lines: dict[Path, int]) -> None:
    """Walk as deep as something is wanted; the rest is skipped at the scanner's speed."""
    begins = cursor.text[cursor.at]
    if not wanted or begins not in "{[":
        cursor.read_value()
        return
    for step, start in cursor.members() if begins == "{" else _placed_elements(cursor):
        if step in wanted:
            lines[(*path, step)] = cursor.line_at(start)
        _find_lines_in(cursor, (*path, step), wanted.get(step, {}), lines)


def _placed_elements(cursor: Cursor) -> Iterator[tuple[int, int]]:
    for index in cursor.elements():
        yield index, cursor.at
