"""One applier per host: a lock that the kernel gives back when its holder ends."""

import errno
import fcntl
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from applier.errors import HostError, Locked
from applier.linux.files import make_folder

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NOTE_SIZE: Final = 256
_GLANCE: Final = 0.05
"""Seconds between two looks whether a lock is free."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock while the block runs; do not wait for it.

    The file stays: were it removed, a third process could lock another of the same name.

    Raises:
        Locked: another process holds it; the error says which, if it left a note.
        HostError: the file could not be opened.

    """
    try:
        make_folder(path.parent, 0o755)  # whatever the umask: runtimes read a file below it
        descriptor = os.open(path, _FLAGS, 0o600)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostError("open lock", str(path), reason, error.errno or 0) from error
    try:
        _take(descriptor, path)
        _write_note(descriptor, f"{os.getpid()} {_command()}")
        try:
            yield
        finally:
            _write_note(descriptor, "")
    finally:
        os.close(descriptor)


@contextmanager
def hold_within(
    path: Path, patience: float, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold the lock while the block runs, after so many seconds of waiting at most.

    ``tell`` is told once whom this waits for.

    Raises:
        Locked, HostError: as :func:`hold`.

    """
    until = time.monotonic() + patience
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(path))
                break
            except Locked as error:
                if time.monotonic() >= until:
                    raise
                if tell is not None:
                    tell(str(error))
                    tell = None
                time.sleep(_GLANCE)
        yield


def is_held(path: Path) -> bool:
    """Whether a process holds the lock.

    Raises:
        HostError: the file is there and could not be opened.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostError("open lock", str(path), reason, error.errno or 0) from error
    try:
        # Shared, so that two who look at once do not take each other for its holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _take(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid, _, command = (
            os.pread(descriptor, _NOTE_SIZE, 0).decode(errors="replace").partition(" ")
        )
        holder = f"process {pid} ({command})" if pid else "another process"
        raise Locked("lock", str(path), f"held by {holder}", errno.EWOULDBLOCK) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostError("lock", str(path), reason, error.errno or 0) from error


def _write_note(descriptor: int, note: str) -> None:
    """Leave word of who holds the lock. It is for people, so failing at it stops nothing."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(errors="replace")[:_NOTE_SIZE], 0)
    except OSError:
        return


def _command() -> str:
    """Return this process's command line, its program without the path."""
    program, *arguments = sys.argv or [""]
    return shlex.join([Path(program).name, *arguments])
