"""A path at a revision to the files that are there, in few processes whatever their number."""

import posixpath
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from schemas.problems import Problem, Problems
from schemas.state import Value
from wormhole.git.process import GitError, run_git
from wormhole.git.tree import Blob, list_tree, read_blobs

_NOT_FILES: Final = {
    "120000": "a symbolic link: in a revision none is followed",
    "160000": "a submodule: its files are in another repository",
}
"""Modes of what a tree holds beside files and folders (git-fast-import(1))."""


class Place(Value, frozen=True, kw_only=True):
    """What stands at a path in a revision: a folder, or one file."""

    name: str
    """What the user called it: ``HEAD~1:state``."""
    blobs: dict[str, Blob]
    """By path below the folder, sorted; a file at the very place has none: ``""``."""

    @property
    def is_file(self) -> bool:
        """Whether it is one file."""
        return "" in self.blobs


def find_place(folder: Path, revision: str, path: str) -> Place:
    """Look up ``REVISION:PATH`` in the repository that a folder lies in, as git itself would.

    A path is counted from the top of the repository, or from the folder when it begins with
    ``./`` or ``../`` (gitrevisions(7)).

    Raises:
        Problems: there is no repository, no such revision, or nothing at the path.

    """
    name = f"{revision}:{path}"
    tree = _find_tree(folder, revision, name)
    place = _from_top(folder, path, name)
    listed = list_tree(folder, tree, [place] if place else [])
    if not listed:
        raise Problems.one("nothing is at this path in this revision", file=name)
    if place in listed:
        return Place(name=name, blobs={"": listed[place]})
    start = len(place) + 1 if place else 0
    return Place(name=name, blobs={each[start:]: blob for each, blob in sorted(listed.items())})


def read_files(folder: Path, place: Place, paths: Iterable[str]) -> dict[str, bytes]:
    """Read some files of a place.

    Raises:
        Problems: one of them is a symbolic link or a submodule, or cannot be had.

    """
    blobs = {path: place.blobs[path] for path in paths}
    strange = [
        Problem(file=join(place, path), rule=f"is {_NOT_FILES[blob.mode]}")
        for path, blob in blobs.items()
        if not blob.is_file
    ]
    if strange:
        raise Problems(strange)
    try:
        return dict(read_blobs(folder, blobs))
    except GitError as error:
        raise Problems.one(f"cannot read the files: {error.reason}", file=place.name) from error


def join(place: Place, path: str) -> str:
    """Return what a file of a place is called: ``HEAD~1:state/mesh.json``."""
    if not path:
        return place.name
    return f"{place.name}{path}" if place.name.endswith((":", "/")) else f"{place.name}/{path}"


def _find_tree(folder: Path, revision: str, name: str) -> str:
    try:
        run_git(folder, ["rev-parse", "--git-dir"])
    except GitError as error:
        rule = "no such file or folder, and no git repository here to look for a revision in"
        raise Problems.one(error.distrust or rule, file=name) from error
    wanted = f"{revision}^{{tree}}"
    try:
        found = run_git(folder, ["rev-parse", "--verify", "--quiet", "--end-of-options", wanted])
    except GitError as error:
        rule = f"no such file or folder, and no such revision in this repository{_excuse(folder)}"
        raise Problems.one(rule, file=name, value=revision) from error
    return found.decode().strip()


def _excuse(folder: Path) -> str:
    """Say why a revision may be somewhere else, as most of them are in a job of a CI."""
    if run_git(folder, ["rev-parse", "--is-shallow-repository"]).strip() != b"true":
        return ""
    return ", which is a shallow clone: fetch more of it (git fetch --unshallow)"


def _from_top(folder: Path, path: str, name: str) -> str:
    """Return a path counted from the top of the repository, without a slash at its end."""
    if path in {".", ".."} or path.startswith(("./", "../")):
        prefix = run_git(folder, ["rev-parse", "--show-prefix"]).decode(errors="surrogateescape")
        path = posixpath.join(prefix.removesuffix("\n"), path)
    plain = posixpath.normpath(path) if path else "."
    if plain.startswith(("/", "..")):
        raise Problems.one("leads out of the repository", file=name)
    return "" if plain == "." else plain
