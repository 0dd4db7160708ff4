"""From files to files: compile and render, against wg-meshconf and against each other."""

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from bench.clock import Run, median, run, take_turns
from bench.meshes import write_database, write_inventory
from bench.rows import Row, spell_ratio, spell_seconds

WORMHOLE = [sys.executable, "-m", "wormhole"]
_FASTER = "times faster"
_AS_LONG = "times the time"


def measure_start(folder: Path) -> Iterator[Row]:
    """Measure what every command pays before it works."""
    small = str(write_inventory(folder / "small.json", 3))
    commands = (["--version"], ["validate", small])
    *ours, bare = take_turns(
        9,
        *(lambda c=command: run([*WORMHOLE, *c], cwd=folder) for command in commands),
        lambda: run([sys.executable, "-c", "pass"], cwd=folder),
    )
    for command, runs in zip(commands, ours, strict=True):
        yield Row(
            f"`{command[0]}`" + (" of 3 nodes" if command[1:] else ""),
            spell_seconds(median(runs)),
            f"`python -c pass` {spell_seconds(median(bare))}",
            spell_ratio(median(runs) / median(bare), _AS_LONG),
            "tens of ms",
        )


def measure_compile(folder: Path) -> Iterator[Row]:
    """Measure compiling from nothing, growth and memory, and a change of one node."""
    thousand, five = (write_inventory(folder / f"{n}.json", n) for n in (1000, 5000))
    runs, more = take_turns(5, _compile_anew(thousand, folder), _compile_anew(five, folder))
    yield _against_meshconf("compile 1,000 nodes", median(runs), folder, "60 times faster")
    yield Row(
        "compile 5,000 nodes",
        spell_seconds(median(more)),
        f"1,000 nodes {spell_seconds(median(runs))}",
        spell_ratio(median(more) / median(runs), _AS_LONG),
        "at most 8",
    )
    for size, each in (("1,000", runs), ("5,000", more)):
        peak = max(one.peak_bytes for one in each) / 1e6
        yield Row(f"memory of compiling {size} nodes", f"{peak:.0f} MB", "", "", "under 300 MB")
    yield _recompile(folder)


def measure_render(folder: Path) -> Iterator[Row]:
    """Measure a million peer stanzas."""
    outputs = _new_folders(folder, "rendered")

    def render_anew() -> Run:
        argv = [*WORMHOLE, "render", "1000-0", "--all", "-o", next(outputs)]
        return run(argv, cwd=folder)

    (runs,) = take_turns(3, render_anew)
    files = [path for path in (folder / "rendered-0").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    what = f"`render --all`, 1,000 nodes, {size / 1e6:.0f} MB"
    yield _against_meshconf(what, median(runs), folder, "20 times faster")


def _compile_anew(inventory: Path, folder: Path) -> Callable[[], Run]:
    states = _new_folders(folder, inventory.stem)
    argv = [*WORMHOLE, "compile", str(inventory), "-o"]
    return lambda: run([*argv, next(states)], cwd=folder)


def _new_folders(folder: Path, stem: str) -> Iterator[str]:
    """Yield names of folders that are not there yet.

    Not one that is deleted and made again: ext4 looks for a long time for an inode that was not
    freed just now, which would be measured with every file.
    """
    return (str(folder / f"{stem}-{number}") for number in count())


def _recompile(folder: Path) -> Row:
    """Compile again with one endpoint changed; the state is left as it was before."""
    moved = write_inventory(folder / "moved.json", 1000, moved=500)
    arguments = [*WORMHOLE, "compile", "-v"]
    changed = run([*arguments, str(moved), "-o", "1000-0"], cwd=folder)
    run([*arguments, "1000.json", "-o", "1000-0"], cwd=folder)
    files = sum(line.startswith("wrote ") for line in changed.output.splitlines())
    what = "re-compile 1,000 nodes, one changed"
    written = f"{files} file{'' if files == 1 else 's'} written"
    return Row(what, f"{spell_seconds(changed.seconds)}, {written}", "", "", "at most 2 files")


_meshconf_seconds: dict[Path, float] = {}


def _against_meshconf(what: str, ours: float, folder: Path, target: str) -> Row:
    if find_spec("wg_meshconf") is None:
        skipped = "skipped: no wg-meshconf here (the extra `bench`)"
        return Row(what, spell_seconds(ours), skipped, "", target)
    if folder not in _meshconf_seconds:  # three quarters of a minute: once is enough
        database = write_database(folder / "meshconf.csv", 1000)
        argv = [str(Path(sys.executable).with_name("wg-meshconf")), "-d", str(database)]
        result = run([*argv, "genconfig", "-o", str(folder / "meshconf")], cwd=folder)
        _meshconf_seconds[folder] = result.seconds
    theirs = _meshconf_seconds[folder]
    return Row(
        what,
        spell_seconds(ours),
        f"wg-meshconf genconfig {spell_seconds(theirs)}",
        spell_ratio(theirs / ours, _FASTER),
        target,
    )
