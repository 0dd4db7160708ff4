"""Native text, printed, or in ``DIR/<node>/<file>``: written, kept equal to a state, or compared.

What an earlier rendering left is known by what is in it, without any list: the first line of every
text names its host and mesh, and the CNI configuration names the network.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from renderers import MeshRenderer, render_host
from schemas.problems import Problem
from schemas.state import Documents, ResolvedHost, Value
from wormhole.console import out
from wormhole.files.folder import Folder, explain_os_errors, read_plain

MANY_HOSTS: Final = 200
"""Above it a rendering is worth a warning: each host's text lists every other host."""
_NETWORK: Final = "wormhole"
"""The name in our CNI configurations (``compiler/cni.py``)."""
_CNI_SUFFIX: Final = ".conflist"


class Rendered(Value, frozen=True, kw_only=True):
    """What writing a rendering did. Files are named by their paths in the folder."""

    files: tuple[str, ...] = ()
    """All that belong to it."""
    written: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    """Files below it that are not ours, left where they are."""


class Disagreement(Value, frozen=True, kw_only=True):
    """Where a folder is not the rendering of a state. Files are named by their paths in it."""

    differing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    """Files in a host's folder, or in any other one, that are no part of the rendering."""

    @property
    def count(self) -> int:
        """How many files disagree."""
        return len(self.differing) + len(self.missing) + len(self.surplus)


def print_host(resolved: ResolvedHost) -> None:
    """Print every file of a host, each below a line with its name."""
    for name, text in render_host(resolved).items():
        out(f"==> {name} <==\n{text}")


def write_host(path: Path, resolved: ResolvedHost) -> tuple[Problem, ...]:
    """Write one host's files; return what else lies in its folder.

    Raises:
        Problems: a target cannot express the state, or a file cannot be written.

    """
    texts = {name: text.encode() for name, text in render_host(resolved).items()}
    with Folder.open(path) as folder:
        return _write_files(folder, resolved.host.name, texts)


def write_all(path: Path, documents: Documents) -> tuple[Problem, ...]:
    """Write the files of every host; return what else lies in their folders.

    Raises:
        Problems: as :func:`write_host`.

    """
    with Folder.open(path) as folder:
        return tuple(
            stranger
            for host, texts in _render(documents)
            for stranger in _write_files(folder, host, texts)
        )


def write_rendering(path: Path, documents: Documents) -> Rendered:
    """Make a folder hold the native text of every host, and none of hosts that left.

    Raises:
        Problems: a target cannot express the state, or a file cannot be written.

    """
    files: list[str] = []
    written: list[str] = []
    removed: list[str] = []
    strangers: list[str] = []
    with Folder.open(path) as folder:
        for host, texts in _render(documents):
            with folder.open_inside(host) as inside:
                changed = [name for name, text in texts.items() if inside.write_changed(name, text)]
                gone, kept = _remove_leftovers(inside, host, documents.mesh.name, texts)
            files += [f"{host}/{name}" for name in texts]
            written += [f"{host}/{name}" for name in changed]
            removed += gone
            strangers += kept
        for host in _folders_of_others(path, documents):
            with folder.open_inside(host) as inside:
                gone, kept = _remove_leftovers(inside, host, documents.mesh.name, {})
            removed += gone
            strangers += kept if gone else []
            with suppress(OSError):  # it is not empty: something in it is not ours
                (path / host).rmdir()
    return Rendered(
        files=tuple(files),
        written=tuple(written),
        removed=tuple(removed),
        strangers=tuple(strangers),
    )


def compare_rendering(path: Path, documents: Documents) -> Disagreement:
    """Compare a folder with what rendering a state would write; write nothing.

    Raises:
        Problems: a target cannot express the state, or a file cannot be read.

    """
    differing: list[str] = []
    missing: list[str] = []
    surplus: list[str] = []
    for host, texts in _render(documents):
        for name, text in texts.items():
            found = _read(path / host / name)
            if found is None:
                missing.append(f"{host}/{name}")
            elif found != text:
                differing.append(f"{host}/{name}")
        surplus += [each for each in _list_below(path, host) if each[len(host) + 1 :] not in texts]
    for other in _folders_of_others(path, documents) if path.is_dir() else ():
        surplus += _list_below(path, other)
    return Disagreement(
        differing=tuple(differing), missing=tuple(missing), surplus=tuple(sorted(surplus))
    )


def name_files(documents: Documents) -> Iterator[str]:
    """Yield what will be rendered, as ``HOST/FILE``: all hosts of a mesh have the same files."""
    first = next(iter(_render(documents)), ("", {}))
    return (f"{host}/{name}" for host in documents.hosts for name in first[1])


def is_rendering(host: str, name: str, content: bytes, mesh: str) -> bool:
    """Whether a file in a host's folder was rendered for that host of that mesh."""
    if not name.endswith(_CNI_SUFFIX):
        return content.startswith(f"# {host}, mesh {mesh}: ".encode())
    with suppress(ValueError):
        config = json.loads(content)
        return isinstance(config, dict) and config.get("name") == _NETWORK
    return False


def _write_files(folder: Folder, host: str, texts: Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Write a host's files; what is left of an earlier rendering must not be loaded by mistake."""
    with folder.open_inside(host) as inside:
        for name, text in texts.items():
            inside.write_changed(name, text)
        rule = "not part of this rendering: remove it if an earlier one left it"
        strangers = [name for name in inside.names() if name not in texts]
    return tuple(Problem(file=str(inside.path / name), rule=rule) for name in strangers)


def _render(documents: Documents) -> Iterator[tuple[str, Mapping[str, bytes]]]:
    renderer = MeshRenderer(documents.mesh)
    for host in documents.hosts.values():
        yield host.name, {name: text.encode() for name, text in renderer.render(host).items()}


def _remove_leftovers(
    inside: Folder, host: str, mesh: str, wanted: Mapping[str, bytes]
) -> tuple[list[str], list[str]]:
    """Remove what an earlier rendering left in a host's folder; return that, and what stays."""
    removed, kept = [], []
    for name in inside.names():
        if name in wanted:
            continue
        content = inside.read(name)
        if content is not None and is_rendering(host, name, content, mesh):
            inside.remove(name)
            removed.append(f"{host}/{name}")
        else:
            kept.append(f"{host}/{name}")
    return removed, kept


def _folders_of_others(path: Path, documents: Documents) -> list[str]:
    """Return the folders in a folder that are no host's; neither hidden ones nor links."""
    with explain_os_errors(path, "cannot read the folder"), os.scandir(path) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(".")
            and entry.name not in documents.hosts
        )


def _list_below(path: Path, host: str) -> list[str]:
    """Return every file below a host's folder, by its path in the outer one, sorted."""
    found = []
    for place, folders, files in os.walk(path / host):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(place).relative_to(path)
        found += [str(relative / name) for name in files if not name.startswith(".")]
    return sorted(found)


def _read(path: Path) -> bytes | None:
    """Return a file's content; None when there is none."""
    return read_plain(path) if os.path.lexists(path) else None
