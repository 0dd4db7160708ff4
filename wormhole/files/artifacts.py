"""Native text to standard output, or to ``DIR/<node>/<file>``."""

from collections.abc import Mapping
from pathlib import Path

from renderers import MeshRenderer, render_host
from schemas.problems import Problem
from schemas.state import Documents, ResolvedHost
from wormhole.console import out
from wormhole.files.folder import Folder


def print_artifacts(resolved: ResolvedHost) -> None:
    """Print every file of a host, each below a line with its name."""
    for name, text in render_host(resolved).items():
        out(f"==> {name} <==\n{text}")


def write_host(folder: Path, resolved: ResolvedHost) -> tuple[Problem, ...]:
    """Write one host's files; return what else lies in its folder.

    Raises:
        Problems: a target cannot express the state, or a file cannot be written.

    """
    with Folder.open(folder) as opened:
        return _write_files(opened, resolved.host.name, render_host(resolved))


def write_all(folder: Path, documents: Documents) -> tuple[Problem, ...]:
    """Write the files of every host; return what else lies in their folders.

    Raises:
        Problems: as :func:`write_host`.

    """
    renderer = MeshRenderer(documents.mesh)
    leftovers: list[Problem] = []
    with Folder.open(folder) as opened:
        for host in documents.hosts.values():
            leftovers += _write_files(opened, host.name, renderer.render(host))
    return tuple(leftovers)


def _write_files(opened: Folder, host: str, files: Mapping[str, str]) -> tuple[Problem, ...]:
    """Write a host's files; what is left of an earlier rendering must not be loaded by mistake."""
    with opened.open_inside(host) as inside:
        for name, text in files.items():
            inside.write_changed(name, text.encode())
        rule = "not part of this rendering: remove it if an earlier one left it"
        strangers = [name for name in inside.names() if name not in files]
    return tuple(Problem(file=str(inside.path / name), rule=rule) for name in strangers)
