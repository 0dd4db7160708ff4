"""Read and write a state folder: ``mesh.json``, and ``hosts/<node>.json`` for each host.

The folder is meant to live in a repository, so a write touches only what changed, removes the
documents of hosts that left, and leaves every other file alone.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from schemas.check import check_host, check_state
from schemas.document import (
    HOSTS_FOLDER,
    MESH_FILE,
    dump,
    host_file_name,
    host_path,
    load_host,
    load_mesh,
)
from schemas.problems import Problem, Problems
from schemas.resolve import resolve
from schemas.state import Documents, HostState, MeshState, ResolvedHost, Value
from schemas.values import NodeName
from wormhole.files.folder import Folder, explain_os_errors, is_plain_file, read_plain

_SHOWN_HOSTS: Final = 5


class Written(Value, frozen=True, kw_only=True):
    """What writing a state did, by the files' paths inside the folder."""

    written: tuple[str, ...] = ()
    unchanged: int = 0
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    """Documents of hosts of another mesh: not ours to remove."""


def is_state_folder(folder: Path) -> bool:
    """Whether a folder looks like one that ``compile`` wrote."""
    return is_plain_file(folder / MESH_FILE)


def read_mesh(folder: Path) -> MeshState:
    """Read the mesh's document.

    Raises:
        Problems: it is missing, unreadable or invalid.

    """
    if os.path.isdir(folder) and not os.path.lexists(folder / MESH_FILE):  # noqa: PTH112 - asks without raising
        raise Problems.one(f"not a state folder: it has no {MESH_FILE}", file=str(folder))
    path = folder / MESH_FILE
    return load_mesh(read_document(path), str(path))


def read_host(folder: Path, name: str) -> HostState:
    """Read one host's document.

    Raises:
        Problems: it is missing, unreadable, invalid, or another host's.

    """
    path = folder / host_path(NodeName(name))
    host = load_host(read_document(path), str(path))
    if host.name != name:
        rule = f"the file of host {name!r} holds another host's document"
        raise Problems.one(rule, file=str(path), path="name", value=host.name)
    return host


def read_resolved(folder: Path, wanted: str | None) -> ResolvedHost:
    """Read the full desired state of one host; see :func:`choose_host` for which.

    Raises:
        Problems: anything wrong with the folder, its documents, how they fit, or the choice.

    """
    mesh = read_mesh(folder)
    host = read_host(folder, choose_host(folder, wanted, os.uname().nodename))
    refuse_contradictions(folder, check_host(mesh, host))
    return resolve(mesh, host)


def refuse_contradictions(folder: Path, found: Iterable[Problem]) -> None:
    """Raise what was found in a folder's documents, by the names that its reader gave.

    Raises:
        Problems: unless nothing was found.

    """
    if named := [replace(problem, file=str(folder / problem.file)) for problem in found]:
        raise Problems(named)


def read_hosts(folder: Path) -> tuple[HostState, ...]:
    """Read every host's document, sorted by file name.

    Raises:
        Problems: every one that is unreadable, invalid or in the wrong file, at once.

    """
    place = folder / HOSTS_FOLDER
    return load_hosts(str(place), list_host_files(folder), lambda name: read_document(place / name))


def load_hosts(
    place: str,
    names: Iterable[str],
    read: Callable[[str], bytes],
    load: Callable[[bytes, str], HostState] = load_host,
) -> tuple[HostState, ...]:
    """Load every host's document from wherever its file can be read, such as an old revision.

    ``place`` is what messages call the folder that the files are in.

    Raises:
        Problems: every one that is unreadable, invalid or in the wrong file, at once.

    """
    hosts: list[HostState] = []
    problems: list[Problem] = []
    for name in names:
        file = f"{place}/{name}"
        try:
            host = load(read(name), file)
        except Problems as error:
            problems += error.problems
            continue
        if name != (expected := host_file_name(host.name)):
            rule = f"host {host.name!r} belongs in {expected}"
            problems.append(Problem(file=file, path="name", rule=rule))
        hosts.append(host)
    if problems:
        raise Problems(problems)
    return tuple(hosts)


def host_files_of(names: Iterable[str]) -> list[str]:
    """Return the names, of those in the hosts' folder, that are documents; sorted."""
    return sorted(name for name in names if name.endswith(".json") and not name.startswith("."))


def list_host_files(folder: Path) -> list[str]:
    """Return the names of the documents in the hosts' folder, sorted.

    Raises:
        Problems: the folder cannot be read.

    """
    path = folder / HOSTS_FOLDER
    with explain_os_errors(path, "cannot read the folder"):
        names = os.listdir(path)  # noqa: PTH208 - names are all that is wanted
    return host_files_of(names)


def read_documents(folder: Path) -> Documents:
    """Read a whole state folder, whose documents must fit together.

    Raises:
        Problems: everything wrong with it.

    """
    mesh, hosts = read_mesh(folder), read_hosts(folder)
    refuse_contradictions(folder, check_state(mesh, hosts))
    return Documents(mesh=mesh, hosts={host.name: host for host in hosts})


def choose_host(folder: Path, wanted: str | None, hostname: str) -> str:
    """Return which host is meant: the one asked for, the only one, or this machine's.

    Raises:
        Problems: none of these; names a few that there are.

    """
    files = list_host_files(folder)
    if wanted is not None:
        if _has_host(files, wanted):
            return wanted
        raise Problems.one(f"no such host in this state; {_list_hosts(files)}", value=wanted)
    if len(files) == 1:
        path = folder / HOSTS_FOLDER / files[0]
        return load_host(read_document(path), str(path)).name
    for name in (hostname, hostname.lower()):  # the kubelet registers a node in lower case
        if _has_host(files, name):
            return name
    rule = f"which host? give --host NODE ({hostname!r}, this machine's name, is none of them)"
    raise Problems.one(f"{rule}; {_list_hosts(files)}", file=str(folder))


def read_document(path: Path) -> bytes:
    """Read a document's bytes.

    Raises:
        Problems: it cannot be read.

    """
    return read_plain(path)


def write_state(path: Path, mesh: MeshState, hosts: Iterable[HostState]) -> Written:
    """Make a state folder hold exactly these documents.

    ``mesh.json`` goes first: it is what makes the folder recognisable, should this end half-way.

    Raises:
        Problems: the folder holds something else, or cannot be written.

    """
    wanted = {host_file_name(host.name): host for host in hosts}
    with Folder.open(path) as folder:
        _refuse_other_folders(folder, mesh)
        with folder.open_inside(HOSTS_FOLDER) as inside:
            written = [MESH_FILE] if folder.write_changed(MESH_FILE, dump(mesh)) else []
            written += [
                f"{HOSTS_FOLDER}/{name}"
                for name, host in wanted.items()
                if inside.write_changed(name, dump(host))
            ]
            removed, kept = _remove_hosts_that_left(inside, mesh.name, set(wanted))
    return Written(
        written=tuple(written),
        unchanged=1 + len(wanted) - len(written),
        removed=tuple(f"{HOSTS_FOLDER}/{name}" for name in removed),
        kept=tuple(f"{HOSTS_FOLDER}/{name}" for name in kept),
    )


def _refuse_other_folders(folder: Folder, mesh: MeshState) -> None:
    content = folder.read(MESH_FILE)
    if content is None:
        if folder.names():
            rule = f"neither empty nor a state folder (no {MESH_FILE}): name another one"
            raise Problems.one(rule, file=str(folder.path))
        return
    held = load_mesh(content, str(folder.path / MESH_FILE))
    if held.name != mesh.name:
        rule = f"the folder holds mesh {held.name!r}, the inventory is mesh {mesh.name!r}"
        hint = "name another folder, or empty this one to rename the mesh"
        raise Problems.one(f"{rule}: {hint}", file=str(folder.path))


def _remove_hosts_that_left(
    hosts: Folder, mesh: str, wanted: set[str]
) -> tuple[list[str], list[str]]:
    """Remove documents of hosts that the mesh lacks; a file that is anything else stays.

    Returns what was removed, and what was kept because it belongs to another mesh.
    """
    removed, kept = [], []
    for name in hosts.names():
        if name in wanted or not name.endswith(".json"):
            continue
        try:
            host = load_host(hosts.read(name) or b"", name)
        except Problems:
            continue
        if host.mesh != mesh:
            kept.append(name)
            continue
        hosts.remove(name)
        removed.append(name)
    return removed, kept


def _has_host(files: list[str], name: str) -> bool:
    return host_file_name(NodeName(name)) in files


def _list_hosts(files: list[str]) -> str:
    if not files:
        return "it has no hosts"
    names = ", ".join(file.removesuffix(".json") for file in files[:_SHOWN_HOSTS])
    more = len(files) - _SHOWN_HOSTS
    return f"it has {names}" + (f" and {more} more" if more > 0 else "")
