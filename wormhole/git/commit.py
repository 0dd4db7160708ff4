"""Commit a set of files of a work tree, and nothing else that is changed or staged in it.

``git commit --only`` does what is wanted, and nothing else does as well: it builds the commit from
HEAD and the files named, through a temporary index; it leaves everything that is staged staged; it
runs the user's hooks and signs as the user signs. What it lacks is that new files must be known to
the index, so they are announced to it first (``git add --intent-to-add``: a name without content).
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from schemas.problems import Problems
from schemas.state import Value
from wormhole.git.process import GitError, run_git
from wormhole.git.repository import Repository
from wormhole.git.tree import list_tree, read_blobs, split_paths

_LONGEST: Final = 3600
"""Seconds that a commit may take: hooks run, and a person may have to touch a key to sign."""
_FROM_STDIN: Final = ("--pathspec-from-file=-", "--pathspec-file-nul")

IsOurs = Callable[[str, bytes], bool]
"""``is_ours(path, content)``: whether a committed file may be removed when nobody wants it."""


class Commit(Value, frozen=True, kw_only=True):
    """A commit that was made."""

    id: str
    """Abbreviated, as git prints it."""
    surplus: tuple[str, ...] = ()
    """Files in it that were not asked for: a hook of the user's added them."""
    altered: tuple[str, ...] = ()
    """Files in it with other content than they had: a hook of the user's changed it."""


def find_changes(
    repository: Repository, folders: Iterable[str], wanted: Iterable[str], is_ours: IsOurs
) -> tuple[str, ...]:
    """Return which files a commit has to name so that HEAD has what is wanted, sorted.

    Files that differ from HEAD, and committed files in these folders that are ours, are wanted no
    more, and are gone. All paths are from the top. What is staged does not matter.
    """
    committed = list_tree(repository.folder, repository.head, folders) if repository.head else {}
    hashes = _hash_files(repository, tuple(wanted))
    changed = {
        path
        for path, blob_id in hashes.items()
        if (blob := committed.get(path)) is None or blob.id != blob_id or not blob.is_file
    }
    gone = {
        path: blob
        for path, blob in committed.items()
        if path not in hashes and not (repository.folder / path).exists()
    }
    changed |= {
        path for path, content in read_blobs(repository.folder, gone) if is_ours(path, content)
    }
    return tuple(sorted(changed))


def commit_files(repository: Repository, paths: tuple[str, ...], message: str) -> Commit:
    """Commit some files as they are in the work tree; those that are not there are removed.

    Raises:
        GitError: git, or a hook, refused. The index is as it was.

    """
    there = tuple(path for path in paths if (repository.folder / path).exists())
    hashes = _hash_files(repository, there)
    new = _find_unknown(repository, there)
    if new:
        _run_on(repository, new, "add", "--intent-to-add")
    try:
        _run_on(
            repository,
            paths,
            "-c",
            "i18n.commitEncoding=UTF-8",
            "commit",
            "--quiet",
            "--only",
            "--cleanup=verbatim",
            f"--message={message}",
        )
    except (GitError, Problems):
        _forget(repository, new)
        raise
    return _describe_commit(repository, paths, hashes)


def _forget(repository: Repository, paths: tuple[str, ...]) -> None:
    """Take back what was announced: a name in the index, without content."""
    command = ["update-index", "--force-remove", "-z", "--stdin"]
    with suppress(GitError):  # somebody else has the index now; the name alone does no harm
        run_git(repository.folder, command, stdin=_join(paths))


def _describe_commit(
    repository: Repository, paths: tuple[str, ...], hashes: dict[str, str]
) -> Commit:
    show = ["diff-tree", "--root", "-r", "-z", "--name-only", "--no-commit-id", "HEAD"]
    committed = split_paths(run_git(repository.folder, show))
    short = run_git(repository.folder, ["rev-parse", "--short", "HEAD"]).decode().strip()
    held = list_tree(repository.folder, "HEAD", ())  # all: too many to name on a command line
    return Commit(
        id=short,
        surplus=tuple(path for path in committed if path not in {*paths}),
        altered=tuple(path for path in hashes if path in held and held[path].id != hashes[path]),
    )


def _hash_files(repository: Repository, paths: tuple[str, ...]) -> dict[str, str]:
    """Return what files of the work tree would be committed as, by path: filters apply."""
    if strange := [path for path in paths if "\n" in path]:
        rule = "a line break in its name keeps this from being committed"
        raise Problems.one(rule, file=strange[0])
    if not paths:
        return {}
    asked = "".join(f"{_quote(path)}\n" for path in paths).encode(errors="surrogateescape")
    try:
        hashed = run_git(repository.folder, ["hash-object", "--stdin-paths"], stdin=asked)
    except GitError as error:
        raise Problems.one(f"git cannot read what was written: {error}") from error
    return dict(zip(paths, hashed.decode().split(), strict=True))


def _quote(path: str) -> str:
    """Return a path as git takes it from a line, where one that begins with a quote is quoted."""
    if not path.startswith('"'):
        return path
    escaped = path.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def _find_unknown(repository: Repository, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files that the index does not know."""
    known = {*split_paths(run_git(repository.folder, ["ls-files", "-z"]))}
    return tuple(path for path in paths if path not in known)


def _run_on(repository: Repository, paths: tuple[str, ...], *arguments: str) -> None:
    command = ["--literal-pathspecs", *arguments, *_FROM_STDIN]
    run_git(repository.folder, command, stdin=_join(paths), seconds=_LONGEST)


def _join(paths: Iterable[str]) -> bytes:
    return "".join(f"{path}\0" for path in paths).encode(errors="surrogateescape")
