"""Say where a folder is not what it should be: a line for each file."""

from pathlib import Path

from wormhole.console import out
from wormhole.files.rendering import Disagreement
from wormhole.remarks import show_path


def say_disagreement(folder: Path, found: Disagreement) -> int:
    """Print a line for each file; return how many there are."""
    for what, paths in (
        ("differs", found.differing),
        ("is missing", found.missing),
        ("is no part of it", found.surplus),
    ):
        for path in paths:
            out(f"{show_path(folder / path)} {what}")
    return found.count
