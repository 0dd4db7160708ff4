"""``compile --commit`` commits a state and what was rendered of it, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import Wormhole
from wormhole_git import Git, run_git, write_inventory

COMPILE = ("compile", "mesh.yaml", "-o", "state", "--commit")
FIRST = """\
mesh demo begins: 3 hosts
"""
MOVED = """\
node-1 moves to 198.51.100.1:9806

hitless       node-1 moves to 198.51.100.1:9806:
              2 hosts change one endpoint, no session is lost
"""


def head_files(git: Git) -> list[str]:
    return git("show", "--format=", "--name-only", "HEAD").splitlines()


def hook(tree: Path, name: str, script: str) -> None:
    path = tree / ".git/hooks" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_the_first_state_is_committed(wormhole: Wormhole, git: Git) -> None:
    code, output, errors = wormhole(*COMPILE)
    short = git("rev-parse", "--short", "HEAD")
    assert (code, errors) == (0, "")
    assert output.splitlines()[-1] == f"committed {short} on main: mesh demo begins: 3 hosts"
    assert git("log", "-1", "--format=%B") + "\n" == FIRST
    assert head_files(git) == [
        "state/hosts/node-1.json",
        "state/hosts/node-2.json",
        "state/hosts/node-3.json",
        "state/mesh.json",
    ]


def test_a_change_is_told(wormhole: Wormhole, git: Git, tree: Path) -> None:
    wormhole(*COMPILE)
    write_inventory(tree, 3, moved=1)
    assert wormhole(*COMPILE)[0] == 0
    assert git("log", "-1", "--format=%B").startswith(MOVED)
    assert head_files(git) == ["state/mesh.json"]


def test_without_a_change_there_is_no_commit(wormhole: Wormhole, git: Git) -> None:
    wormhole(*COMPILE)
    before = git("rev-parse", "HEAD")
    code, output, _ = wormhole(*COMPILE)
    assert (code, git("rev-parse", "HEAD")) == (0, before)
    assert output.splitlines()[-1] == "nothing to commit: HEAD has this state already"


def test_what_an_earlier_compile_wrote_is_committed_too(wormhole: Wormhole, git: Git) -> None:
    wormhole("compile", "mesh.yaml", "-o", "state")
    code, output, _ = wormhole(*COMPILE)
    assert (code, "4 unchanged" in output) == (0, True)
    assert len(head_files(git)) == 4


def test_a_host_that_left_is_removed(wormhole: Wormhole, git: Git, tree: Path) -> None:
    wormhole(*COMPILE)
    write_inventory(tree, 2)
    wormhole("compile", "mesh.yaml", "-o", "state")  # removed from the disk by an earlier compile
    assert wormhole(*COMPILE)[0] == 0
    assert git("show", "--format=", "--name-status", "HEAD").splitlines() == [
        "D\tstate/hosts/node-3.json",
        "M\tstate/mesh.json",
    ]
    assert git("log", "-1", "--format=%s") == "node-3 leaves"


def test_a_host_that_was_already_taken_out_of_the_index_is_removed(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    wormhole(*COMPILE)
    write_inventory(tree, 2)
    git("rm", "--quiet", "state/hosts/node-3.json")
    assert wormhole(*COMPILE)[0] == 0
    assert "state/hosts/node-3.json" in head_files(git)
    assert git("status", "--porcelain") == "?? mesh.yaml"


def test_what_else_is_staged_or_changed_stays_so(wormhole: Wormhole, git: Git, tree: Path) -> None:
    (tree / "README").write_text("staged\n")
    (tree / "new").write_text("staged\n")
    git("add", "README", "new")
    (tree / "README").write_text("not staged\n")
    (tree / "untracked").write_text("untracked\n")
    before = (git("status", "--porcelain"), git("diff", "--cached"), git("diff"))
    assert wormhole(*COMPILE)[0] == 0
    assert (git("status", "--porcelain"), git("diff", "--cached"), git("diff")) == before
    assert [name for name in head_files(git) if not name.startswith("state/")] == []


def test_a_file_of_somebody_in_the_state_folder_is_not_committed(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    wormhole("compile", "mesh.yaml", "-o", "state")
    (tree / "state/NOTES").write_text("mine\n")
    (tree / "state/hosts/notes.json").write_text("{}\n")
    assert wormhole(*COMPILE)[0] == 0
    assert len(head_files(git)) == 4
    (tree / "state/hosts/notes.json").unlink()
    assert wormhole(*COMPILE)[1].splitlines()[-1].startswith("nothing to commit")


def test_a_removed_file_that_is_no_document_of_the_mesh_stays_committed(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    wormhole(*COMPILE)
    (tree / "state/hosts/notes.json").write_text("{}\n")
    git("add", "state/hosts/notes.json")
    git("commit", "--quiet", "--message=Note")
    (tree / "state/hosts/notes.json").unlink()
    write_inventory(tree, 3, moved=1)
    assert wormhole(*COMPILE)[0] == 0
    assert head_files(git) == ["state/mesh.json"]
    assert "state/hosts/notes.json" in git("ls-tree", "-r", "--name-only", "HEAD")


def test_staged_content_of_the_same_files_gives_way(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    wormhole(*COMPILE)
    (tree / "state/mesh.json").write_text("staged by hand\n")
    git("add", "state/mesh.json")
    git("show", "HEAD:state/mesh.json")
    (tree / "state/mesh.json").write_text(git("show", "HEAD:state/mesh.json") + "\n")
    write_inventory(tree, 3, moved=1)
    assert wormhole(*COMPILE)[0] == 0
    assert "staged by hand" not in git("show", "HEAD:state/mesh.json")
    assert git("status", "--porcelain") == "?? mesh.yaml"


def test_a_rendering_is_committed_and_follows(wormhole: Wormhole, git: Git, tree: Path) -> None:
    render = (*COMPILE, "--render", "native")
    assert wormhole(*render)[0] == 0
    assert "native/node-3/iptables.rules" in head_files(git)
    write_inventory(tree, 2)
    assert wormhole(*render)[0] == 0
    removed = git("show", "--format=", "--name-only", "--diff-filter=D", "HEAD").splitlines()
    assert ("native/node-3/iptables.rules" in removed, len(removed)) == (True, 7)
    assert not (tree / "native/node-3").exists()
    assert wormhole("render", "state", "--all", "-o", "native", "--check")[0] == 0
    assert git("log", "-1", "--format=%B").splitlines()[-1] == (
        "Native text: 8 files rendered anew or removed."
    )


def test_a_rendering_that_comes_later_says_so(wormhole: Wormhole, git: Git) -> None:
    wormhole(*COMPILE)
    assert wormhole(*COMPILE, "--render", "native")[0] == 0
    assert git("log", "-1", "--format=%B").splitlines() == [
        "mesh demo: rendered text written anew, no other change",
        "",
        "Native text: 18 files rendered anew or removed.",
    ]


def test_documents_that_only_look_different_say_so(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    wormhole(*COMPILE)
    mesh = tree / "state/mesh.json"
    mesh.write_text(mesh.read_text() + "\n")
    git("commit", "--quiet", "--all", "--message=Edit by hand")
    assert wormhole(*COMPILE)[0] == 0
    subject = "mesh demo: documents written anew, no other change"
    assert git("log", "-1", "--format=%B") == subject


def test_a_committed_state_that_nobody_can_read_is_replaced(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    wormhole(*COMPILE)
    (tree / "state/hosts/node-1.json").write_text("{}")
    git("commit", "--quiet", "--all", "--message=Break it")
    broken = git("rev-parse", "HEAD")
    assert wormhole(*COMPILE)[0] == 0
    assert git("log", "-1", "--format=%B") == (
        "mesh demo is replaced: 3 hosts\n\n"
        f"The state before cannot be read: {broken}:state/hosts/node-1.json: apiVersion: must be"
        " 'wormhole.dev/v1alpha1' for this document"
    )


def test_the_first_commit_of_a_repository(
    wormhole: Wormhole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    run_git(fresh, "init", "--quiet", "--initial-branch=trunk")
    run_git(fresh, "config", "user.name", "Ada")
    run_git(fresh, "config", "user.email", "ada@example.com")
    (fresh / "staged").write_text("")
    run_git(fresh, "add", "staged")
    write_inventory(fresh, 3)
    monkeypatch.chdir(fresh)
    assert wormhole(*COMPILE)[0] == 0
    assert run_git(fresh, "rev-list", "--count", "HEAD") == "1"
    assert run_git(fresh, "status", "--porcelain").splitlines() == ["A  staged", "?? mesh.yaml"]


def test_a_detached_head_moves_and_is_named(wormhole: Wormhole, git: Git) -> None:
    git("checkout", "--quiet", "--detach")
    code, output, _ = wormhole(*COMPILE)
    assert (code, " on a detached HEAD: " in output) == (0, True)
    assert git("rev-list", "--count", "HEAD") == "2"


def test_the_top_of_the_work_tree_may_be_the_state(
    wormhole: Wormhole, tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = tmp_path / "top"
    top.mkdir()
    run_git(top, "init", "--quiet", "--initial-branch=main")
    run_git(top, "config", "user.name", "Ada")
    run_git(top, "config", "user.email", "ada@example.com")
    monkeypatch.chdir(top)
    command = ("compile", str(tree / "mesh.yaml"), "-o", ".", "--commit")
    assert wormhole(*command)[0] == 0
    assert wormhole(*command)[1].splitlines()[-1].startswith("nothing to commit")
    assert run_git(top, "ls-files").splitlines()[-1] == "mesh.json"


def test_another_current_folder_changes_nothing(
    wormhole: Wormhole, git: Git, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(tree / "deep")
    assert wormhole("compile", "../mesh.yaml", "-o", "er/state", "--commit")[0] == 0
    assert head_files(git)[-1] == "deep/er/state/mesh.json"


def test_names_with_a_meaning_for_git_are_names(wormhole: Wormhole, git: Git, tree: Path) -> None:
    odd = ":(glob)[a-z]* ü"
    assert wormhole("compile", "mesh.yaml", "-o", odd, "--commit")[0] == 0
    git("config", "core.quotePath", "false")
    assert [name.partition("/")[0] for name in head_files(git)] == [odd] * 4
    write_inventory(tree, 2)
    assert wormhole("compile", "mesh.yaml", "-o", odd, "--commit")[0] == 0
    assert git("status", "--porcelain") == "?? mesh.yaml"


def test_a_name_may_begin_with_a_quote(wormhole: Wormhole, git: Git) -> None:
    assert wormhole("compile", "mesh.yaml", "-o", '"a\\', "--commit")[0] == 0
    assert len(head_files(git)) == 4


def test_the_filters_of_the_repository_apply(wormhole: Wormhole, git: Git, tree: Path) -> None:
    git("config", "filter.shout.clean", "tr a-z A-Z")
    git("config", "filter.shout.smudge", "tr A-Z a-z")
    (tree / ".gitattributes").write_text("state/hosts/* filter=shout\n")
    assert wormhole(*COMPILE)[0] == 0
    assert '"NODE-1"' in git("show", "HEAD:state/hosts/node-1.json")
    assert wormhole(*COMPILE)[1].splitlines()[-1].startswith("nothing to commit")


def test_hooks_run_and_may_refuse(wormhole: Wormhole, git: Git, tree: Path) -> None:
    (tree / "README").write_text("staged\n")
    git("add", "README")
    before = (git("rev-parse", "HEAD"), git("ls-files", "--stage"))
    hook(tree, "pre-commit", "git diff --cached --name-only >seen; echo not on a Friday; exit 1")
    code, _, errors = wormhole(*COMPILE)
    assert code == 2
    assert errors == (
        "  not on a Friday\nwormhole: git did not commit, for the reason above; the files are"
        " written\n"
    )
    assert (tree / "seen").read_text().splitlines() == [
        "state/hosts/node-1.json",
        "state/hosts/node-2.json",
        "state/hosts/node-3.json",
        "state/mesh.json",
    ]
    assert (git("rev-parse", "HEAD"), git("ls-files", "--stage")) == before
    (tree / ".git/hooks/pre-commit").unlink()
    assert wormhole(*COMPILE)[0] == 0
    assert len(head_files(git)) == 4


def test_a_hook_that_adds_a_file_is_told_of(wormhole: Wormhole, git: Git, tree: Path) -> None:
    hook(tree, "pre-commit", "date >stamp; git add stamp")
    code, _, errors = wormhole(*COMPILE)
    assert (code, "stamp" in head_files(git)) == (0, True)
    assert errors == ("warning: stamp: is in the commit too: a hook of this repository added it\n")


def test_a_hook_that_changes_what_was_written_is_told_of(
    wormhole: Wormhole, git: Git, tree: Path
) -> None:
    hook(tree, "pre-commit", "echo >>state/mesh.json; git add state/mesh.json")
    code, _, errors = wormhole(*COMPILE)
    assert (code, head_files(git)[-1]) == (0, "state/mesh.json")
    assert errors == (
        "warning: state/mesh.json: is in the commit with other content than was written: a hook of"
        " this repository changed it\n"
    )


@pytest.mark.parametrize("told", [".git", "{tree}/.git"])
def test_the_folders_say_which_repository_is_meant_and_no_hook_does(
    told: str, wormhole: Wormhole, git: Git, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git tells hooks, and aliases in a linked work tree, where they were called."""
    (tree / "state").mkdir()
    with monkeypatch.context() as patched:
        patched.setenv("GIT_DIR", told.format(tree=tree))
        patched.setenv("GIT_INDEX_FILE", str(tree.parent / "index"))
        assert wormhole(*COMPILE)[0] == 0
        for name in ("GIT_DIR", "GIT_INDEX_FILE"):
            patched.delenv(name, raising=False)
        assert (len(head_files(git)), head_files(git)[-1]) == (4, "state/mesh.json")
        assert git("status", "--short") == "?? mesh.yaml"


def test_a_message_hook_has_the_last_word(wormhole: Wormhole, git: Git, tree: Path) -> None:
    hook(tree, "commit-msg", 'printf "\\nSigned-off-by: Ada\\n" >>"$1"')
    assert wormhole(*COMPILE)[0] == 0
    assert git("log", "-1", "--format=%(trailers:only)") == "Signed-off-by: Ada"


def test_a_commit_is_signed_as_its_user_signs(wormhole: Wormhole, git: Git, tree: Path) -> None:
    signer = tree.parent / "signer"
    signer.write_text(
        "#!/bin/sh\ncat >/dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\n"
        "echo '-----BEGIN PGP SIGNATURE-----'; echo; echo '-----END PGP SIGNATURE-----'\n"
    )
    signer.chmod(0o755)
    git("config", "gpg.program", str(signer))
    git("config", "commit.gpgSign", "true")
    assert wormhole(*COMPILE)[0] == 0
    assert "-----BEGIN PGP SIGNATURE-----" in git("cat-file", "commit", "HEAD")


def test_git_says_itself_who_it_must_be_told_of(wormhole: Wormhole, git: Git) -> None:
    git("config", "--unset", "user.email")
    git("config", "--unset", "user.name")
    git("config", "user.useConfigOnly", "true")
    code, _, errors = wormhole(*COMPILE)
    assert code == 2
    assert "*** Please tell me who you are." in errors
    assert errors.splitlines()[-1] == (
        "wormhole: git did not commit, for the reason above; the files are written"
    )
    assert git("status", "--porcelain").splitlines() == ["?? mesh.yaml", "?? state/"]


def test_an_index_that_is_locked_is_left_alone(wormhole: Wormhole, git: Git, tree: Path) -> None:
    (tree / ".git/index.lock").write_text("")
    code, _, errors = wormhole(*COMPILE)
    assert (code, "index.lock': File exists" in errors) == (2, True)
    assert git("rev-list", "--count", "HEAD") == "1"


def test_a_submodule_is_where_the_commit_goes(wormhole: Wormhole, git: Git, tree: Path) -> None:
    other = tree.parent / "other"
    run_git(tree.parent, "clone", "--quiet", str(tree), str(other))
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    git("commit", "--quiet", "--message=Add sub")
    run_git(tree / "sub", "config", "user.name", "Ada")
    run_git(tree / "sub", "config", "user.email", "ada@example.com")
    before = git("rev-parse", "HEAD")
    code, _, errors = wormhole("compile", "mesh.yaml", "-o", "sub/state", "--commit")
    assert (code, git("rev-parse", "HEAD")) == (0, before)
    assert run_git(tree / "sub", "log", "-1", "--format=%s") == "mesh demo begins: 3 hosts"
    assert errors == (
        f"warning: {tree}/sub: is a submodule: the repository around it still points at the commit"
        " before\n"
    )


def test_a_thousand_files_are_one_commit(wormhole: Wormhole, git: Git, tree: Path) -> None:
    """More paths than a command line holds: they are given on standard input."""
    write_inventory(tree, 250)
    long = "/".join(["d" * 200] * 10)
    assert wormhole("compile", "mesh.yaml", "-o", long, "--render", "native", "--commit")[0] == 0
    assert len(head_files(git)) == 251 + 250 * 6


def test_killed_in_a_hook_the_index_has_only_names_too_many(git: Git, tree: Path) -> None:
    hook(tree, "pre-commit", "kill -KILL $(cat pid); sleep 1")
    program = (
        "import os, sys; open('pid', 'w').write(str(os.getpid()));"
        f"sys.path.insert(0, {str(Path(__file__).parents[3])!r});"
        "from wormhole.__main__ import run; run(sys.argv[1:])"
    )
    command = [sys.executable, "-c", program, *COMPILE]
    done = subprocess.run(command, check=False, timeout=60, env=os.environ, capture_output=True)
    assert done.returncode == -9
    assert git("diff", "--cached", "--name-only") == ""
