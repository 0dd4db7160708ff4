"""Each folder of ``fixtures/invalid`` is an inventory and the errors that it must give.

``WORMHOLE_GOLDEN=write`` rewrites ``errors.txt`` instead; read what changed before you commit it.
"""

import os
from pathlib import Path

import pytest

from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problems

CASES = Path(__file__).parents[2] / "fixtures" / "invalid"
ERRORS = "errors.txt"
KNOWN = {".yaml", ".json"}


def cases() -> list[str]:
    return sorted(path.name for path in CASES.iterdir())


def sources_of(case: str) -> list[Source]:
    inputs = sorted(path for path in (CASES / case).iterdir() if path.name != ERRORS)
    return [Source(name=path.name, text=path.read_text(encoding="utf-8")) for path in inputs]


@pytest.mark.parametrize("case", cases())
def test_inventory_gives_its_errors(case: str) -> None:
    with pytest.raises(Problems) as caught:
        parse(sources_of(case))
    actual = f"{caught.value}\n"
    expected = CASES / case / ERRORS
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        expected.write_text(actual, encoding="utf-8")
    assert expected.read_text(encoding="utf-8") == actual


@pytest.mark.parametrize("case", cases())
def test_folder_holds_inputs_and_errors_only(case: str) -> None:
    names = {path.name for path in (CASES / case).iterdir()}
    strangers = {name for name in names - {ERRORS} if Path(name).suffix not in KNOWN}
    assert (set(), True) == (strangers, ERRORS in names and len(names) > 1)


def test_there_are_at_least_fifty_cases() -> None:
    assert len(cases()) >= 50
