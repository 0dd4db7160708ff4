"""How ten commits of a mesh of fifty read: what ``compile --commit`` writes of each change.

Each folder of ``fixtures/reviews`` is a change; ``WORMHOLE_GOLDEN=write`` rewrites its message.
"""

import os
from pathlib import Path

import pytest
from tencommits import CHANGES, begin, spell
from wormhole_git import run_git

from wormhole.__main__ import run

REVIEWS = Path(__file__).parents[3] / "fixtures/reviews"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository whose commits were all made by the command, but for its inventory's."""
    folder = tmp_path_factory.mktemp("fifty")
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "config", "user.name", "A Reviewer")
    run_git(folder, "config", "user.email", "reviewer@example.com")
    objects = begin()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        commit(folder, spell(objects), "the-beginning")
        for name, change in CHANGES.items():
            change(objects)
            commit(folder, spell(objects), name)
    return folder


def commit(folder: Path, inventory: str, tag: str) -> None:
    (folder / "mesh.json").write_text(inventory)
    assert run(["compile", "mesh.json", "-o", "state", "--render", "native", "--commit"]) == 0
    run_git(folder, "tag", tag)


@pytest.mark.parametrize("change", CHANGES)
def test_a_commit_message_reads_as_it_should(change: str, repository: Path) -> None:
    message = run_git(repository, "log", "-1", "--format=%B", change) + "\n"
    golden = REVIEWS / change / "commit-message.txt"
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        golden.write_text(message)
    assert golden.read_text() == message


def test_the_first_one_says_that_it_is(repository: Path) -> None:
    message = run_git(repository, "log", "-1", "--format=%B", "the-beginning")
    assert message.splitlines() == [
        "mesh berlin begins: 50 hosts",
        "",
        "Native text: 300 files rendered anew or removed.",
    ]


def test_nothing_but_state_and_native_text_was_ever_committed(repository: Path) -> None:
    assert run_git(repository, "rev-list", "--count", "HEAD") == "11"
    names = run_git(repository, "log", "--format=", "--name-only").split()
    assert {name.partition("/")[0] for name in names} == {"state", "native"}
    assert run_git(repository, "status", "--porcelain") == "?? mesh.json"
