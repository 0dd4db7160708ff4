"""Proving a mesh from its documents, at 100 and at 1,000 hosts; time and memory."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.clock import Run, median, run, take_turns
from bench.meshes import write_inventory
from bench.rows import Row, spell_ratio, spell_seconds

_WORMHOLE: Final = [sys.executable, "-m", "wormhole"]


def measure_check(folder: Path) -> Iterator[Row]:
    """Measure a proof against reading the same documents, which it has to do first."""
    for size in (100, 1000):
        state = f"check-{size}"
        inventory = write_inventory(folder / f"{state}.json", size)
        run([*_WORMHOLE, "compile", str(inventory), "-o", state], cwd=folder)
        ours, reading = take_turns(3, _run(folder, "check", state), _run(folder, "validate", state))
        peak = max(each.peak_bytes for each in ours) / 1e6
        yield Row(
            f"`check`, {size:,} hosts",
            f"{spell_seconds(median(ours))}, {peak:.0f} MB",
            f"`validate` {spell_seconds(median(reading))}",
            spell_ratio(median(ours) / median(reading), "times the time"),
            "under 60 s at 1,000",
        )


def _run(folder: Path, command: str, state: str) -> Callable[[], Run]:
    return lambda: run([*_WORMHOLE, command, state], cwd=folder)
