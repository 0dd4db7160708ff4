"""How traces read: ``fixtures/traces/<case>/case.json`` is a state and a packet, beside it a story.

A case names a cluster of ``fixtures/clusters``, and edits of its documents.
``WORMHOLE_GOLDEN=write`` rewrites the stories: read the difference before committing it.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from commandline import Wormhole
from jsonschema import Draft202012Validator
from patches import edit_state

from schemas.validate import load_schema

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted(path.name for path in (FIXTURES / "traces").iterdir())
WRITE = os.environ.get("WORMHOLE_GOLDEN") == "write"
DELIVERED = {"Delivered", "Left"}


def make_state(case: dict[str, Any], folder: Path) -> None:
    shutil.copytree(FIXTURES / "clusters" / case["cluster"] / "expected", folder)
    edit_state(folder, case["edits"])


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("state")


@pytest.mark.parametrize("name", CASES)
def test_golden_trace(name: str, state: Path, wormhole: Wormhole) -> None:
    folder = FIXTURES / "traces" / name
    case = json.loads((folder / "case.json").read_bytes())
    make_state(case, state)
    code, text, errors = wormhole("trace", str(state), *case["arguments"].split())
    expected = {"story.txt": text} | ({"warnings.txt": errors} if errors else {})
    if WRITE:
        for file, content in expected.items():
            (folder / file).write_text(content)
    found = {path.name: path.read_text() for path in folder.iterdir() if path.name != "case.json"}

    assert found == expected
    ending = next(line for line in text.splitlines() if line.partition(":")[0] in ENDINGS)
    assert code == (0 if ending.partition(":")[0] in DELIVERED else 1)


ENDINGS = DELIVERED | {"Leaked", "Dropped", "Unreachable", "Too big", "Lost"}


@pytest.mark.parametrize("name", CASES)
def test_a_story_as_json_is_as_its_schema_says(name: str, state: Path, wormhole: Wormhole) -> None:
    case = json.loads((FIXTURES / "traces" / name / "case.json").read_bytes())
    make_state(case, state)
    _, text, _ = wormhole("trace", str(state), "--json", *case["arguments"].split())
    story = json.loads(text)

    assert [*Draft202012Validator(load_schema("story")).iter_errors(story)] == []
    for step in story["sent"]["steps"]:
        if "by" in step:
            lines = (state / step["by"]["file"]).read_text().splitlines()
            assert 0 < step["by"]["line"] <= len(lines)
