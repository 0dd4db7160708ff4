"""Read a state by the name that a command line gives it: folder, inventory, or revision.

``compile`` runs on the way where an inventory is named. Where both sides of a comparison have a
file with the same bytes, they share one value, so that nobody need look for a difference in it.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.document import (
    HOSTS_FOLDER,
    MESH_FILE,
    dump,
    list_documents,
    load_host,
    load_mesh,
)
from schemas.problems import Problem, Problems
from schemas.state import Documents, HostState, MeshState, Value
from wormhole.files.statefolder import (
    host_files_of,
    is_state_folder,
    list_host_files,
    load_hosts,
    read_document,
)
from wormhole.files.statetexts import StateTexts

if TYPE_CHECKING:
    from compiler.source import Source
    from wormhole.git.reading import Place

STDIN: Final = "-"
_BRACES: Final = re.compile(r"\{[^{}]*\}")


class Found(Value, frozen=True, kw_only=True):
    """A state that was found; its documents are not read yet, unless they were compiled."""

    texts: StateTexts
    compiled: Documents | None = None
    """Of an inventory, which has no documents before it is compiled."""
    sources: "tuple[Source, ...]" = ()
    """The inventory's text."""
    warnings: tuple[Problem, ...] = ()
    """What its compilation warns of."""


class Loaded(Value, frozen=True, kw_only=True):
    """A state that was read as a whole."""

    documents: Documents
    texts: StateTexts
    warnings: tuple[Problem, ...] = ()


def split_revision(text: str) -> tuple[str, str] | None:
    """Return the revision and the path of ``REV:PATH``; None for what is no such thing.

    The first colon parts them that is not between braces, as in ``main@{2026-11-01 10:30}:state``:
    no revision's name has one (git-check-ref-format(1)).
    """
    if text == STDIN or os.path.lexists(text):
        return None
    colon = _BRACES.sub(lambda found: "_" * len(found[0]), text).find(":")
    return (text[:colon], text[colon + 1 :]) if colon > 0 else None


class Reader:
    """Reads states that have much in common, each file of the same bytes once."""

    def __init__(self) -> None:
        self._hosts: dict[bytes, HostState] = {}
        self._meshes: dict[bytes, MeshState] = {}

    def read(self, text: str) -> Loaded:
        """Read the state that a text names; see :meth:`find`.

        Raises:
            Problems: whatever is wrong with it.

        """
        return self._load(self.find(text))

    def read_revision(self, here: Path, revision: str, path: str) -> Loaded:
        """Read the state at a path in a revision of the repository that a folder lies in.

        Raises:
            Problems: whatever is wrong with it.

        """
        return self._load(_find_in_revision(here, revision, path))

    def find(self, text: str) -> Found:
        """Find the state that a text names: a state folder, an inventory, ``-``, or ``REV:PATH``.

        What is there as a file or a folder wins over a revision.

        Raises:
            Problems: nothing is there; or whatever is wrong with an inventory, which is compiled.

        """
        if parts := split_revision(text):
            return _find_in_revision(Path.cwd(), *parts)
        if text != STDIN and is_state_folder(Path(text)):
            return _find_in_folder(Path(text))
        if text != STDIN and not os.path.lexists(text):
            rule = "no such file or folder; what is in a git revision is written REV:PATH"
            raise Problems.one(f"{rule}, such as HEAD:state", file=text)
        from wormhole.files.sources import has_inventory_files, read_sources  # noqa: PLC0415 - brings the compiler

        if os.path.isdir(text) and not has_inventory_files(text):  # noqa: PTH112 - asks without raising
            raise _neither(text)
        return _compile(text, read_sources([text]))

    def _load(self, found: Found) -> Loaded:
        documents = self._load_documents(found.texts) if found.compiled is None else found.compiled
        return Loaded(documents=documents, texts=found.texts, warnings=found.warnings)

    def _load_documents(self, texts: StateTexts) -> Documents:
        mesh = self._load_mesh(texts.read(MESH_FILE), texts.spell_file(MESH_FILE))
        folder = f"{HOSTS_FOLDER}/"
        hosts = load_hosts(
            texts.spell_file(HOSTS_FOLDER),
            [name.removeprefix(folder) for name in texts.files if name != MESH_FILE],
            lambda name: texts.read(f"{folder}{name}"),
            self._load_host,
        )
        by_name = sorted(hosts, key=lambda host: host.name)
        return Documents(mesh=mesh, hosts={host.name: host for host in by_name})

    def _load_host(self, content: bytes, file: str) -> HostState:
        if content not in self._hosts:
            self._hosts[content] = load_host(content, file)
        return self._hosts[content]

    def _load_mesh(self, content: bytes, file: str) -> MeshState:
        if content not in self._meshes:
            self._meshes[content] = load_mesh(content, file)
        return self._meshes[content]


def open_reader(*texts: str | None) -> Reader:
    """Return a reader for the sides of a comparison.

    Raises:
        Problems: both are standard input.

    """
    if texts.count(STDIN) > 1:
        raise Problems.one("standard input can be one of the two sides", value=STDIN)
    return Reader()


def _find_in_folder(folder: Path) -> Found:
    files = _name_files(list_host_files(folder))
    texts = StateTexts(
        str(folder),
        files,
        lambda file: read_document(folder / file),
        lambda file: str(folder / file),
    )
    return Found(texts=texts)


def _find_in_revision(here: Path, revision: str, path: str) -> Found:
    from wormhole.git.reading import find_place, join, read_files  # noqa: PLC0415 - only for these

    place = find_place(here, revision, path)
    if MESH_FILE in place.blobs:
        contents = read_files(here, place, _state_files(place))
        texts = StateTexts(
            place.name, contents, contents.__getitem__, lambda file: join(place, file)
        )
        return Found(texts=texts)
    names = _inventory_files(place)
    return _compile(place.name, tuple(_make_sources(place, read_files(here, place, names))))


def _name_files(host_files: list[str]) -> list[str]:
    return [MESH_FILE, *(f"{HOSTS_FOLDER}/{name}" for name in host_files)]


def _state_files(place: "Place") -> list[str]:
    """Return the documents of a state: the mesh's, and those in its hosts' folder."""
    folder = f"{HOSTS_FOLDER}/"
    inside = [path.removeprefix(folder) for path in place.blobs if path.startswith(folder)]
    return _name_files(host_files_of(name for name in inside if "/" not in name))


def _inventory_files(place: "Place") -> list[str]:
    from wormhole.files.sources import is_inventory_file  # noqa: PLC0415 - brings the compiler

    if place.is_file:
        return [""]
    names = [
        path
        for path in place.blobs
        if is_inventory_file(path.rpartition("/")[2])
        and not any(folder.startswith(".") for folder in path.split("/"))
    ]
    if not names:
        raise _neither(place.name)
    return names


def _neither(name: str) -> Problems:
    from wormhole.files.sources import SUFFIXES  # noqa: PLC0415 - imported by now

    rule = f"neither a state folder (no {MESH_FILE}) nor an inventory (no {', '.join(SUFFIXES)})"
    return Problems.one(rule, file=name)


def _make_sources(place: "Place", files: Mapping[str, bytes]) -> "Iterator[Source]":
    from compiler.source import Source  # noqa: PLC0415 - only where an inventory is read
    from wormhole.files.sources import decode  # noqa: PLC0415 - as above
    from wormhole.git.reading import join  # noqa: PLC0415 - imported by now

    for path, content in files.items():
        name = join(place, path)
        yield Source(name=name, text=decode(name, content))


def _compile(name: str, sources: "tuple[Source, ...]") -> Found:
    from compiler.compile import compile_mesh  # noqa: PLC0415 - only where an inventory is read
    from compiler.parse import parse  # noqa: PLC0415

    inventory = parse(sources)
    documents = compile_mesh(inventory)
    by_file = list_documents(documents)
    texts = StateTexts(name, by_file, lambda file: dump(by_file[file]), str)
    return Found(texts=texts, compiled=documents, sources=sources, warnings=inventory.warnings)
