"""Check inventories and states; return a sentence that says what was found in order."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from schemas.document import load_host, load_mesh, load_resolved
from schemas.problems import Problem
from schemas.state import MeshState
from wormhole.files.folder import is_plain_file
from wormhole.files.statefolder import is_state_folder, read_document, read_documents
from wormhole.remarks import count

Verdict = tuple[str, tuple[Problem, ...]]
"""A sentence, and the warnings to print beside it."""

_KINDS: Final = ("MeshState", "HostState", "ResolvedHost")


class _Kinded(msgspec.Struct, frozen=True):
    """As much of a document as tells what it is."""

    kind: str = ""


def is_state(path: str) -> bool:
    """Whether a path is a state folder, or one document of one; else it is an inventory."""
    place = Path(path)
    return is_state_folder(place) or _document_kind(place) is not None


def check_inventory(paths: list[str]) -> Verdict:
    """Parse inventories together.

    Raises:
        Problems: everything wrong with them.

    """
    from compiler.parse import parse  # noqa: PLC0415 - states are checked without it
    from wormhole.files.sources import read_sources  # noqa: PLC0415

    inventory = parse(read_sources(paths))
    parts = [
        f"mesh {inventory.mesh.name}",
        count(len(inventory.nodes), "node"),
        count(len(inventory.warnings), "warning"),
    ]
    if inventory.skipped:
        plural = "objects of other kinds skipped"
        parts.append(count(inventory.skipped, "object of another kind skipped", plural))
    return "inventory: " + ", ".join(parts), inventory.warnings


def check_state(path: str) -> Verdict:
    """Check a state folder as a whole, or one document of one by itself.

    Raises:
        Problems: everything wrong with it.

    """
    place = Path(path)
    kind = _document_kind(place)
    if kind == "MeshState":
        mesh = load_mesh(read_document(place), path)
        return f"document: {kind} {mesh.name}, {_count_peers(mesh)}", ()
    if kind == "HostState":
        return f"document: {kind} {load_host(read_document(place), path).name}", ()
    if kind == "ResolvedHost":
        resolved = load_resolved(read_document(place), path)
        peers = count(len(resolved.peers), "peer")
        return f"document: {kind} {resolved.host.name}, {peers}", ()
    documents = read_documents(place)
    mesh, hosts = documents.mesh, count(len(documents.hosts), "host")
    return f"state: mesh {mesh.name}, {hosts}, {_count_peers(mesh)}", ()


def _document_kind(path: Path) -> str | None:
    """Return the kind of a document of ours; None for any other file."""
    if path.suffix != ".json" or not is_plain_file(path):
        return None
    with suppress(msgspec.DecodeError, OSError):
        kind = msgspec.json.decode(path.read_bytes(), type=_Kinded).kind
        return kind if kind in _KINDS else None
    return None


def _count_peers(mesh: MeshState) -> str:
    return count(sum(map(len, mesh.peer_groups.values())), "peer")
