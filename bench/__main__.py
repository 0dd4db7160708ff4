"""``python -m bench``: measure, and print the table of ``docs/performance.md``.

Whole processes, in turns with what they are compared with, so that a slow moment of the machine
slows both; ratios mean more than seconds. A part that cannot run says why.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import agent, check, offline, onhost, review
from bench.clock import CommandFailedError
from bench.rows import Row, spell_table


def main() -> int:
    """Run every part; return 1 when one failed."""
    with tempfile.TemporaryDirectory(prefix="wormhole-bench-") as name:
        folder = Path(name)
        # An installed wheel has its bytecode; a checkout gets it here.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
        os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
        rows, failures = _measure(folder)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs\n")
    print(spell_table(rows))
    for failure in failures:
        print(f"\nfailed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _measure(folder: Path) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    failures: list[str] = []
    for part in _parts(folder):
        try:
            for row in part():
                print(f"... {row.what}: {row.ours} {row.ratio}", file=sys.stderr)
                rows.append(row)
        except CommandFailedError as error:
            failures.append(str(error))
    return rows, failures


def _parts(folder: Path) -> Iterator[Callable[[], Iterator[Row]]]:
    yield lambda: offline.measure_start(folder)
    yield lambda: offline.measure_compile(folder)
    yield lambda: offline.measure_render(folder)
    yield lambda: review.measure_diff(folder)
    yield lambda: check.measure_check(folder)
    if reason := onhost.missing():
        yield _skip("`apply`, `plan`", reason)
    else:
        yield lambda: onhost.measure_host(folder, 1000, 5)
        yield lambda: onhost.measure_host(folder, 5000, 2)
    if reason := agent.missing():
        yield _skip("`agent`", reason)
    else:
        yield lambda: agent.measure_agent(folder, 1000)
        yield lambda: agent.measure_agent(folder, 5000)


def _skip(what: str, reason: str) -> Callable[[], Iterator[Row]]:
    return lambda: iter([Row(what, f"skipped: {reason}", "", "", "")])


if __name__ == "__main__":
    sys.exit(main())
