"""The CustomResourceDefinitions are what the schemas say, in the words that a server takes."""

import json
from pathlib import Path
from typing import Any

import pytest
from make_crds import CRDS, render, to_crd, to_stored, to_structural

ROOT = Path(__file__).parents[2]
STEMS = ["mesh", "meshnode"]


def schema(stem: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / f"schemas/{stem}.schema.json").read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("stem", STEMS)
def test_the_files_are_what_the_schemas_say(stem: str) -> None:
    path, text = render(stem)
    assert path.read_text("utf-8") == text, "make crds writes it anew"


def test_there_are_no_other_definitions() -> None:
    made = {render(stem)[0] for stem in STEMS}
    assert {*CRDS.iterdir()} == made | {CRDS / "kustomization.yaml"}


def test_values_keep_their_rules() -> None:
    rules = {"type": "string", "pattern": "^a", "maxLength": 3, "not": {"enum": ["ab"]}}
    assert to_structural(rules, "x") == rules


def test_words_of_ours_and_of_the_meta_schema_are_dropped() -> None:
    said = {"$id": "i", "title": "T", "x-rule": "must be", "x-key": True, "examples": [1]}
    assert to_structural({"type": "integer", **said}, "x") == {"type": "integer"}


def test_words_of_kubernetes_are_kept() -> None:
    listed = {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
    assert to_structural(listed, "x") == listed


def test_a_list_of_values_gets_the_type_that_a_structural_schema_needs() -> None:
    assert to_structural({"const": "a"}, "x") == {"enum": ["a"], "type": "string"}
    assert to_structural({"enum": [True]}, "x") == {"enum": [True], "type": "boolean"}


def test_a_default_is_told_and_not_stored() -> None:
    said = {"description": "A port.", "type": "integer", "default": 9806}
    assert to_structural(said, "x") == {
        "description": "A port. Default: 9806.",
        "type": "integer",
    }


def test_an_empty_default_is_not_told() -> None:
    said = {"description": "A list.", "type": "array", "default": []}
    assert to_structural(said, "x") == {"description": "A list.", "type": "array"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "#/x"}, "spec: no word for $ref in a CRD"),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            "spec: no word for additionalProperties in a CRD",
        ),
        (
            {"type": "string", "pattern": "^(?!a)"},
            "spec.pattern '^(?!a)': RE2 knows no lookaround",
        ),
        ({"description": "Anything."}, "spec: needs a type"),
        (
            {"type": "string", "not": {"type": "null"}},
            "spec.not: only enum and pattern may stand here",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array", "items": {}}}},
            "spec.a[]: needs a type",
        ),
    ],
)
def test_what_a_server_would_refuse_is_refused_here(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^spec") as caught:
        to_structural(schema, "spec")
    assert str(caught.value) == message


@pytest.mark.parametrize("stem", STEMS)
def test_every_field_of_ours_is_there(stem: str) -> None:
    stored = to_stored(schema(stem))["properties"]
    for part in {"spec", "status"} & stored.keys():
        assert paths(stored[part]) == paths(schema(stem)["properties"][part])


def paths(found: dict[str, Any], path: str = "") -> set[str]:
    below: set[str] = set()
    for name, each in found.get("properties", {}).items():
        below |= paths(each, f"{path}.{name}")
    if "items" in found:
        below |= paths(found["items"], f"{path}[]")
    return below | {path}


def test_a_status_has_its_own_door_where_somebody_writes_one() -> None:
    [mesh] = to_crd("mesh", schema("mesh"))["spec"]["versions"]
    [node] = to_crd("meshnode", schema("meshnode"))["spec"]["versions"]
    assert ("subresources" in mesh, node["subresources"]) == (False, {"status": {}})
