"""Time whole processes: wall clock and peak memory, two commands in turns."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 600.0
"""Seconds; no benchmark may run longer."""


@dataclass(frozen=True)
class Run:
    """One process that ended well."""

    seconds: float
    peak_bytes: int
    output: str


class CommandFailedError(Exception):
    """A command of a benchmark failed: there is nothing to compare."""


def run(argv: Sequence[str], *, cwd: Path, ok: Sequence[int] = (0,)) -> Run:
    """Run a command to its end."""
    started = time.perf_counter()
    with subprocess.Popen(
        argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ok:
        raise CommandFailedError(f"{' '.join(argv)}: exit {process.returncode}\n{output[-2000:]}")
    # Linux counts ru_maxrss in KiB (getrusage(2)).
    return Run(seconds, usage.ru_maxrss * 1024, output)


def take_turns(times: int, *runs: Callable[[], Run]) -> list[list[Run]]:
    """Run each in turn, again and again: what slows the machine down slows them all."""
    taken: list[list[Run]] = [[] for _ in runs]
    for _ in range(times):
        for run_once, results in zip(runs, taken, strict=True):
            results.append(run_once())
    return taken


def median(runs: Sequence[Run]) -> float:
    """Return the middle of the wall-clock times, seconds."""
    return statistics.median(run.seconds for run in runs)
