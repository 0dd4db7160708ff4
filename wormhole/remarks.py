"""Say problems, warnings and files: one a line, so that each can be grepped and clicked on."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from schemas.problems import Problem, neutralise
from wormhole.console import choose_paint, err, out

_SHOWN_FILES: Final = 3


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 node``, ``2 nodes``, ``2 entries``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def show_path(path: Path) -> str:
    """Return a path as a reader may see it, whatever it is made of."""
    return neutralise(str(path))


def say_problems(problems: Iterable[Problem], color: str) -> None:
    """Print what makes an input unusable."""
    _say("error", problems, color)


def say_warnings(warnings: Iterable[Problem], color: str) -> None:
    """Print what the author should know, and what was done about it."""
    _say("warning", warnings, color)


def say_files(verb: str, paths: Sequence[Path], *, verbose: bool) -> None:
    """Print a line for each file that was written or removed; of many, for the first few."""
    shown = paths if verbose else paths[:_SHOWN_FILES]
    for path in shown:
        out(f"{verb} {show_path(path)}")
    if len(paths) > len(shown):
        out(f"{verb} {len(paths) - len(shown)} more (-v names them)")


def count_problems(problems: tuple[Problem, ...]) -> str:
    """Return ``3 problems in 2 files``."""
    files = {problem.file for problem in problems if problem.file}
    where = f" in {count(len(files), 'file')}" if files else ""
    return count(len(problems), "problem") + where


def _say(severity: str, problems: Iterable[Problem], color: str) -> None:
    paint = choose_paint(color, sys.stderr)
    for problem in problems:
        err(f"{paint(severity, severity)}: {problem}")
