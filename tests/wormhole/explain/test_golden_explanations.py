"""How explanations read: ``fixtures/explanations/<case>/case.json`` is a state and a question.

A case names a cluster of ``fixtures/clusters``, whose inventory lies beside the state, and edits of
its documents. ``WORMHOLE_GOLDEN=write`` rewrites the explanations: read the difference before
committing it.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from commandline import Wormhole
from jsonschema import Draft202012Validator
from patches import edit_state

from schemas.validate import load_schema

FIXTURES = Path(__file__).parents[3] / "fixtures"
CASES = sorted(path.name for path in (FIXTURES / "explanations").iterdir())
WRITE = os.environ.get("WORMHOLE_GOLDEN") == "write"


def make_case(name: str, folder: Path) -> list[str]:
    """Write a case's state and its inventory; return the words of its question."""
    case = json.loads((FIXTURES / "explanations" / name / "case.json").read_bytes())
    cluster = FIXTURES / "clusters" / case["cluster"]
    shutil.copytree(cluster / "expected", folder / "state")
    (folder / "inventory").mkdir()
    for path in cluster.iterdir():
        if path.suffix in (".yaml", ".json"):
            shutil.copy(path, folder / "inventory")
    edit_state(folder / "state", case["edits"])
    words: list[str] = case["arguments"].split()
    return words


@pytest.mark.parametrize("name", CASES)
def test_golden_explanation(name: str, tmp_path: Path, wormhole: Wormhole) -> None:
    words = make_case(name, tmp_path)
    code, text, errors = wormhole("explain", "state", *words)
    path = FIXTURES / "explanations" / name / "explanation.txt"
    if WRITE:
        path.write_text(text)

    assert (code, errors) == (0, "")
    assert text == path.read_text()
    assert sorted(each.name for each in path.parent.iterdir()) == ["case.json", path.name]


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_as_json_is_as_its_schema_says(
    name: str, tmp_path: Path, wormhole: Wormhole
) -> None:
    words = make_case(name, tmp_path)
    _, text, _ = wormhole("explain", "state", *words, "--json")
    explanation = json.loads(text)

    assert [*Draft202012Validator(load_schema("explanation")).iter_errors(explanation)] == []
    for place in explanation["places"]:
        lines = (tmp_path / "state" / place["file"]).read_text().splitlines()
        last = place["path"].rpartition(".")[2].partition("[")[0]
        assert "[" in place["path"] or last in lines[place["line"] - 1] or "value" not in place
        for origin in place.get("origins", ()):
            lines = (tmp_path / origin["file"]).read_text().splitlines()
            written = origin["how"] != "written" or origin["value"] in lines[origin["line"] - 1]
            assert written
