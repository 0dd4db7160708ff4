"""``wormhole validate``: inventories and state folders are checked, nothing is written."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from wormhole.console import choose_paint, err, out
from wormhole.exit import Exit

if TYPE_CHECKING:
    from schemas.problems import Problem

SUMMARY: Final = "Check an inventory, or a state folder, and write nothing."
DESCRIPTION: Final = (
    "Check shape and meaning, and name every problem at once, one a line: file, line, object,"
    " field, value, rule. Paths are inventories (taken together) or state folders (each alone);"
    " the last line says which."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="An inventory file or folder, - for standard input, a state folder, or a document.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check everything named; print problems, warnings and a last line."""
    from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec, which --version does without
    from wormhole.check import Verdict, check_inventory, check_state, is_state  # noqa: PLC0415
    from wormhole.remarks import count_problems, say_problems, say_warnings  # noqa: PLC0415

    states = [path for path in arguments.paths if is_state(path)]
    inventories = [path for path in arguments.paths if path not in states]
    checks: list[Callable[[], Verdict]] = [partial(check_state, state) for state in states]
    if inventories:
        checks.insert(0, partial(check_inventory, inventories))
    problems: list[Problem] = []
    for check in checks:
        try:
            verdict, warnings = check()
        except Problems as error:
            say_problems(error.problems, arguments.color)
            problems += error.problems
            continue
        say_warnings(warnings, arguments.color)
        out(f"{choose_paint(arguments.color, sys.stdout)('good', 'ok')}: {verdict}")
    if problems:
        err(count_problems(tuple(problems)))
    return Exit.INPUT if problems else Exit.OK
