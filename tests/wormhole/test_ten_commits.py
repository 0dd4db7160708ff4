"""How ten changes of a mesh of fifty read: what diff says of each is in ``fixtures/reviews/``.

The repository is a real one. Each commit is compared with the one before it, as ``REV:PATH``.
"""

import os
from pathlib import Path

import pytest
from commandline import Wormhole
from tencommits import CHANGES, begin, spell
from wormhole_git import run_git

from review.changes.compare import compare
from review.changes.summary import summarise
from wormhole.__main__ import run
from wormhole.files.statereader import Reader

REVIEWS = Path(__file__).parents[2] / "fixtures/reviews"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with the inventory and its state, and a commit for each change."""
    folder = tmp_path_factory.mktemp("berlin")
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "config", "user.name", "A Reviewer")
    run_git(folder, "config", "user.email", "reviewer@example.com")
    objects = begin()
    commit(folder, spell(objects), "the beginning")
    for name, change in CHANGES.items():
        change(objects)
        commit(folder, spell(objects), name)
        run_git(folder, "tag", name)
    return folder


def commit(folder: Path, inventory: str, message: str) -> None:
    (folder / "mesh.json").write_text(inventory)
    assert run(["compile", str(folder / "mesh.json"), "-o", str(folder / "state")]) == 0
    run_git(folder, "add", "mesh.json", "state")
    run_git(folder, "commit", "--quiet", "--message", message)


@pytest.mark.parametrize("change", CHANGES)
def test_a_commit_reads_as_it_should(
    change: str, repository: Path, wormhole: Wormhole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    sides = f"{change}~1:state", f"{change}:state"
    subject = summarise(compare(*(Reader().read(side).documents for side in sides)))
    texts = {"subject.txt": f"{subject}\n"}
    for name, options in (
        ("diff.txt", ()),
        ("diff-verbose.txt", ("-v",)),
        ("pull-request.md", ("--format", "markdown")),
    ):
        code, out, err = wormhole("diff", *sides, *options)
        assert (code, err) == (1, "")
        texts[name] = out
    folder = REVIEWS / change
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text)
    told = (path for path in folder.iterdir() if path.name != "commit-message.txt")
    assert texts == {path.name: path.read_text() for path in told}


def test_there_is_a_review_of_each_change_and_no_other() -> None:
    assert sorted(CHANGES) == sorted(path.name for path in REVIEWS.iterdir())


def test_an_inventory_of_a_revision_is_compiled_and_is_its_state(
    repository: Path, wormhole: Wormhole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    code, out, err = wormhole("diff", "HEAD:state", "HEAD:mesh.json")
    assert (code, out, err) == (0, "No changes: both are mesh berlin of 52 hosts.\n", "")
