"""A state folder compared with what an inventory compiles to; nothing is written."""

import os
from contextlib import suppress
from pathlib import Path

from schemas.document import HOSTS_FOLDER, dump, list_documents, load_host
from schemas.problems import Problems
from schemas.state import Documents
from wormhole.files.folder import is_plain_file, read_plain
from wormhole.files.rendering import Disagreement


def compare_state(folder: Path, documents: Documents) -> Disagreement:
    """Compare a folder with the documents that it should hold, byte by byte.

    Surplus are documents of hosts that the mesh does not have: what a compile would remove.

    Raises:
        Problems: a file cannot be read.

    """
    wanted = {name: dump(document) for name, document in list_documents(documents).items()}
    there = {name: folder / name for name in wanted if os.path.lexists(folder / name)}
    return Disagreement(
        differing=tuple(name for name, path in there.items() if read_plain(path) != wanted[name]),
        missing=tuple(name for name in wanted if name not in there),
        surplus=tuple(
            name for name in _list_documents(folder, documents.mesh.name) if name not in wanted
        ),
    )


def _list_documents(folder: Path, mesh: str) -> list[str]:
    """Return the documents of a mesh's hosts, by their paths in the folder."""
    found = []
    for path in sorted((folder / HOSTS_FOLDER).glob("*.json")):
        if not is_plain_file(path):
            continue
        with suppress(Problems):
            if load_host(read_plain(path), str(path)).mesh == mesh:
                found.append(f"{HOSTS_FOLDER}/{path.name}")
    return found
