"""Files and folders to a value that differs when they do, without reading them."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

Fingerprint = tuple[object, ...]
"""Compared only with others of its kind."""

_ENTRIES: Final = 1000
"""Of a folder, so many are looked at: ours hold a few."""


def look_at(paths: Iterable[Path]) -> Fingerprint:
    """Return what tells the content of files, and of the folders among them, as it is now.

    A link counts for itself and for what it leads to. What cannot be looked at counts for why.
    """
    return tuple(_look_at(path) for path in paths)


def _look_at(path: Path) -> Fingerprint:
    itself: Fingerprint = ()
    try:
        itself = _marks_of(path.lstat())
        found = path.stat()
        entries = _entries(path) if os.path.isdir(path) else ()  # noqa: PTH112 - raises nothing
    except OSError as error:
        return *itself, error.errno
    return *itself, *_marks_of(found), entries


def _entries(folder: Path) -> Fingerprint:
    names = sorted(os.listdir(folder))[:_ENTRIES]  # noqa: PTH208 - names are all that is wanted
    return tuple((name, *_look_at_entry(folder / name)) for name in names)


def _look_at_entry(path: Path) -> Fingerprint:
    try:
        return _marks_of(path.stat())
    except OSError as error:
        return (error.errno,)


def _marks_of(found: os.stat_result) -> Fingerprint:
    """Return what changes with a file's content, its mode or its owner.

    A rename gives another inode; the change time tells of writes whose modification time was set
    back. Before Linux 6.13 both times only move with the clock's tick, every 1 to 10 ms.
    """
    owner = (found.st_mode, found.st_uid, found.st_gid)
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return (found.st_dev, found.st_ino, found.st_size, *times, *owner)
