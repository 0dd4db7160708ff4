"""The command line as a whole: what it starts, what it says, what it costs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import MESH, OTHER_KEY, spell_node

from wormhole import __version__
from wormhole.__main__ import build_parser, run
from wormhole.commands import COMMANDS, describe_commands

ROOT = Path(__file__).parents[2]


def start(*arguments: str, code: str = "", **options: object) -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else ["-m", "wormhole"]
    return subprocess.run(  # type: ignore[call-overload,no-any-return] # options are run's own
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        text=True,
        check=False,
        **({"capture_output": True} | options),
    )


def test_alone_it_shows_the_work_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert (run([]), *capsys.readouterr()) == (0, describe_commands() + "\n", "")
    places = [describe_commands().index(f"\n  {name} ") for name in COMMANDS]
    assert sorted(places) == places


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert (0, f"wormhole {__version__}\n", "") == (run(["--version"]), *capsys.readouterr())
    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()


def test_options_without_a_command_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    expected = (
        "usage: wormhole [-h] [--version] COMMAND ...\n"
        "wormhole: error: unrecognized arguments: --color\n"
    )
    assert (2, "", expected) == (run(["--color"]), *capsys.readouterr())


@pytest.mark.parametrize(
    ("name", "hint"), [("conquer", ""), ("paln", ' (did you mean "plan"?)'), ("help", "")]
)
def test_a_command_that_there_is_not_is_told_which_was_meant(
    name: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = f"wormhole: no command '{name}'{hint}; 'wormhole' alone shows them all\n"
    assert (run([name, "state"]), *capsys.readouterr()) == (2, "", said)


@pytest.mark.parametrize("arguments", [["plan"], ["plan", "state", "--hots", "a"]])
def test_a_wrong_command_line_exits_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert (
        (captured := capsys.readouterr()).out,
        captured.err.startswith("usage: "),
    ) == ("", True)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_sentence(command: str) -> None:
    (subparsers,) = (action for action in build_parser()._actions if action.dest == "command")
    for action in subparsers.choices[command]._actions:  # type: ignore[index] # argparse's own type is wider
        if action.dest != "help":
            assert re.fullmatch(r"[A-Z].*\.", action.help or ""), (action.dest, action.help)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: wormhole {command} ")


def test_an_unexpected_exception_is_a_bug_and_not_a_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise LookupError("gone")

    monkeypatch.setattr("wormhole.commands.show.run", fail)
    assert run(["show", "state"]) == 70
    assert "Traceback" not in (errors := capsys.readouterr().err)
    assert "LookupError: gone" in errors


HEAVY = {
    "pyroute2",
    "kubernetes",
    "deepdiff",
    "jsonschema",
    "jinja2",
    "rich",
    "cryptography",
    "subprocess",
    "asyncio",
}


def test_the_version_imports_nothing_heavy() -> None:
    code = (
        "import sys; from wormhole.__main__ import run; run(['--version']);"
        "print(*sorted(sys.modules))"
    )
    imported = set(start(code=code).stdout.split())
    assert "wormhole.commands" in imported
    assert set() == imported & (HEAVY | {"msgspec", "yaml", "wormhole.commands.show"})


def test_validating_a_small_file_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(MESH + spell_node("node-a", OTHER_KEY, 1))
    code = (
        "import sys; from wormhole.__main__ import run; run(sys.argv[1:]);"
        "print(*sorted(sys.modules))"
    )
    verdict, modules = start("validate", str(tmp_path / "mesh.yaml"), code=code).stdout.splitlines()
    assert verdict == "ok: inventory: mesh demo, 1 node, 0 warnings"
    assert set(modules.split()) & HEAVY == set()
    commands = [name for name in modules.split() if name.startswith("wormhole.commands.")]
    assert commands == ["wormhole.commands.validate"]


def test_output_that_nobody_reads_any_more_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = start(stdout=writer, stderr=subprocess.PIPE, capture_output=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_output_that_does_not_fit_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        ended = start(stdout=full, stderr=subprocess.PIPE, capture_output=False)
    expected = "wormhole: cannot write the output: no space left on device\n"
    assert (2, expected) == (ended.returncode, ended.stderr)


def test_an_unknown_option_shows_the_usage_of_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["show", "state", "--hots", "node-a"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("usage: wormhole show [-h]")
    assert err.endswith("wormhole show: error: unrecognized arguments: --hots node-a\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_bug(closed: str) -> None:
    command = f"{sys.executable} -m wormhole validate - {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, b"bug" in done.stderr) == (2, False)


def test_a_path_outside_the_locale_s_encoding_is_spelled_out(tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_text(MESH + spell_node("node-a", OTHER_KEY, 1))
    done = start(
        *("compile", str(tmp_path / "inventory.yaml"), "-o", str(tmp_path / "größe\x1b")),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"wrote {tmp_path}/gr\\xf6\\xdfe\\x1b/mesh.json\n")
