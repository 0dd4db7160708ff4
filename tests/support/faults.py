"""States with one thing wrong: what the folders of ``fixtures/faults`` seed into a sound one.

``fault.json`` holds the edits of each document, the options of the check, and where the fault is:
a file and a JSON pointer.
"""

from functools import cache
from pathlib import Path
from typing import Any

from patches import edit_text

from compiler.compile import compile_mesh
from compiler.parse import parse
from schemas.document import dump, host_file_name
from wormhole.files.sources import read_sources

FAULTS = Path(__file__).parents[2] / "fixtures" / "faults"


def list_faults() -> list[Path]:
    """Return the folders, one for each fault."""
    return sorted(path.parent for path in FAULTS.glob("*/fault.json"))


def seed(fault: dict[str, Any], folder: Path) -> None:
    """Write a state with a fault in it."""
    for file, text in _sound_documents().items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(edit_text(text, fault["edits"].get(file, [])))


@cache
def _sound_documents() -> dict[str, str]:
    documents = compile_mesh(parse(read_sources([str(FAULTS / "inventory.yaml")])))
    hosts = documents.hosts.values()
    files = {f"hosts/{host_file_name(host.name)}": dump(host).decode() for host in hosts}
    return {"mesh.json": dump(documents.mesh).decode(), **files}
