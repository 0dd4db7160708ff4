"""What README.md shows is what happens."""

import re
import shlex
from pathlib import Path

import pytest
from commandline import Wormhole

from wormhole.commands import COMMANDS
from wormhole.exit import Exit

README = (Path(__file__).parents[2] / "README.md").read_text()
ELSEWHERE = {Exit.INTERRUPTED, Exit.BROKEN_PIPE}
"""Codes that every Unix program has; docs/cli.md names them."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_quickstart_prints_what_it_says(wormhole: Wormhole, tmp_path: Path) -> None:
    (inventory,) = blocks("yaml")
    (tmp_path / "mesh.yaml").write_text(inventory)
    for block in blocks("console"):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            program, *arguments = shlex.split(command)
            if program == "sed":
                _, old, new, _ = arguments[1].split("/")
                (tmp_path / "mesh.yaml").write_text(inventory.replace(old, new))
                continue
            assert program == "wormhole"
            assert wormhole(*arguments) == (0, expected, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table(command: str) -> None:
    assert f"\n| `wormhole {command} " in README


def test_every_exit_code_is_in_the_table() -> None:
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)]
    assert listed == [code for code in Exit if code not in ELSEWHERE]
