"""Read inventory text from files, folders and standard input."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from compiler.source import Source
from schemas.problems import Problem, Problems
from wormhole.files.folder import explain_os_errors

STDIN: Final = "-"
SUFFIXES: Final = (".yaml", ".yml", ".json")


def read_sources(paths: Iterable[str]) -> tuple[Source, ...]:
    """Read every file named, every inventory file below every folder named; ``-`` is stdin.

    Folders are read in the order of names; hidden files and folders are skipped (editors'
    droppings, and the ``..data`` of a mounted ConfigMap, whose files are links into it).

    Raises:
        Problems: whatever cannot be read, everything at once.

    """
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            for name in _expand(path):
                # A file named twice, or by its folder as well, is one file.
                place = name if name == STDIN else os.path.realpath(name)
                if place not in sources:
                    sources[place] = Source(name=name, text=decode(name, _read_bytes(name)))
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    return tuple(sources.values())


def decode(name: str, content: bytes) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        Problems: it is something else; says at which byte.

    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        rule = f"not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}"
        raise Problems([Problem(file=name, line=line, rule=rule)]) from error


def is_inventory_file(name: str) -> bool:
    """Whether a file in a folder, by its name, is a part of an inventory."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def has_inventory_files(folder: str) -> bool:
    """Whether any file below a folder is a part of an inventory; yes where that cannot be seen."""
    try:
        return any(_walk(folder))
    except OSError:
        return True


def _expand(path: str) -> Iterable[str]:
    if path == STDIN or not os.path.isdir(path):  # noqa: PTH112 - raises nothing, however named
        return [path]
    with explain_os_errors(Path(path), "cannot read the folder"):
        names = sorted(_walk(path))
        strange = [name for name in names if not stat.S_ISREG(Path(name).stat().st_mode)]
    if strange:
        rule = "cannot read the file: it is no plain file"
        raise Problems(Problem(file=name, rule=rule) for name in strange)
    if not names:
        raise Problems.one(f"no {', '.join(SUFFIXES)} file in this folder", file=path)
    return names


def _walk(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if is_inventory_file(name):
                yield os.path.join(place, name)  # noqa: PTH118 - keeps './' as the user wrote it


def _read_bytes(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read()
    with explain_os_errors(Path(name), "cannot read the file"):
        return Path(name).read_bytes()
