"""Files that are read and written whole, and survive a power cut as old or as new."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from applier.errors import Exists, HostError, Missing, Unobservable
from applier.linux.writes import write

_OLD: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_NO_LINK: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL})
"""Nothing of that name, or something else (``readlink(2)``)."""


class Files:
    """The doors to files. Of use alone: keys are read before there is anything else."""

    def read_file(self, path: Path) -> bytes | None:
        """Return the content; None when there is no such file. Raises :class:`Unobservable`."""
        try:
            return _read_plain(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failure(Unobservable, "read file", path, error) from error

    def read_link(self, path: Path) -> str | None:
        """Return where a symbolic link leads; None when there is none. Raises Unobservable."""
        try:
            return str(path.readlink())
        except OSError as error:
            if error.errno in _NO_LINK:
                return None
            raise _failure(Unobservable, "read link", path, error) from error

    def file_mode(self, path: Path) -> int | None:
        """Return the permission bits; None when there is no such file. Raises Unobservable."""
        try:
            return stat.S_IMODE(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failure(Unobservable, "read the mode of file", path, error) from error

    def list_files(self, folder: Path) -> tuple[str, ...]:
        """Return the names of the plain files in a folder, sorted; () when there is none.

        Raises :class:`Unobservable`.
        """
        try:
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise _failure(Unobservable, "list folder", folder, error) from error
        return tuple(sorted(names))

    def write_file(self, path: Path, content: bytes, mode: int) -> None:
        """Put a whole file in place. A missing folder gets 0755, for a private file 0700."""
        with _changing("write file", path):
            make_folder(path.parent, 0o755 if mode & 0o077 else 0o700)
            _put_in_place(path, content, mode)

    def replace_link(self, path: Path, target: str) -> None:
        """Put a symbolic link in place, on the disk when this returns. Missing folders get 0755."""
        with _changing("replace link", path):
            make_folder(path.parent, 0o755)
            with _renamed_into(path) as temporary:
                temporary.symlink_to(target)

    def replace_secret(self, path: Path, content: bytes) -> None:
        """Put a secret (0600) in place of an older one, of which nothing stays beside it.

        Killed at any moment, the old file is there or the new one, whole. Those who do this at
        once do it one after the other.
        """
        with _changing("replace secret", path):
            if path.is_symlink():
                raise OSError(errno.ELOOP, "it is a symbolic link: replace what it leads to")
            # A create_file that was killed after its link left the old secret under the temporary
            # name as well; that goes first.
            with _alone_in(path.parent):
                _put_in_place(path, content, 0o600)

    def create_file(self, path: Path, content: bytes, mode: int) -> None:
        """Make a new file, on the disk when this returns; missing folders get 0700.

        Raises:
            Exists: something of that name is there; it was not touched.

        """
        with _changing("create file", path):
            make_folder(path.parent, 0o700)
            with _alone_in(path.parent):
                temporary = _temporary_beside(path)
                temporary.unlink(missing_ok=True)
                try:
                    _write_new(temporary, content, mode)
                    # Unlike rename, link refuses a name that is taken; unlike O_EXCL on the name
                    # itself, it shows no empty file if we are killed in between.
                    os.link(temporary, path)
                finally:
                    with suppress(OSError):
                        temporary.unlink()
                _sync_folder(path.parent)

    def remove_file(self, path: Path) -> None:
        """Remove the file. Raises :class:`Missing` when it is not there."""
        with _changing("remove file", path):
            path.unlink()
            _sync_folder(path.parent)


@contextmanager
def _changing(operation: str, path: Path) -> Iterator[None]:
    classes = {errno.EEXIST: Exists, errno.ENOENT: Missing, errno.ENOTDIR: Missing}
    with write(operation, str(path)):
        try:
            yield
        except OSError as error:
            kind = classes.get(error.errno or 0, HostError)
            raise _failure(kind, operation, path, error) from error


def _failure(kind: type[HostError], operation: str, path: Path, error: OSError) -> HostError:
    return kind(operation, str(path), error.strerror or str(error), error.errno or 0)


def _temporary_beside(path: Path) -> Path:
    """Name a temporary file that no reader of the folder takes for a configuration.

    The CNI runtime reads ``.conf``, ``.conflist`` and ``.json``. The name is the same every time,
    so that the next write takes away what a killed one left.
    """
    return path.with_name(f".wormhole-{crc32(os.fsencode(path.name)):08x}.tmp")


def _read_plain(path: Path) -> bytes:
    """Read a plain file: for a pipe we would wait, with the lock held, and a device may not end."""
    with os.fdopen(os.open(path, _OLD), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        return file.read()


def _put_in_place(path: Path, content: bytes, mode: int) -> None:
    with _renamed_into(path) as temporary:
        _write_new(temporary, content, mode)


@contextmanager
def _renamed_into(path: Path) -> Iterator[Path]:
    """Give a name beside a path to whoever makes what then takes its place at once."""
    temporary = _temporary_beside(path)
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, _NEW, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, mode)  # the mode given to open is masked by the umask
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int) -> None:
    """Make the folder and those above it, each with this mode and on the disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(mode)
        _sync_folder(folder.parent)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for others who want to be alone in this folder; their end ends their wait (flock)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Put a change of names on the disk; ``fsync`` of the file does not (``fsync(2)``)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
