"""States with one thing wrong: what the folders of ``fixtures/faults`` seed into a sound one.

``fault.json`` holds, for each document, a list of edits as in RFC 6902 (add, remove, replace),
the options of the check, and where the fault is: a file and a JSON pointer.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

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
        document = json.loads(text)
        for edit in fault["edits"].get(file, []):
            _edit(document, edit)
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def read_pointer(pointer: str) -> tuple[str | int, ...]:
    """Return the steps of a JSON pointer; numbers are indices here."""
    steps = pointer.split("/")[1:]
    return tuple(int(step) if step.isdecimal() else step for step in steps)


@cache
def _sound_documents() -> dict[str, str]:
    documents = compile_mesh(parse(read_sources([str(FAULTS / "inventory.yaml")])))
    hosts = documents.hosts.values()
    files = {f"hosts/{host_file_name(host.name)}": dump(host).decode() for host in hosts}
    return {"mesh.json": dump(documents.mesh).decode(), **files}


def _edit(document: Any, edit: dict[str, Any]) -> None:  # noqa: ANN401 - JSON is anything
    *steps, last = read_pointer(edit["path"])
    for step in steps:
        document = document[step]
    match edit["op"]:
        case "add" if isinstance(document, list):
            document.insert(last, edit["value"])
        case "add" | "replace":
            document[last] = edit["value"]
        case "remove":
            del document[last]
