"""What a commit has in some folders: names, and the content of those that are asked for."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from schemas.state import Value
from wormhole.git.process import run_git

_LINK: Final = "120000"
_SUBMODULE: Final = "160000"


class Blob(Value, frozen=True, kw_only=True):
    """A committed file."""

    mode: str
    id: str

    @property
    def is_file(self) -> bool:
        """Whether it is neither a symbolic link nor a submodule."""
        return self.mode not in (_LINK, _SUBMODULE)


def list_tree(top: Path, revision: str, folders: Iterable[str]) -> dict[str, Blob]:
    """Return what a commit has below some paths, by path from the top of the work tree.

    Raises:
        GitError: there is no such commit.

    """
    command = ["--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", revision, "--"]
    found = {}
    for line in split_paths(run_git(top, [*command, *folders])):
        entry, _, path = line.partition("\t")
        mode, _, blob_id = entry.split(" ")
        found[path] = Blob(mode=mode, id=blob_id)
    return found


def read_blobs(top: Path, blobs: Mapping[str, Blob]) -> Iterator[tuple[str, bytes]]:
    """Yield files of a commit with their content; links and submodules are left out."""
    files = {path: blob for path, blob in blobs.items() if blob.is_file}
    if not files:
        return
    asked = "".join(f"{blob.id}\n" for blob in files.values()).encode()
    answer = run_git(top, ["cat-file", "--batch"], stdin=asked)
    at = 0
    for path in files:
        # "<id> blob <size>", a line break, the content, a line break (git-cat-file(1)).
        begin = answer.index(b"\n", at) + 1
        end = begin + int(answer[at:begin].split()[2])
        yield path, answer[begin:end]
        at = end + 1


def split_paths(listed: bytes) -> list[str]:
    """Split what git lists with ``-z``."""
    return listed.decode(errors="surrogateescape").split("\0")[:-1]
