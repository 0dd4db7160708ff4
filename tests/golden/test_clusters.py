"""Every folder of ``fixtures/clusters`` is a case: an inventory and the documents it becomes.

``expected/`` holds exactly what is written, ``warnings.txt`` what is warned of, if anything is;
``rendered/`` belongs to the renderers' tests. ``WORMHOLE_GOLDEN=write`` rewrites the expected
files instead of comparing: read the difference before committing it.
"""

import os
from pathlib import Path

import pytest

from compiler.compile import compile_mesh
from compiler.inventory import Inventory
from compiler.parse import parse
from compiler.source import Source
from schemas.check import check_state
from schemas.document import dump, host_file_name, load_host, load_mesh

CLUSTERS = Path(__file__).parents[2] / "fixtures" / "clusters"
CASES = sorted(path.name for path in CLUSTERS.iterdir())
WRITE = os.environ.get("WORMHOLE_GOLDEN") == "write"


def read_inventory(case: str, *, backwards: bool = False) -> Inventory:
    folder = CLUSTERS / case
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".json"))
    sources = [Source(name=path.name, text=path.read_text("utf-8")) for path in files]
    return parse(tuple(reversed(sources)) if backwards else tuple(sources))


def make_outputs(inventory: Inventory) -> dict[str, bytes]:
    documents = compile_mesh(inventory)
    outputs = {"expected/mesh.json": dump(documents.mesh)}
    for name, host in documents.hosts.items():
        outputs[f"expected/hosts/{host_file_name(name)}"] = dump(host)
    if inventory.warnings:
        outputs["warnings.txt"] = "".join(f"{each}\n" for each in inventory.warnings).encode()
    return outputs


def read_outputs(case: str) -> dict[str, bytes]:
    """Read all files that are not the inventory's own, so that a surplus one is seen."""
    folder = CLUSTERS / case
    files = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: path.read_bytes()
        for name, path in names.items()
        if not name.startswith("rendered/")
        and not ("/" not in name and name.endswith((".yaml", ".json")))
    }


def write_outputs(case: str, outputs: dict[str, bytes]) -> None:
    for name in read_outputs(case).keys() - outputs.keys():
        (CLUSTERS / case / name).unlink()
    for name, content in outputs.items():
        path = CLUSTERS / case / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_there_are_cases() -> None:
    assert len(CASES) > 10


@pytest.mark.parametrize("case", CASES)
def test_an_inventory_becomes_the_expected_documents(case: str) -> None:
    outputs = make_outputs(read_inventory(case))
    if WRITE:
        write_outputs(case, outputs)
    assert read_outputs(case) == outputs


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_the_files_does_not_matter(case: str) -> None:
    assert make_outputs(read_inventory(case)) == make_outputs(read_inventory(case, backwards=True))


@pytest.mark.parametrize("case", CASES)
def test_the_expected_documents_are_valid_and_fit_together(case: str) -> None:
    expected = CLUSTERS / case / "expected"
    mesh = load_mesh((expected / "mesh.json").read_bytes(), "mesh.json")
    hosts = [load_host(path.read_bytes(), path.name) for path in (expected / "hosts").iterdir()]
    assert check_state(mesh, hosts) == ()
