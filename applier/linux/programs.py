"""The name of a program to its absolute path."""

import os
from functools import cache
from pathlib import Path
from typing import Final

_FOLDERS: Final = ("/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin")
"""Searched after ``PATH``, which lacks the first two for many a service."""


@cache
def find_program(name: str) -> str | None:
    """Return the absolute path of a program; None when it is not installed."""
    for folder in (*os.get_exec_path(), *_FOLDERS):
        path = Path(folder, name)
        if path.is_absolute() and os.access(path, os.X_OK):
            return str(path)
    return None
