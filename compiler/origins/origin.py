"""An inventory's sources, and a place in a document of theirs, to what the place comes from."""

from collections.abc import Iterable, Sequence
from itertools import chain
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
from schemas.document import dump, list_documents
from schemas.state import Value
from schemas.values import NodeName

_Field = tuple[int, Path, Path]
"""The source, the object in it, and the field of that."""
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
        self._files: Final = list_documents(compile_mesh(inventory))
        self._read: dict[str, Any] = {}
        self._evidence: Final = _build_evidence(self._collected)
        self._known: dict[_Field, Origin] = {}

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
        [found] = self.find_all([(file, path)])
        return found

    def find_all(self, places: Iterable[tuple[str, Path]]) -> tuple[tuple[Origin, ...], ...]:
        """Do so for many places: an inventory's text is searched once for all their lines."""
        marks = [self._find_marks(file, path) for file, path in places]
        self._locate(chain.from_iterable(each.items() for each in marks))
        return tuple(tuple(self._known[field] for field in each) for each in marks)

    def _look(self, file: str, path: Path) -> tuple[Reason | None, Scene]:
        document = self.read(file)
        scene = Scene(self._evidence, _node_of(document, path), document, path)
        return find_reason(document, path), scene

    def _find_marks(self, file: str, path: Path) -> dict[_Field, Mark]:
        """Return each field once: nobody asks twice who is silent."""
        reason, scene = self._look(file, path)
        marks: dict[_Field, Mark] = {}
        for mark in reason.find(scene) if reason else ():
            entry, field = mark.site
            marks.setdefault((entry.source, entry.path, field), mark)
        return marks

    def _locate(self, fields: Iterable[tuple[_Field, Mark]]) -> None:
        """Look up the lines of fields that were not asked for before."""
        collected = self._collected
        wanted = {field: mark for field, mark in fields if field not in self._known}
        complaints = [mark.site.complain(mark.how) for mark in wanted.values()]
        problems = locate(complaints, collected.sources, collected.readings)
        for (field, mark), problem in zip(wanted.items(), problems, strict=True):
            self._known[field] = Origin(
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
