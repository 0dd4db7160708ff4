"""What a side of a comparison may be called, and what is said when it is nothing of the kind."""

import os
from pathlib import Path

import pytest
from wormhole_git import run_git, write_inventory

from review.model.story import Place
from schemas.problems import Problems
from schemas.state import Documents
from wormhole.__main__ import run
from wormhole.files.statereader import Reader, split_revision


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a work tree with an inventory and its state, committed as they are and before."""
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    run_git(tmp_path, "init", "--quiet", "--initial-branch=main")
    run_git(tmp_path, "config", "user.name", "Ada")
    run_git(tmp_path, "config", "user.email", "ada@example.com")
    (tmp_path / "site").mkdir()
    for nodes in (2, 3):
        write_inventory(tmp_path / "site", nodes)
        assert run(["compile", "site/mesh.yaml", "-o", "site/state"]) == 0
        run_git(tmp_path, "add", ".")
        run_git(tmp_path, "commit", "--quiet", f"--message={nodes} nodes")
    return tmp_path


def read_documents(text: str) -> Documents:
    return Reader().read(text).documents


def refusal(text: str) -> str:
    with pytest.raises(Problems) as caught:
        read_documents(text)
    return str(caught.value)


def commit(tree: Path) -> None:
    run_git(tree, "add", ".")
    run_git(tree, "commit", "--quiet", "--message=more")


@pytest.mark.parametrize(
    "text",
    [
        "site/state",
        "site/mesh.yaml",
        "HEAD:site/state",
        "main:site/state/",
        "HEAD:site/mesh.yaml",
        "HEAD:./site/state",
    ],
)
def test_all_of_these_are_the_same_state(text: str, tree: Path) -> None:
    del tree
    assert read_documents(text) == read_documents("site/state")
    assert len(read_documents(text).hosts) == 3


def test_a_path_is_counted_from_the_top_or_with_a_dot_from_here(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree / "site")
    here = [
        read_documents(t) for t in ("HEAD~1:site/state", "HEAD~1:./state", "HEAD~1:../site/state")
    ]
    assert [len(documents.hosts) for documents in here] == [2, 2, 2]
    assert refusal("HEAD:../../state") == "HEAD:../../state: leads out of the repository"


def test_a_repository_may_be_a_state(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tree / "site/state"
    run_git(whole, "init", "--quiet", "--initial-branch=main")
    run_git(whole, "config", "user.name", "Ada")
    run_git(whole, "config", "user.email", "ada@example.com")
    commit(whole)
    monkeypatch.chdir(whole)
    assert read_documents("HEAD:") == read_documents(".")


def test_what_is_there_wins_over_a_revision(tree: Path) -> None:
    (tree / "HEAD:site").mkdir()
    write_inventory(tree / "HEAD:site", 1)
    assert split_revision("HEAD:site") is None
    assert len(read_documents("HEAD:site").hosts) == 1
    assert [split_revision(text) for text in ("-", "nothing", ":state")] == [None, None, None]
    assert split_revision("main:a:b") == ("main", "a:b")


def test_lines_are_told_by_the_name_that_the_user_gave(tree: Path) -> None:
    del tree
    place = Place(file="hosts/node-1.json", path=("name",))
    texts = [Reader().find(t).texts for t in ("site/state", "HEAD~1:site/state", "site/mesh.yaml")]
    line = texts[0].line_of(place)
    assert [each.spell(place) for each in texts] == [
        f"site/state/hosts/node-1.json:{line}",
        f"HEAD~1:site/state/hosts/node-1.json:{line}",
        f"hosts/node-1.json:{line}",
    ]


def test_files_of_the_same_bytes_are_one_value_on_both_sides(tree: Path) -> None:
    del tree
    reader = Reader()
    old, new = (reader.read(side).documents for side in ("HEAD~1:site/state", "site/state"))
    assert all(new.hosts[name] is host for name, host in old.hosts.items())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "nowhere:state",
            (
                "nowhere:state: 'nowhere': no such file or folder, and no such revision in this"
                " repository"
            ),
        ),
        (
            "--all:state",
            "--all:state: '--all': no such file or folder, and no such revision in this repository",
        ),
        ("HEAD:state", "HEAD:state: nothing is at this path in this revision"),
        (
            "HEAD~1",
            (
                "HEAD~1: no such file or folder; what is in a git revision is written REV:PATH,"
                " such as HEAD:state"
            ),
        ),
    ],
)
def test_what_is_not_there_is_said(text: str, said: str, tree: Path) -> None:
    del tree
    assert refusal(text) == said


def test_without_a_repository_there_is_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    rule = "no such file or folder, and no git repository here to look for a revision in"
    assert refusal("HEAD:state") == f"HEAD:state: {rule}"


def test_a_link_in_a_revision_is_refused_and_one_beside_the_documents_is_not(tree: Path) -> None:
    (tree / "site/state/README").symlink_to("nowhere")
    commit(tree)
    assert len(read_documents("HEAD:site/state").hosts) == 3
    (tree / "site/state/hosts/node-9.json").symlink_to("node-1.json")
    commit(tree)
    place, rule = (
        "HEAD:site/state/hosts/node-9.json",
        "is a symbolic link: in a revision none is followed",
    )
    assert refusal("HEAD:site/state") == f"{place}: {rule}"


def test_a_broken_document_of_a_revision_is_named_with_its_revision(tree: Path) -> None:
    (tree / "site/state/hosts/node-1.json").write_text("{}\n")
    commit(tree)
    said = refusal("HEAD:site/state")
    assert "HEAD:site/state/hosts/node-1.json: kind: must be 'HostState' for this document" in said


def test_a_folder_of_neither_is_named(tree: Path) -> None:
    (tree / "docs").mkdir()
    (tree / "docs/page.md").write_text("words\n")
    commit(tree)
    rule = "neither a state folder (no mesh.json) nor an inventory (no .yaml, .yml, .json)"
    assert refusal("HEAD:docs") == f"HEAD:docs: {rule}"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("main@{2026-11-01 10:30}:state", ("main@{2026-11-01 10:30}", "state")),
        ("HEAD^{/a: b}:./state", ("HEAD^{/a: b}", "./state")),
        ("main@{:state", ("main@{", "state")),
        ("main:a:b{c}", ("main", "a:b{c}")),
        ("main@{1}", None),
    ],
)
def test_a_colon_between_braces_is_the_revision_s(
    text: str, parts: tuple[str, str] | None, tree: Path
) -> None:
    del tree
    assert split_revision(text) == parts


def test_a_repository_that_git_does_not_trust_is_there(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert refusal("HEAD:site/state") == (
        f"HEAD:site/state: git does not trust this repository, which is somebody else's; if you do:"
        f" git config --global --add safe.directory {tree}"
    )


def test_a_shallow_clone_may_lack_the_revision(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_git(tree, "clone", "--quiet", "--depth=1", f"file://{tree}", "shallow")
    monkeypatch.chdir(tree / "shallow")
    assert refusal("HEAD~1:site/state") == (
        "HEAD~1:site/state: 'HEAD~1': no such file or folder, and no such revision in this"
        " repository, which is a shallow clone: fetch more of it (git fetch --unshallow)"
    )
