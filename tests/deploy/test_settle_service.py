"""The service that settles a change on trial at boot says what the program and systemd take."""

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from applier.paths import Paths
from wormhole.__main__ import build_parser

UNIT = Path(__file__).parents[2] / "deploy/systemd/wormhole-settle.service"


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # keys keep their case
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser


def test_it_runs_a_command_that_there_is(unit: configparser.ConfigParser) -> None:
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program == "wormhole"
    arguments = build_parser().parse_args(words)
    assert (arguments.command, arguments.settle) == ("confirm", True)


def test_it_looks_at_the_note_that_an_apply_on_trial_writes(
    unit: configparser.ConfigParser,
) -> None:
    assert unit["Unit"]["ConditionPathExists"] == str(Paths().pending)


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    # It insists that the program is there; any will do.
    text = UNIT.read_text(encoding="utf-8").replace("ExecStart=wormhole", "ExecStart=/bin/true")
    copy = tmp_path / UNIT.name
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [program, "verify", "--man=no", "--recursive-errors=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
