"""Write files into one folder: whole or not at all, only when they differ, never outside it."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from schemas.problems import Problems

_TEMPORARY: Final = ".wormhole.tmp"
"""One name is enough: a folder has one writer at a time, and a crash leaves one file at most."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """An open folder. Names in it are plain names; a symbolic link there is never followed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open a folder, made if it is not there, and lock out its other writers.

        Raises:
            Problems: it cannot be made or opened.

        """
        with explain_os_errors(path, "cannot open the folder"):
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, _DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield cls(path, descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def open_inside(self, name: str) -> Iterator[Self]:
        """Open a folder inside this one, made if it is not there."""
        path = self.path / name
        if path.is_symlink():  # said in words; what holds, whoever races us, is O_NOFOLLOW below
            rule = "it is a symbolic link, which is not followed out of its folder"
            raise Problems.one(f"cannot open the folder: {rule}", file=str(path))
        with explain_os_errors(path, "cannot open the folder"):
            with suppress(FileExistsError):
                os.mkdir(name, dir_fd=self._descriptor)
            descriptor = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._descriptor)
        try:
            yield type(self)(path, descriptor)
        finally:
            os.close(descriptor)

    def names(self) -> list[str]:
        """Return the names in the folder, sorted, hidden ones left out."""
        names = os.listdir(self._descriptor)  # noqa: PTH208 - pathlib lists no descriptors
        return sorted(name for name in names if not name.startswith("."))

    def read(self, name: str) -> bytes | None:
        """Return a regular file's content; None for anything else."""
        try:
            descriptor = os.open(name, _READ, dir_fd=self._descriptor)
        except OSError:
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read()

    def write_changed(self, name: str, content: bytes) -> bool:
        """Make a file's content so; return whether it had to be written.

        Through a temporary name and a rename, so that a reader sees old or new, and a link at
        this name is replaced rather than followed. No fsync: what is written can be made again.

        Raises:
            Problems: it cannot be written.

        """
        if self.read(name) == content:
            return False
        self._replace(name, content)
        return True

    def write_program(self, name: str, content: bytes) -> bool:
        """Make a program so (0755), on the disk; return whether it had to be written.

        One that runs is replaced, not written into, so nobody gets ``ETXTBSY`` or half of it.

        Raises:
            Problems: it cannot be written.

        """
        if self.has_program(name) and self.read(name) == content:
            return False
        self._replace(name, content, program=True)
        return True

    def has_program(self, name: str) -> bool:
        """Whether the name is taken, by anything but a plain file that cannot be run."""
        with suppress(FileNotFoundError):
            mode = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False).st_mode
            return not stat.S_ISREG(mode) or bool(mode & stat.S_IXUSR)
        return False

    def remove_leftover(self) -> None:
        """Remove what a killed writer left: where nothing differs, no write comes by it.

        Raises:
            Problems: it cannot be removed.

        """
        if _TEMPORARY in os.listdir(self._descriptor):  # noqa: PTH208 - pathlib lists no descriptors
            self.remove(_TEMPORARY)

    def remove(self, name: str) -> None:
        """Remove a file (a link, not what it points to).

        Raises:
            Problems: it cannot be removed.

        """
        with explain_os_errors(self.path / name, "cannot remove the file"):
            os.unlink(name, dir_fd=self._descriptor)

    def _replace(self, name: str, content: bytes, *, program: bool = False) -> None:
        with explain_os_errors(self.path / name, "cannot write the file"):
            try:
                self._write_temporary(content, program=program)
                os.rename(
                    _TEMPORARY, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor
                )
            except OSError:
                with suppress(OSError):
                    os.unlink(_TEMPORARY, dir_fd=self._descriptor)
                raise

    def _write_temporary(self, content: bytes, *, program: bool) -> None:
        with suppress(FileNotFoundError):  # what a crash left, or anything else of this name
            os.unlink(_TEMPORARY, dir_fd=self._descriptor)
        descriptor = os.open(_TEMPORARY, _WRITE, 0o666, dir_fd=self._descriptor)
        try:
            left = memoryview(content)
            while left:
                left = left[os.write(descriptor, left) :]
            if program:
                os.fchmod(descriptor, 0o755)  # whatever the umask
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_plain(path: Path) -> bytes:
    """Read a plain file, or what a link leads to.

    Raises:
        Problems: it cannot be read, or is no plain file: a pipe would keep us waiting.

    """
    with explain_os_errors(path, "cannot read the file"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return file.read()
    raise Problems.one("cannot read the file: it is no plain file", file=str(path))


def is_plain_file(path: Path) -> bool:
    """Whether there is a plain file; not where we may not look, or where no name can lead."""
    with suppress(OSError):
        return path.is_file()
    return False


def names_file(path: Path) -> bool:
    """Whether there is something, of whatever sort, that is no folder."""
    return os.path.lexists(path) and not os.path.isdir(path)  # noqa: PTH112 - asks without raising


@contextmanager
def explain_os_errors(path: Path, what: str) -> Iterator[None]:
    """Turn the file system's refusals into a :class:`~schemas.problems.Problem` at a path."""
    try:
        yield
    except OSError as error:
        why = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise Problems.one(f"{what}: {why}", file=str(path)) from error
