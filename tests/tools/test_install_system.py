"""What install-system.sh tells somebody whose machine lacks something, with apt played by stubs."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pages import ROOT

SCRIPT = ROOT / "tools" / "install-system.sh"
BORROWED = ("bash", "cat", "cut", "grep", "mktemp", "rm", "sort", "tail")
NEEDS_UPDATE = (
    "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"
)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs that stands for a machine on which nothing is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in BORROWED:
        (folder / name).symlink_to(shutil.which(name) or name)
    write_stub(folder, "id", "echo 0")
    return folder


def write_stub(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!{folder}/bash\n{script}\n")
    program.chmod(0o755)


def run_script(programs: Path, *groups: str) -> tuple[int, str, str]:
    """Run it; return its exit code, and what it said in which of the two ways."""
    done = subprocess.run(
        [programs / "bash", SCRIPT, *groups],
        env={"PATH": str(programs), "PYTHON": "no-python", "TMPDIR": str(programs.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def list_missing(said: str) -> set[str]:
    return {*said.removeprefix("missing here: ").partition(" (")[0].split()}


def test_without_a_group_it_looks_for_what_every_group_needs(programs: Path) -> None:
    groups = ("api", "base", "browser", "ci", "image", "lab", "vm")
    each = [list_missing(run_script(programs, group)[1]) for group in groups]
    assert list_missing(run_script(programs)[1]) == set.union(*each)
    assert {"jq"} <= each[groups.index("ci")]


def test_a_group_that_it_does_not_know_is_refused(programs: Path) -> None:
    said = 'install-system: no group "lap"; there are api base browser ci image lab vm\n'
    assert run_script(programs, "base", "lap") == (2, "", said)


def test_who_is_not_root_is_told_what_root_has_to_type(programs: Path) -> None:
    write_stub(programs, "id", "echo 1000")
    write_stub(programs, "apt-get", "exit 100")
    said = "missing here: jq (as root: tools/install-system.sh ci)\n"
    assert run_script(programs, "ci") == (0, said, "")


def test_without_a_network_it_tries_once_and_says_why_it_failed(programs: Path) -> None:
    tries = programs.parent / "tries"
    cause = "E: Failed to fetch http://mirror.example/jq.deb  Temporary failure resolving"
    write_stub(programs, "apt-cache", "exit 0")
    write_stub(
        programs, "apt-get", f"echo $1 >>{tries}; echo '{cause}'; echo '{NEEDS_UPDATE}'; exit 100"
    )
    said = f"installing: jq\ncould not be installed: jq ({cause})\n"
    assert run_script(programs, "ci") == (0, said, "")
    assert tries.read_text().split() == ["update", "install"]


def test_a_package_that_apt_does_not_have_is_not_asked_for(programs: Path) -> None:
    tries = programs.parent / "tries"
    write_stub(programs, "apt-cache", '[ "$2" = chromium ]')
    write_stub(programs, "apt-get", f'echo "$1 ${{@: -2}}" >>{tries}')
    unknown = "apt knows no package of this name: "
    assert run_script(programs, "ci") == (0, f"{unknown}jq\n", "")
    assert tries.read_text() == "update update -qq\n"
    code, said, _ = run_script(programs, "browser")
    names, installing = said.splitlines()
    assert (code, installing) == (0, "installing: chromium")
    assert {"chromium-driver", "graphviz"} <= {*names.removeprefix(unknown).split()}


def test_a_package_that_cannot_be_had_keeps_no_other_away(programs: Path) -> None:
    installed = programs.parent / "installed"
    write_stub(programs, "apt-cache", '[ "$2" != virtiofsd ]')
    write_stub(
        programs,
        "apt-get",
        f"""
        case "$*" in *cpio*) echo 'E: Unable to locate package cpio'; exit 100;; esac
        [ "$1" = update ] || echo "${{@: -1}}" >>{installed}
        """,
    )
    code, said, _ = run_script(programs, "vm")
    packages = said.splitlines()[0].removeprefix("installing: ").split()
    assert code == 0
    assert not {"virtiofsd", "virtiofsd|qemu-system-common"} & {*packages}
    assert said.splitlines()[1:] == [
        "could not be installed: cpio (E: Unable to locate package cpio)"
    ]
    assert installed.read_text().split() == [name for name in packages if name != "cpio"]
