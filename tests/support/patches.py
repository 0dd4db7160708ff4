"""Edits of a state's documents, as fixtures spell them: for each file, a list as in RFC 6902.

Of its operations there are add, remove and replace. A number in a path is an index.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.document import load_host

Edit = Mapping[str, Any]
"""``op``, ``path`` (a JSON pointer, RFC 6901, without escapes), and perhaps ``value``."""


def edit_state(folder: Path, edits: Mapping[str, Sequence[Edit]]) -> None:
    """Edit the hosts' documents in a state folder; each stays a document.

    Raises:
        Problems: an edit makes something else of one, which would show nothing.

    """
    for file, some in edits.items():
        path = folder / file
        text = edit_text(path.read_text(), some)
        load_host(text.encode(), path.name)
        path.write_text(text)


def edit_text(text: str, edits: Sequence[Edit]) -> str:
    """Return a document with some edits made, written as documents are."""
    document = json.loads(text)
    for edit in edits:
        _edit(document, edit)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def read_pointer(pointer: str) -> tuple[str | int, ...]:
    """Return the steps of a JSON pointer."""
    steps = pointer.split("/")[1:]
    return tuple(int(step) if step.isdecimal() else step for step in steps)


def _edit(document: Any, edit: Edit) -> None:  # noqa: ANN401 - JSON is anything
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
        case operation:
            raise ValueError(operation)
