"""A state folder's documents as they lie there: as JSON, with the line of each value."""

import os
from pathlib import Path
from typing import Any, Final

from schemas.document import HOSTS_FOLDER, MESH_FILE, host_path, read_raw
from schemas.lines import locate
from schemas.problems import Problems
from schemas.values import NodeName
from schemas.wording import suggest
from wormhole.files.statefolder import (
    is_state_folder,
    list_host_files,
    read_document,
)

Steps = tuple[str | int, ...]


class Folder:
    """Reads each document once, when it is first asked for."""

    def __init__(self, path: Path) -> None:
        """Look at a folder.

        Raises:
            Problems: it is no state folder.

        """
        if not is_state_folder(path):
            raise Problems.one(f"not a state folder: it has no {MESH_FILE}", file=str(path))
        self.path: Final = path
        self._documents: dict[str, Any] = {}
        self._lines: dict[str, dict[Steps, int]] = {}

    def list_files(self) -> tuple[str, ...]:
        """Return the documents, as they are called inside of the folder."""
        return (MESH_FILE, *(f"{HOSTS_FOLDER}/{name}" for name in list_host_files(self.path)))

    def file_of(self, node: str) -> str:
        """Return a node's document.

        Raises:
            Problems: it has none.

        """
        file = host_path(NodeName(node))
        files = self.list_files()
        if file not in files:
            nodes = [name.removeprefix(f"{HOSTS_FOLDER}/").removesuffix(".json") for name in files]
            rule = f"no such host in this state{suggest(node, nodes[1:])}"
            raise Problems.one(rule, file=str(self.path), value=node)
        return file

    def find_file(self, name: str) -> str | None:
        """Return the document that a name means, from here or from inside of the folder."""
        files = self.list_files()
        if name in files:
            return name
        wanted = os.path.realpath(name)
        return next((file for file in files if os.path.realpath(self.path / file) == wanted), None)

    def read(self, file: str) -> Any:  # noqa: ANN401 - JSON is anything
        """Return a document.

        Raises:
            Problems: it cannot be read, or is none.

        """
        if file not in self._documents:
            content = read_document(self.path / file)
            is_mesh = file == MESH_FILE
            kind, schema = ("MeshState", "mesh-state") if is_mesh else ("HostState", "host-state")
            self._documents[file] = read_raw(content, str(self.path / file), kind, schema)
            self._lines[file] = dict(locate(content.decode()))
        return self._documents[file]

    def lines(self, file: str) -> dict[Steps, int]:
        """Return the line of each value of a document, in the order of its text."""
        self.read(file)
        return self._lines[file]

    def line_of(self, file: str, path: Steps) -> int:
        """Return the line of a value; of what it is missing from; the first for the whole."""
        lines = self.lines(file)
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)

    def spell(self, file: str, line: int) -> str:
        """Return ``file:line``, as editors open it."""
        return f"{self.path / file}:{line}"


def look_up(document: Any, path: Steps) -> Any:  # noqa: ANN401 - JSON is anything
    """Return what stands at a place; None where nothing does."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document
