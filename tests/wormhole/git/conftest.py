"""A git work tree of one's own, with an inventory in it, and nobody else's configuration."""

from pathlib import Path

import pytest
from wormhole_git import Git, run_git, write_inventory


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a work tree's folder, which becomes the current one; its one commit has a README."""
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "tree"
    folder.mkdir()
    run_git(folder, "init", "--quiet", "--initial-branch=main")
    run_git(folder, "config", "user.name", "Ada")
    run_git(folder, "config", "user.email", "ada@example.com")
    (folder / "README").write_text("a mesh\n")
    run_git(folder, "add", "README")
    run_git(folder, "commit", "--quiet", "--message=Begin")
    write_inventory(folder, 3)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def git(tree: Path) -> Git:
    return lambda *arguments: run_git(tree, *arguments)
