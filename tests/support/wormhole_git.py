"""Git, and an inventory to commit the state of."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from commandline import MESH, spell_node
from inventories import make_key

Git = Callable[..., str]
"""Runs git in the work tree; returns what it prints."""


def run_git(folder: Path, *arguments: str) -> str:
    """Run git; its warnings are shown when a test fails."""
    command = ("git", "-C", str(folder), *arguments)
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout.strip()


def write_inventory(folder: Path, nodes: int, *, moved: int = 0) -> None:
    """Write an inventory of so many nodes; the first ``moved`` have another endpoint."""
    text = MESH
    for number in range(1, nodes + 1):
        node = spell_node(f"node-{number}", make_key(str(number)), number)
        text += node.replace("192.0.2.", "198.51.100.") if number <= moved else node
    (folder / "mesh.yaml").write_text(text)
