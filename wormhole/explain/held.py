"""A state's documents as they lie there, as JSON, whoever edited them."""

import os
from collections.abc import Mapping
from typing import Any, Final

from schemas.document import HOSTS_FOLDER, MESH_FILE, host_path, read_raw
from schemas.lines import Path as Steps
from schemas.problems import Problems
from schemas.values import NodeName
from schemas.wording import suggest
from wormhole.files.statetexts import StateTexts


class Held:
    """Reads each document once, when it is first asked for."""

    def __init__(self, texts: StateTexts) -> None:
        self.texts: Final = texts
        self._documents: dict[str, Any] = {}

    def file_of(self, node: str) -> str:
        """Return a node's document.

        Raises:
            Problems: it has none.

        """
        file, files = host_path(NodeName(node)), self.texts.files
        if file not in files:
            nodes = [name.removeprefix(f"{HOSTS_FOLDER}/").removesuffix(".json") for name in files]
            rule = f"no such host in this state{suggest(node, nodes[1:])}"
            raise Problems.one(rule, file=self.texts.name, value=node)
        return file

    def find_file(self, name: str) -> str | None:
        """Return the document that a name means: inside of the state, or as the user has it."""
        if name in self.texts.files:
            return name
        wanted, spell = os.path.realpath(name), self.texts.spell_file
        return next((f for f in self.texts.files if os.path.realpath(spell(f)) == wanted), None)

    def read(self, file: str) -> Any:  # noqa: ANN401 - JSON is anything
        """Return a document.

        Raises:
            Problems: it cannot be read, or is none.

        """
        if file not in self._documents:
            is_mesh = file == MESH_FILE
            kind, schema = ("MeshState", "mesh-state") if is_mesh else ("HostState", "host-state")
            content, name = self.texts.read(file), self.texts.spell_file(file)
            self._documents[file] = read_raw(content, name, kind, schema)
        return self._documents[file]

    def lines_of(self, file: str) -> Mapping[Steps, int]:
        """Return the line of each value of a document, once it is known to be one.

        Raises:
            Problems: as :meth:`read`.

        """
        self.read(file)
        return self.texts.lines_of(file)
