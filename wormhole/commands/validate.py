"""``wormhole validate``: inventories and state folders are checked, nothing is written."""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from wormhole.console import choose_paint, err, out
from wormhole.exit import Exit
from wormhole.options import add_format

if TYPE_CHECKING:
    from schemas.problems import Problem
    from wormhole.validation import Verdict

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
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check everything named; print problems, warnings and a last line."""
    if arguments.format != "text":
        return _report(arguments)
    from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec, which --version does without
    from wormhole.remarks import count_problems, say_problems, say_warnings  # noqa: PLC0415

    problems: list[Problem] = []
    for check in _list_checks(arguments.paths):
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


def _report(arguments: argparse.Namespace) -> int:
    """Check everything named; print one document for whatever reads it."""
    from schemas.problems import Problems  # noqa: PLC0415 - as above
    from wormhole.formats.finding import Findings, Severity  # noqa: PLC0415
    from wormhole.formats.printing import print_findings  # noqa: PLC0415
    from wormhole.formats.rules import build_finding, list_rules  # noqa: PLC0415
    from wormhole.remarks import count_problems  # noqa: PLC0415

    verdicts: list[str] = []
    problems: list[Problem] = []
    remarks: list[Problem] = []
    for check in _list_checks(arguments.paths):
        try:
            verdict, warnings = check()
        except Problems as error:
            problems += error.problems
            continue
        verdicts.append(verdict)
        remarks += warnings
    found = [build_finding(each, Severity.ERROR) for each in problems]
    found += [build_finding(each, Severity.WARNING) for each in remarks]
    summary = count_problems(tuple(problems)) if problems else f"ok: {'; '.join(verdicts)}"
    report = Findings(
        command="validate", summary=summary, findings=tuple(found), rules=list_rules()
    )
    print_findings(report, arguments.format, arguments.color)
    return Exit.INPUT if problems else Exit.OK


def _list_checks(paths: list[str]) -> Iterator[Callable[[], "Verdict"]]:
    """Yield a check for all inventories together, and one for each state."""
    from wormhole.validation import check_inventory, check_state, is_state  # noqa: PLC0415 - as above

    states = [path for path in paths if is_state(path)]
    if inventories := [path for path in paths if path not in states]:
        yield partial(check_inventory, inventories)
    for state in states:
        yield partial(check_state, state)
