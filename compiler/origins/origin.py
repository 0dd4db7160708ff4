"""An inventory's sources, and a place in a document of theirs, to what the place comes from."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from compiler.compile import compile_mesh
from compiler.lines import locate
from compiler.origins.marks import Evidence, How, Mark
from compiler.origins.reason import Reason, Scene
from compiler.origins.registry import find_reason
from compiler.parse import Collected, parse_collected
from compiler.reading import Path
from compiler.source import Source
from schemas.document import dump, host_file_name
from schemas.state import Documents, Value
from schemas.values import NodeName

MESH_FILE: Final = "mesh.json"
HOSTS_FOLDER: Final = "hosts"
_PEER_DEPTH: Final = 2
"""Steps to the peers of a group: ``peerGroups``, the group."""


class Origin(Value, frozen=True, kw_only=True):
    """A field of the inventory that something comes from."""

    how: How
    file: str
    line: int = 0
    """Of the field; of what it would stand in, where nobody wrote it. 0: it has none."""
    object: str
    """``Kind/name``."""
    path: str
    """The field, such as ``spec.podCIDRs[0]``."""
    value: str = ""
    """As it is written; or the default."""


class Origins:
    """Compiles an inventory once, and answers for each place of the documents."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Compile.

        Raises:
            Problems: something is wrong with the inventory.

        """
        self._collected, inventory = parse_collected(sources)
        documents = compile_mesh(inventory)
        self._files: Final = _files_of(documents)
        self._read: dict[str, Any] = {}
        self._evidence: Final = _build_evidence(self._collected)

    @property
    def files(self) -> tuple[str, ...]:
        """The documents' names, as inside a state folder."""
        return tuple(self._files)

    def read(self, file: str) -> Any:  # noqa: ANN401 - JSON is anything
        """Return a document, as JSON has it."""
        if file not in self._read:
            self._read[file] = msgspec.json.decode(dump(self._files[file]))
        return self._read[file]

    def reckon(self, file: str, path: Path) -> str:
        """Return the arithmetic behind a value; empty where there is none."""
        reason, scene = self._look(file, path)
        return reason.reckon(scene) if reason and reason.reckon else ""

    def find(self, file: str, path: Path) -> tuple[Origin, ...]:
        """Return each field of the inventory that a place comes from, nearest first."""
        reason, scene = self._look(file, path)
        marks = tuple(_unique(reason.find(scene))) if reason else ()
        return tuple(self._locate(marks))

    def _look(self, file: str, path: Path) -> tuple[Reason | None, Scene]:
        document = self.read(file)
        scene = Scene(self._evidence, _node_of(document, path), document, path)
        return find_reason(document, path), scene

    def _locate(self, marks: tuple[Mark, ...]) -> Iterator[Origin]:
        collected = self._collected
        complaints = [mark.site.complain(mark.how) for mark in marks]
        problems = locate(complaints, collected.sources, collected.readings)
        for mark, problem in zip(marks, problems, strict=True):
            yield Origin(
                how=mark.how,
                file=problem.file,
                line=problem.line,
                # Whole, where an error shortens it: two long names may begin alike.
                object=f"{mark.site.entry.kind}/{mark.site.entry.name}",
                path=problem.path,
                value=spell_value(mark.value),
            )


def spell_value(value: object) -> str:
    """Spell a value on one line: text as it is, all else as JSON; nothing for nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _files_of(documents: Documents) -> dict[str, Value]:
    hosts = {
        f"{HOSTS_FOLDER}/{host_file_name(name)}": host for name, host in documents.hosts.items()
    }
    return {MESH_FILE: documents.mesh, **hosts}


def _build_evidence(collected: Collected) -> Evidence:
    mesh = collected.mesh
    if mesh is None:  # parsing would have raised
        raise AssertionError
    return Evidence(collected, mesh)


def _node_of(document: Any, path: Path) -> NodeName:  # noqa: ANN401 - JSON is anything
    """Return whom a place is about: a host's own document, or the peer that it is in."""
    if "peerGroups" not in document:
        return NodeName(document["name"])
    return NodeName(str(path[2])) if len(path) > _PEER_DEPTH else NodeName("")


def _unique(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Yield each field once; nobody asks twice who is silent."""
    seen: set[tuple[object, ...]] = set()
    for mark in marks:
        place = (mark.site.entry.source, mark.site.entry.path, mark.site.path)
        if place not in seen:
            seen.add(place)
            yield mark
