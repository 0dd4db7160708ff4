"""Pulled objects to a file, or to a folder with a file for each; only what changed is written."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import yaml

from schemas.document import host_file_name
from schemas.problems import Problem, Problems
from schemas.state import Value
from schemas.values import NodeName
from wormhole.files.folder import Folder, read_plain
from wormhole.pull.collect import Pulled
from wormhole.pull.spell import is_marked, spell_objects

_SUFFIX: Final = ".yaml"
_MESH: Final = "mesh.yaml"
_STRANGER: Final = "is not from a pull, and would be overwritten: move it, or name another place"


class Stored(Value, frozen=True, kw_only=True):
    """What storing did, by the files' paths as their reader would name them."""

    written: tuple[str, ...] = ()
    unchanged: int = 0
    removed: tuple[str, ...] = ()


def is_file(path: Path) -> bool:
    """Whether a path means one file: it is named like one, and is no folder."""
    return path.suffix in (_SUFFIX, ".yml") and not path.is_dir()


def store_in_file(path: Path, pulled: Pulled) -> Stored:
    """Write all objects to one file.

    Raises:
        Problems: the file is somebody's, or another mesh's, or cannot be written.

    """
    if path.exists():
        content = read_plain(path)
        if content and not is_marked(content):
            raise Problems.one(_STRANGER, file=str(path))
        _refuse_other_mesh(path, content, pulled)
    with Folder.open(path.parent) as folder:
        written = folder.write_changed(path.name, spell_objects(pulled.objects))
    return Stored(written=(str(path),) if written else (), unchanged=int(not written))


def store_in_folder(path: Path, pulled: Pulled) -> Stored:
    """Write ``mesh.yaml``, ``meshnodes/NAME.yaml`` and ``nodes/NAME.yaml``.

    Files of objects that left are removed when a pull wrote them. All else is left alone.

    Raises:
        Problems: a file is somebody's, or the mesh is another one, or it cannot be written.

    """
    wanted = _spell_files(pulled)
    _refuse_strangers(path, wanted)
    mesh = path / _MESH
    if mesh.exists():
        _refuse_other_mesh(mesh, read_plain(mesh), pulled)
    written, removed = [], []
    with Folder.open(path) as top:
        if top.write_changed(_MESH, wanted[""][_MESH]):
            written.append(_MESH)
        for kind in filter(None, wanted):
            with top.open_inside(kind) as inside:
                changed = [
                    name for name, text in wanted[kind].items() if inside.write_changed(name, text)
                ]
                gone = list(_remove_gone(inside, wanted[kind]))
            written += [f"{kind}/{name}" for name in changed]
            removed += [f"{kind}/{name}" for name in gone]
    return Stored(
        written=tuple(str(path / name) for name in written),
        unchanged=sum(map(len, wanted.values())) - len(written),
        removed=tuple(str(path / name) for name in removed),
    )


def _spell_files(pulled: Pulled) -> dict[str, dict[str, bytes]]:
    """Return the content of each file, by its folder and its name."""
    kinds = {"meshnodes": pulled.mesh_nodes, "nodes": pulled.nodes}
    return {"": {_MESH: spell_objects((pulled.mesh,))}} | {
        kind: {_file_name(each["metadata"]["name"]): spell_objects((each,)) for each in objects}
        for kind, objects in kinds.items()
    }


def _file_name(name: str) -> str:
    return host_file_name(NodeName(name)).removesuffix(".json") + _SUFFIX


def _refuse_strangers(path: Path, wanted: dict[str, dict[str, bytes]]) -> None:
    places = [path / kind / name for kind, files in wanted.items() for name in files]
    strangers = [
        place for place in places if os.path.lexists(place) and not is_marked(read_plain(place))
    ]
    if strangers:
        raise Problems(Problem(file=str(place), rule=_STRANGER) for place in strangers)


def _refuse_other_mesh(path: Path, content: bytes, pulled: Pulled) -> None:
    """Refuse to put one cluster's mesh over another's: the kubeconfig may mean the wrong one."""
    held, asked = _find_mesh(content), pulled.mesh["metadata"]["name"]
    if held and held != asked:
        rule = f"holds mesh {held!r}, the cluster has mesh {asked!r}: is it the right cluster?"
        raise Problems.one(rule, file=str(path))


def _find_mesh(content: bytes) -> str:
    """Return the name of the Mesh in a file of ours; empty when it is not to be found."""
    with suppress(yaml.YAMLError, AttributeError, KeyError, TypeError):
        for document in yaml.load_all(content, yaml.CSafeLoader):
            if document.get("kind") == "Mesh":
                return str(document["metadata"]["name"])
    return ""


def _remove_gone(inside: Folder, wanted: dict[str, bytes]) -> Iterator[str]:
    for name in inside.names():
        if name in wanted or not name.endswith(_SUFFIX):
            continue
        content = inside.read(name)
        if content is not None and is_marked(content):
            inside.remove(name)
            yield name
