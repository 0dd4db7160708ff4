"""Schemas for editors stand alone, and know every object of an inventory file."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from commandline import Wormhole
from jsonschema import Draft202012Validator

from schemas.standalone import build_standalone, list_schemas
from schemas.validate import load_schema, violations

ROOT = Path(__file__).parents[2]
EDITORS = (ROOT / "docs/editors.md").read_text(encoding="utf-8")
MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
INVENTORIES = sorted(
    path for path in (ROOT / "fixtures/clusters").glob("*/*.*") if path.suffix in (".yaml", ".json")
)


def references(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(references, node.values()))
    return found | ({node["$ref"]} if isinstance(node.get("$ref"), str) else set())


@pytest.mark.parametrize("name", list_schemas())
def test_a_schema_alone_refers_to_itself_only(name: str) -> None:
    schema = build_standalone(name)
    Draft202012Validator.check_schema(schema)
    assert "$id" not in json.dumps(schema).replace('"$id": {', "")
    for reference in references(schema):
        place: Any = schema
        assert reference.startswith("#")
        for step in reference.split("/")[1:]:
            place = place[step]
        assert isinstance(place, dict | bool)


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_inventory_of_the_fixtures_passes_alone_as_it_does_together(path: Path) -> None:
    validator = Draft202012Validator(build_standalone("inventory"))
    for document in yaml.safe_load_all(path.read_text()):
        assert [*validator.iter_errors(document)] == []
        assert violations(document, "inventory") == ()


def test_the_schemas_are_listed(wormhole: Wormhole) -> None:
    code, output, _ = wormhole("schema")
    assert (code, [line.split()[0] for line in output.splitlines()]) == (0, [*list_schemas()])
    assert load_schema("inventory")["description"] in output


def test_one_is_printed(wormhole: Wormhole) -> None:
    code, output, _ = wormhole("schema", "inventory")
    assert (code, json.loads(output)) == (0, build_standalone("inventory"))


def test_an_unknown_one_is_refused(wormhole: Wormhole) -> None:
    code, _, errors = wormhole("schema", "nodes")
    known = ", ".join(list_schemas())
    assert (code, errors) == (2, f"error: 'nodes': no such schema (known: {known})\n")


def test_all_are_written_once(wormhole: Wormhole, tmp_path: Path) -> None:
    number = len(list_schemas())
    told = f"ok: {number} schemas in editor: {number} written, 0 unchanged\n"
    assert wormhole("schema", "-o", "editor") == (0, told, "")
    told = f"ok: {number} schemas in editor: 0 written, {number} unchanged\n"
    assert wormhole("schema", "-o", "editor") == (0, told, "")
    assert len([*(tmp_path / "editor").iterdir()]) == number


def test_the_example_of_the_documentation_is_what_its_modeline_says(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    """Follow the page: the command that it names, the file that it shows."""
    [command] = re.findall(r"^wormhole (schema inventory -o \S+)$", EDITORS, re.MULTILINE)
    assert wormhole(*command.split())[0] == 0
    [block] = [
        each
        for each in re.findall(r"```yaml\n(.*?)```", EDITORS, re.DOTALL)
        if MODELINE.search(each)
    ]
    (tmp_path / "inventory").mkdir()
    file = tmp_path / "inventory/mesh.yaml"
    file.write_text(block)
    lines = MODELINE.findall(block)
    assert len(lines) == len(block.split("---\n")), "the language server reads one a document"
    [name] = {*lines}
    named = file.parent / name
    validator = Draft202012Validator(json.loads(named.read_text()))
    documents = [*yaml.safe_load_all(block)]
    assert len(documents) >= 2
    assert [error for each in documents for error in validator.iter_errors(each)] == []
    assert wormhole("validate", "inventory")[0] == 0


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": 7}, True),
        ({"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh"}, True),
        ({"apiVersion": "wormhole.dev/v1alpha1", "kind": "MeshPeer"}, True),
        ({"apiVersion": "wormhole.dev/v1alpha1", "kind": "MeshNodes"}, False),
        ({"apiVersion": "wormhole.dev/v2", "kind": "MeshNode"}, False),
        ({"apiVersion": "wormhole.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "x"}}, False),
        ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": 7}}, False),
        ({"apiVersion": "v1", "kind": "List", "items": [{"kind": "Node"}]}, False),
        ({"apiVersion": "v1", "kind": "List", "items": []}, True),
        ({"kind": "Mesh"}, False),
        ([], False),
    ],
)
def test_any_object_of_a_file_is_judged_by_its_kind(document: object, valid: bool) -> None:  # noqa: FBT001 - a row of the table
    validator = Draft202012Validator(build_standalone("inventory"))
    assert validator.is_valid(document) is valid
    assert (violations(document, "inventory") == ()) is valid
