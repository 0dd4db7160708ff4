"""Read a question: the words for a place in a state, or for an address."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from compiler.origins.registry import may_be_absent
from review.model.story import Place
from schemas.document import MESH_FILE
from schemas.lines import Path as Steps
from schemas.problems import Problems, spell_path
from schemas.wording import suggest
from wormhole.explain.held import Held

Network = IPv4Network | IPv6Network

_FILE: Final = re.compile(r"(?P<file>.+\.json)(?::(?P<line>[0-9]{1,9}))?:?")
"""As ``trace`` and ``check`` print it; the latter with another colon behind."""
_STEP: Final = re.compile(r'\[(?P<index>[0-9]{1,9})\]|\["(?P<quoted>[^"]*)"\]|(?P<key>[^.\[\]]+)')


def read_question(held: Held, words: Sequence[str], host: str | None) -> Place | Network:
    """Return what is meant by ``FILE:LINE``, ``FILE PATH``, an address, or a path alone.

    Raises:
        Problems: it is nothing in these documents; says what is near.

    """
    first, *rest = words
    if len(rest) > 1:
        rule = "one thing at a time: FILE:LINE, FILE PATH, an address, or a path with --host NODE"
        raise Problems.one(rule, value=" ".join(words))
    if not rest and (network := read_network(first)):
        return network
    found = _FILE.fullmatch(first)
    if found is None:
        return _find_path(held, _guess_file(held, words, host), _bare(first))
    file = held.find_file(found["file"])
    if file is None:
        rule = f"no such document in this state{suggest(found['file'], held.texts.files)}"
        raise Problems.one(rule, file=held.texts.name, value=found["file"])
    if found["line"]:
        return _find_line(held, file, int(found["line"]))
    return _find_path(held, file, _bare(rest[0])) if rest else Place(file=file, path=())


def read_network(text: str) -> Network | None:
    """Return the prefix, or the address as one; host bits are forgiven; None for what is none."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _bare(path: str) -> str:
    """Return a path without what it is printed in: the brackets of a hint, a colon behind it."""
    bare = path.removesuffix(":")
    return bare[1:-1] if bare.startswith("(") and bare.endswith(")") else bare


def _guess_file(held: Held, words: Sequence[str], host: str | None) -> str:
    """Return the document that a path alone is in."""
    if len(words) == 1 and words[0].startswith("peerGroups"):
        return MESH_FILE
    if len(words) == 1 and host is not None:
        return held.file_of(host)
    rule = (
        "neither FILE:LINE as trace prints it, nor an address, nor a document of this state;"
        " a path alone, such as wireguard.mtu, needs --host NODE"
    )
    raise Problems.one(rule, file=held.texts.name, value=words[0])


def _find_line(held: Held, file: str, line: int) -> Place:
    """Return the first value that begins on a line."""
    lines = held.lines_of(file)
    for path, number in lines.items():
        if number == line:
            return Place(file=file, path=path)
    if line == 1:
        return Place(file=file, path=())
    path, number = max(
        ((path, number) for path, number in lines.items() if number < line),
        key=lambda each: each[1],
        default=((), 1),
    )
    near = f"; {number} is the nearest above, {spell_path(path)}"
    rule = f"no value begins on line {line}{near}"
    raise Problems.one(rule, file=held.texts.spell_file(file))


def _find_path(held: Held, file: str, text: str) -> Place:
    """Return the value at a path as people spell it; it may be an optional one that is absent."""
    spelt = {spell_path(path): path for path in held.lines_of(file)}
    if text in spelt:
        return Place(file=file, path=spelt[text])
    steps = _read_steps(text)
    parent = spell_path(steps[:-1])
    if steps and may_be_absent(held.read(file), steps) and (not parent or parent in spelt):
        return Place(file=file, path=steps)
    rule = f"no such place in this document{suggest(text, spelt)}"
    raise Problems.one(rule, file=held.texts.spell_file(file), value=text)


def _read_steps(text: str) -> Steps:
    return tuple(
        int(found["index"]) if found["index"] else found["quoted"] or found["key"]
        for found in _STEP.finditer(text)
    )
