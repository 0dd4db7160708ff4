"""One YAML scalar to a string, number, boolean or null, as Kubernetes' tools read it.

YAML 1.1 without dates and base-60 numbers: ``2026-11-01`` and ``12:30`` are strings.
"""

import math
import re
from typing import Final

import yaml

from compiler.reading import Malformed
from compiler.yaml_events import line_of

Scalar = str | int | float | bool | None

_TAG: Final = "tag:yaml.org,2002:"
_WORDS: Final[dict[str, bool | None]] = {
    spelling: value
    for word, value in {
        **dict.fromkeys(("yes", "true", "on"), True),
        **dict.fromkeys(("no", "false", "off"), False),
        "null": None,
    }.items()
    for spelling in (word, word.capitalize(), word.upper())
} | {"": None, "~": None}
_LONGEST_WORD: Final = 5
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}

_NUMBER_BEGINS: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[01_]+)|0x(?P<hexadecimal>[0-9a-fA-F_]+)"
    r"|0(?P<octal>[0-7_]+)|(?P<decimal>0|[1-9][0-9_]*))"
)
_BASES: Final = {"binary": 2, "hexadecimal": 16, "octal": 8, "decimal": 10}
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER: Final = 100
"""Longer ones stay strings: no field takes them, and Python may refuse to convert them."""


def read_scalar(event: yaml.ScalarEvent) -> Scalar:
    """Return what a scalar means.

    Raises:
        Malformed: its tag is none of YAML's own, or does not fit its text.

    """
    text, tag = event.value, event.tag
    if tag is None:
        return _read_plain(text) if event.implicit[0] else text
    if tag in {"!", f"{_TAG}str"}:
        return text
    value = _read_plain(text)
    wanted = _KINDS.get(str(tag).removeprefix(_TAG))
    if wanted is None:
        raise Malformed(line_of(event), f"the tag {tag!r} means nothing in Kubernetes objects")
    if not isinstance(value, wanted):
        raise Malformed(line_of(event), f"the tag {tag!r} does not fit its value")
    return value


def _read_plain(text: str) -> Scalar:
    if len(text) <= _LONGEST_WORD and text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_BEGINS or len(text) > _LONGEST_NUMBER:
        return text
    if match := _INTEGER.fullmatch(text):
        digits = match[match.lastgroup].replace("_", "") if match.lastgroup else ""
        return int(match["sign"] + digits, _BASES[str(match.lastgroup)]) if digits else text
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return text
