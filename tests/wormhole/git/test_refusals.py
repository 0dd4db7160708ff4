"""Where nothing can be committed, ``compile --commit`` says why and writes nothing at all."""

from contextlib import suppress
from pathlib import Path

import pytest
from commandline import Wormhole
from wormhole_git import Git, run_git

from wormhole.git.process import GitError
from wormhole.git.process import run_git as run

COMPILE = ("compile", "mesh.yaml", "-o", "state", "--commit")


def refusal(wormhole: Wormhole, *options: str, output: str = "state") -> str:
    """Compile into a folder; return the one line on standard error."""
    code, printed, errors = wormhole("compile", "mesh.yaml", "-o", output, "--commit", *options)
    assert (code, printed) == (2, "")
    assert not Path(output, "mesh.json").exists()
    return errors.removeprefix("error: ").removesuffix("\n")


def test_outside_of_a_work_tree(wormhole: Wormhole, tree: Path) -> None:
    outside = tree.parent / "outside"
    assert refusal(wormhole, output=str(outside)).startswith(
        f"{outside}: not in a git work tree, so nothing can be committed: fatal: not a git"
        " repository (or any "  # of the parent directories, or parent up to a mount point
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("warning: x\nfatal: not a git repository\nStopping at", "fatal: not a git repository"),
        ("warning: x\nerror: y", "error: y"),
        ("", "git does not say why"),
    ],
)
def test_of_what_git_says_the_line_is_shown_that_tells_why(said: str, reason: str) -> None:
    assert GitError(said).reason == reason


def test_in_a_work_tree_of_somebody_else(
    wormhole: Wormhole, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert refusal(wormhole) == (
        "state: git does not trust this repository, which is somebody else's; if you do: git"
        f" config --global --add safe.directory {tree}"
    )


def test_in_a_bare_repository(wormhole: Wormhole, tree: Path) -> None:
    bare = tree.parent / "bare"
    run_git(tree.parent, "init", "--quiet", "--bare", str(bare))
    assert refusal(wormhole, output=f"{bare}/state") == (
        f"{bare}/state: in a git repository, but not in a work tree of it, so nothing can be"
        " committed"
    )


def test_in_gits_own_folder(wormhole: Wormhole, tree: Path) -> None:
    assert (tree / ".git").is_dir()
    assert refusal(wormhole, output=".git/state") == (
        ".git/state: in a git repository, but not in a work tree of it, so nothing can be committed"
    )


@pytest.mark.parametrize("begin", ["merge", "cherry-pick", "revert", "rebase", "bisect", "am"])
def test_while_git_is_half_way_through(
    begin: str, wormhole: Wormhole, tree: Path, git: Git
) -> None:
    make_conflict(tree, git)
    commands = {
        "merge": ("merge", "other"),
        "cherry-pick": ("cherry-pick", "other"),
        "revert": ("revert", "--no-edit", "HEAD~1"),
        "rebase": ("rebase", "other"),
        "bisect": ("bisect", "start"),
        "am": ("am", str(tree.parent / "patch")),
    }
    (tree.parent / "patch").write_bytes(run(tree, ["format-patch", "--stdout", "-1", "other"]))
    with suppress(GitError):  # the conflict
        run(tree, commands[begin])
    what = {
        "merge": "a merge",
        "cherry-pick": "a cherry-pick",
        "revert": "a revert",
        "rebase": "a rebase",
        "bisect": "a bisection",
        "am": "a rebase, or git am,",
    }[begin]
    assert refusal(wormhole) == (
        f"{tree}: {what} is under way in this work tree: finish it, or give it up, and try again"
    )


def make_conflict(tree: Path, git: Git) -> None:
    """Let two branches change the same line."""
    git("checkout", "--quiet", "-b", "other")
    (tree / "README").write_text("theirs\n")
    git("commit", "--quiet", "--all", "--message=Theirs")
    git("checkout", "--quiet", "main")
    for text in ("ours\n", "ours again\n"):
        (tree / "README").write_text(text)
        git("commit", "--quiet", "--all", "--message=Ours")


@pytest.mark.parametrize(
    ("pattern", "file"),
    [("state/", "mesh.json"), ("hosts", "hosts/node-1.json"), ("/state/*", "mesh.json")],
)
def test_where_git_is_told_to_ignore_it(
    pattern: str, file: str, wormhole: Wormhole, tree: Path
) -> None:
    (tree / ".gitignore").write_text(f"{pattern}\n")
    assert refusal(wormhole) == (
        f"{tree}/state/{file}: git is told to ignore it (.gitignore:1:{pattern}), so it cannot be"
        " committed"
    )


def test_where_git_is_told_to_ignore_the_rendering(wormhole: Wormhole, tree: Path) -> None:
    (tree / ".gitignore").write_text("*.conf\n")
    assert refusal(wormhole, "--render", "native") == (
        f"{tree}/native/node-1/sysctl.conf: git is told to ignore it (.gitignore:1:*.conf), so it"
        " cannot be committed"
    )


def test_what_is_ignored_but_for_us_is_not_ignored(wormhole: Wormhole, tree: Path) -> None:
    (tree / ".gitignore").write_text("*.json\n!/state/**/*.json\n")
    assert wormhole(*COMPILE)[0] == 0


def test_beyond_a_symbolic_link_of_the_work_tree(wormhole: Wormhole, tree: Path) -> None:
    elsewhere = tree.parent / "elsewhere"
    elsewhere.mkdir()
    run_git(elsewhere, "init", "--quiet")
    (tree / "state").symlink_to(elsewhere)
    (tree / "link").symlink_to(tree / "real")
    (tree / "real").mkdir()
    assert refusal(wormhole) == (
        f"state: lies beyond the symbolic link {tree}/state, which git does not follow"
    )
    assert refusal(wormhole, output="link/state") == (
        f"link/state: lies beyond the symbolic link {tree}/link, which git does not follow"
    )


def test_a_link_to_the_work_tree_is_none_of_gits(
    wormhole: Wormhole, tree: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree.parent / "shortcut").symlink_to(tree)
    monkeypatch.chdir(tree.parent / "shortcut")
    assert wormhole(*COMPILE)[0] == 0
    assert git("ls-files", "state/mesh.json") == "state/mesh.json"


def test_in_two_work_trees(wormhole: Wormhole, tree: Path) -> None:
    other = tree.parent / "other"
    other.mkdir()
    run_git(other, "init", "--quiet")
    assert refusal(wormhole, "--render", str(other)) == (
        f"{other}: the state and its rendering lie in two git work trees: a commit goes to one"
    )


def test_a_rendering_over_the_state(wormhole: Wormhole, tree: Path) -> None:
    assert tree.is_dir()
    assert refusal(wormhole, "--render", "./state") == (
        "--render 'state': is the state's own: a host could be called like a file in it"
    )


def test_an_inventory_with_a_problem(wormhole: Wormhole, tree: Path, git: Git) -> None:
    (tree / "mesh.yaml").write_text("")
    assert refusal(wormhole) == (
        "mesh.yaml: the inventory is empty: there is no Kubernetes object in it"
    )
    assert git("rev-list", "--count", "HEAD") == "1"


def test_without_git(wormhole: Wormhole, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tree.is_dir()
    monkeypatch.setenv("PATH", "/nowhere")
    assert refusal(wormhole) == "git is needed for this, and is not installed"
