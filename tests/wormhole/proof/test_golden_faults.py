"""Each seeded fault is found, with a packet that shows it and the line that is wrong."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from commandline import Wormhole
from faults import FAULTS, list_faults, seed
from patches import read_pointer

from schemas.lines import locate

EXPECTED = "expected.txt"


def names() -> list[str]:
    return [path.name for path in list_faults()]


def read_fault(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FAULTS / name / "fault.json").read_text())
    return content


@pytest.mark.parametrize("name", names())
def test_a_fault_is_found_as_expected(name: str, wormhole: Wormhole, tmp_path: Path) -> None:
    fault = read_fault(name)
    seed(fault, tmp_path / "state")
    code, out, err = wormhole("check", "state", *fault["options"])
    expected = FAULTS / name / EXPECTED
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        expected.write_text(err + out, encoding="utf-8")
    assert (1, expected.read_text(encoding="utf-8")) == (code, err + out)


@pytest.mark.parametrize("name", names())
def test_the_first_finding_names_the_faulty_line(
    name: str, wormhole: Wormhole, tmp_path: Path
) -> None:
    fault = read_fault(name)
    seed(fault, tmp_path / "state")
    _, _, err = wormhole("check", "state", *fault["options"])
    place = fault["fault"]
    text = (tmp_path / "state" / place["file"]).read_text()
    steps = read_pointer(place["path"])
    line = dict(locate(text))[steps]
    assert err.startswith(f"error: state/{place['file']}:{line}: ")


@pytest.mark.parametrize("name", names())
def test_one_fault_is_told_once(name: str, wormhole: Wormhole, tmp_path: Path) -> None:
    fault = read_fault(name)
    seed(fault, tmp_path / "state")
    _, _, err = wormhole("check", "state", *fault["options"])
    findings = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (2 if "--mtu" in fault["options"] else 1) == len(findings)


@pytest.mark.parametrize("name", names())
def test_the_way_of_a_packet_is_told(name: str, wormhole: Wormhole, tmp_path: Path) -> None:
    fault = read_fault(name)
    seed(fault, tmp_path / "state")
    _, _, err = wormhole("check", "state", *fault["options"])
    assert "\n  for example " in err


def test_without_a_fault_all_is_proven(wormhole: Wormhole, tmp_path: Path) -> None:
    seed({"edits": {}}, tmp_path / "state")
    code, out, err = wormhole("check", "state")
    assert (code, err, out.startswith("reach     6 pairs reach")) == (0, "", True)


def test_there_are_at_least_twenty_faults() -> None:
    assert len(names()) >= 20


@pytest.mark.parametrize("name", names())
def test_a_folder_holds_a_fault_and_what_is_expected_only(name: str) -> None:
    assert {"fault.json", EXPECTED} == {path.name for path in (FAULTS / name).iterdir()}
