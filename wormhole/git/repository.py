"""A folder to the git work tree that it lies in, or to the reason why nothing is committed."""

import os
from pathlib import Path
from typing import Final

from schemas.problems import Problems
from schemas.state import Value
from wormhole.git.process import GitError, forget_places, run_git

_UNDER_WAY: Final = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase, or git am,",
    "BISECT_LOG": "a bisection",
}
"""What git keeps in its folder while it is half-way through something (gitrepository-layout(5))."""


class Repository(Value, frozen=True, kw_only=True):
    """A work tree, fit to commit to."""

    top: str
    """The top of the work tree, links resolved."""
    branch: str
    """Empty: HEAD is detached."""
    head: str
    """The commit; empty before the first one."""
    superproject: str = ""
    """The work tree that has this one as a submodule; empty for any other."""

    @property
    def folder(self) -> Path:
        """The top as a path."""
        return Path(self.top)

    def locate(self, path: Path) -> str:
        """Return the path of a file or folder from the top, with slashes."""
        return path.resolve().relative_to(self.top).as_posix()


def find_repository(folders: tuple[Path, ...]) -> Repository:
    """Find the one work tree that some folders lie in, whether they are there yet or not.

    Raises:
        Problems: there is none, they lie in several, or it is no time and place to commit.

    """
    forget_places()
    tops = {_find_top(folder): folder for folder in folders}
    if len(tops) > 1:
        rule = "the state and its rendering lie in two git work trees: a commit goes to one"
        raise Problems.one(rule, file=str(folders[-1]))
    [top] = tops
    _refuse_unfinished(top)
    return Repository(
        top=top,
        branch=_ask(Path(top), "symbolic-ref", "--quiet", "--short", "HEAD"),
        head=_ask(Path(top), "rev-parse", "--verify", "--quiet", "HEAD^{commit}"),
        superproject=_ask(Path(top), "rev-parse", "--show-superproject-working-tree"),
    )


def _find_top(folder: Path) -> str:
    """Return the top of the work tree that a folder lies, or will lie, in."""
    _refuse_links(folder)
    there = folder.absolute()
    while not there.is_dir():
        there = there.parent
    try:
        inside = _run(there, "rev-parse", "--is-inside-work-tree")
    except GitError as error:
        outside = f"not in a git work tree, so nothing can be committed: {error.reason}"
        rule = error.distrust or outside
        raise Problems.one(rule, file=str(folder)) from error
    if inside != "true":
        rule = "in a git repository, but not in a work tree of it, so nothing can be committed"
        raise Problems.one(rule, file=str(folder))
    return str(Path(_run(there, "rev-parse", "--show-toplevel")).resolve())


def _refuse_links(folder: Path) -> None:
    """Refuse a folder that is reached over a link in a work tree: git commits the link itself."""
    path = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow the link
    for each in (path, *path.parents):
        if each.is_symlink() and _ask(each.parent, "rev-parse", "--is-inside-work-tree") == "true":
            rule = f"lies beyond the symbolic link {each}, which git does not follow"
            raise Problems.one(rule, file=str(folder))


def _refuse_unfinished(top: str) -> None:
    for name, what in _UNDER_WAY.items():
        place = _run(Path(top), "rev-parse", "--git-path", name)
        if (Path(top) / place).exists():
            rule = f"{what} is under way in this work tree: finish it, or give it up, and try again"
            raise Problems.one(rule, file=top)


def refuse_ignored(repository: Repository, paths: tuple[str, ...]) -> None:
    """Refuse files that git is told to ignore: they would never be committed.

    Raises:
        Problems: one of these paths, from the top, is ignored; says by which rule.

    """
    asked = "\0".join(paths).encode(errors="surrogateescape")
    try:
        # --no-index: also where others beside it are committed already, a new one is ignored.
        ignored = run_git(
            repository.folder, ["check-ignore", "--no-index", "-z", "--stdin"], stdin=asked
        )
    except GitError:  # exit code 1: none is
        return
    path = ignored.partition(b"\0")[0].decode(errors="surrogateescape")
    told = _ask(repository.folder, "check-ignore", "--no-index", "--verbose", "--", path)
    rule = f"git is told to ignore it ({told.partition(chr(9))[0]}), so it cannot be committed"
    raise Problems.one(rule, file=str(repository.folder / path))


def _ask(folder: Path, *arguments: str) -> str:
    """Return git's answer, or nothing where it has none."""
    try:
        return _run(folder, *arguments)
    except GitError:
        return ""


def _run(folder: Path, *arguments: str) -> str:
    return run_git(folder, arguments).decode(errors="surrogateescape").removesuffix("\n")
