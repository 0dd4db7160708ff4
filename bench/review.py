"""What changes between two states of a thousand hosts, against git comparing their files."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench.clock import Run, median, run, take_turns
from bench.meshes import write_inventory
from bench.rows import Row, spell_ratio, spell_seconds

_WORMHOLE: Final = [sys.executable, "-m", "wormhole"]
_HOSTS: Final = 1000


def measure_diff(folder: Path) -> Iterator[Row]:
    """Measure a join, and a change of every host's document; time and memory."""
    before = _compile(folder, "review-old", _HOSTS)
    for what, after in (
        ("one joins", _compile(folder, "review-join", _HOSTS + 1)),
        ("the overlay grows", _compile(folder, "review-grown", _HOSTS, overlay="192.168.0.0/16")),
    ):
        ours, theirs = take_turns(5, _diff(folder, before, after), _git(folder, before, after))
        peak = max(each.peak_bytes for each in ours) / 1e6
        yield Row(
            f"`diff`, 1,000 hosts, {what}",
            f"{spell_seconds(median(ours))}, {peak:.0f} MB",
            f"`git diff --no-index --stat` {spell_seconds(median(theirs))}",
            spell_ratio(median(ours) / median(theirs), "times the time"),
            "about 1 s",
        )


def _compile(folder: Path, name: str, size: int, *, overlay: str = "") -> str:
    inventory = write_inventory(folder / f"{name}.json", size)
    if overlay:
        text = inventory.read_text()
        inventory.write_text(text.replace('"10.0.0.0/8"', f'"10.0.0.0/8", "{overlay}"', 1))
    run([*_WORMHOLE, "compile", str(inventory), "-o", name], cwd=folder)
    return name


def _diff(folder: Path, before: str, after: str) -> Callable[[], Run]:
    argv = [*_WORMHOLE, "diff", before, after, "--format", "markdown"]
    return lambda: run(argv, cwd=folder, ok=(1,))


def _git(folder: Path, before: str, after: str) -> Callable[[], Run]:
    argv = ["git", "diff", "--no-index", "--stat", before, after]
    return lambda: run(argv, cwd=folder, ok=(1,))
