"""The native text of every host of every case, file by file; no file more, no file less.

``WORMHOLE_GOLDEN=write`` writes what is rendered as what is expected.
"""

import os
import shutil
from pathlib import Path

import pytest

from renderers import MeshRenderer
from schemas.document import load_host, load_mesh

CASES = Path(__file__).parents[2] / "fixtures" / "clusters"

Tree = dict[str, str]
"""``<host>/<file>`` to text."""


def _render_case(case: Path) -> Tree:
    (mesh_file,) = (path for path in case.rglob("mesh.json") if "rendered" not in path.parts)
    renderer = MeshRenderer(load_mesh(mesh_file.read_bytes(), str(mesh_file)))
    hosts = [
        load_host(path.read_bytes(), str(path))
        for path in sorted((mesh_file.parent / "hosts").glob("*.json"))
    ]
    return {
        f"{host.name}/{name}": text
        for host in hosts
        for name, text in renderer.render(host).items()
    }


def _read_tree(folder: Path) -> Tree:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write_tree(folder: Path, tree: Tree) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_there_are_cases() -> None:
    assert any(CASES.glob("*/**/mesh.json"))


@pytest.mark.parametrize("case", sorted(CASES.glob("*")), ids=lambda case: case.name)
def test_a_case_is_rendered_as_expected(case: Path) -> None:
    rendered = _render_case(case)
    folder = case / "rendered"
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        _write_tree(folder, rendered)
    assert _read_tree(folder) == rendered
