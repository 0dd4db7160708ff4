"""``wormhole diff``: its exit codes, its formats, its errors."""

import json
from pathlib import Path
from typing import get_args

import pytest
from commandline import Wormhole
from msgspec import inspect
from wormhole_git import write_inventory

from review.changes.review import Action, Blast, Cause, Difference, Entry, Impact, Review, Side
from schemas.state import ApiVersion, Value
from schemas.validate import load_schema, violations

PARTS: dict[str, type[Value]] = {
    "side": Side,
    "entry": Entry,
    "difference": Difference,
    "blast": Blast,
}


@pytest.fixture
def sides(tmp_path: Path, wormhole: Wormhole) -> tuple[str, str]:
    """Return a state of two nodes, and an inventory of three in which one moved."""
    write_inventory(tmp_path, 2)
    assert wormhole("compile", "mesh.yaml", "-o", "state")[0] == 0
    write_inventory(tmp_path, 3, moved=1)
    return "state", "mesh.yaml"


def test_differences_are_exit_code_1_and_none_are_0(
    sides: tuple[str, str], wormhole: Wormhole
) -> None:
    code, out, err = wormhole("diff", *sides)
    assert (code, err) == (1, "")
    assert out.splitlines()[0] == "hitless       node-3 joins: 2 hosts gain a peer"
    assert out.splitlines()[-1] == "Diff: 2 changes; 2 of 2 hosts touched, 1 new, all hitless."
    code, out, err = wormhole("diff", "state", "state")
    assert (code, out, err) == (0, "No changes: both are mesh demo of 2 hosts.\n", "")
    code, out, err = wormhole("diff", "state", "state", "--format", "markdown")
    assert (code, out) == (0, "**No changes**: both sides are mesh demo of 2 hosts.\n")


def test_an_error_is_exit_code_2(sides: tuple[str, str], wormhole: Wormhole) -> None:
    assert wormhole("diff", sides[0], "nowhere") == (
        2,
        "",
        (
            "error: nowhere: no such file or folder; what is in a git revision is written REV:PATH,"
            " such as HEAD:state\n"
        ),
    )
    rule = "standard input can be one of the two sides"
    assert wormhole("diff", "-", "-") == (2, "", f"error: '-': {rule}\n")


def test_warnings_of_the_new_side_are_said(
    sides: tuple[str, str], wormhole: Wormhole, tmp_path: Path
) -> None:
    with (tmp_path / "mesh.yaml").open("a") as file:
        for number in (1, 2, 3, 9):
            file.write(f"---\napiVersion: v1\nkind: Node\nmetadata: {{name: node-{number}}}\n")
    code, _, err = wormhole("diff", *sides)
    assert code == 1
    assert "warning: mesh.yaml" in err
    assert "Node/node-9" in err


def test_it_is_in_colour_when_told_to(sides: tuple[str, str], wormhole: Wormhole) -> None:
    _, out, _ = wormhole("diff", *sides, "--color", "always")
    assert out.startswith("\x1b[32mhitless       \x1b[0m\x1b[1mnode-3 joins\x1b[0m: ")


def test_json_follows_its_schema_and_is_the_value(
    sides: tuple[str, str], wormhole: Wormhole
) -> None:
    code, out, err = wormhole("diff", *sides, "--format", "json")
    assert (code, err) == (1, "")
    document = json.loads(out)
    assert violations(document, "review") == ()
    assert [entry["cause"] for entry in document["entries"]] == ["join", "endpoint"]
    assert document["hosts"] == {"node-1": "hitless", "node-2": "hitless"}


@pytest.mark.parametrize("name", PARTS)
def test_the_schema_has_the_fields_of_the_value(name: str) -> None:
    schema = load_schema("review")["$defs"][name]
    kind = inspect.type_info(PARTS[name])
    assert isinstance(kind, inspect.StructType)
    assert [field.encode_name for field in kind.fields] == list(schema["properties"])
    optional = {"path", "before", "after"}
    required = [field.encode_name for field in kind.fields if field.encode_name not in optional]
    assert required == schema["required"]


def test_the_schema_has_the_fields_of_a_review() -> None:
    schema = load_schema("review")
    kind = inspect.type_info(Review)
    assert isinstance(kind, inspect.StructType)
    names = sorted(["kind", *(field.encode_name for field in kind.fields)])
    assert names == sorted(schema["properties"]) == sorted(schema["required"])
    assert schema["properties"]["kind"]["const"] == kind.tag
    assert [schema["properties"]["apiVersion"]["const"]] == list(get_args(ApiVersion))


def test_the_schema_has_all_words() -> None:
    defs = load_schema("review")["$defs"]
    assert defs["impact"]["enum"] == [str(impact) for impact in Impact]
    assert defs["entry"]["properties"]["cause"]["enum"] == [str(cause) for cause in Cause]
    assert defs["difference"]["properties"]["action"]["enum"] == [str(each) for each in Action]


def test_every_field_of_the_schema_is_described() -> None:
    schema = load_schema("review")
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        for field in part.get("properties", {}).values():
            assert field["description"]
