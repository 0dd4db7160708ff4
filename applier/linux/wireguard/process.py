"""The process behind a userspace WireGuard device: started, found at its socket, awaited."""

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final

from applier.errors import HostError, Unsupported
from applier.linux.programs import find_program

PROGRAM: Final = "wireguard-go"
_TUN: Final = Path("/dev/net/tun")
_START_TIMEOUT: Final = 15.0
_END_TIMEOUT: Final = 10.0
_OUTPUT_SHOWN: Final = 300


def require() -> str:
    """Return the program's path.

    Raises:
        Unsupported: it or the TUN driver is not there; says what to install.

    """
    program = find_program(PROGRAM)
    if program is None:
        raise Unsupported(
            "find",
            PROGRAM,
            "not installed; install it, or a kernel with the wireguard module",
        )
    if not _TUN.exists():
        raise Unsupported("find", str(_TUN), "the TUN driver is not there; try modprobe tun")
    return program


def start(name: str, path: Path) -> None:
    """Start the program for a device; return when its socket at ``path`` answers.

    The program puts itself into the background. It gets a session of its own, or it would die
    with our terminal; no pipe of ours, or whoever waits for our output's end would wait for
    it; and no working directory that it would keep busy.

    Raises:
        Unsupported: as :func:`require`.
        HostError: it failed, or its socket does not answer in time.

    """
    program = require()
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with os.fdopen(os.memfd_create("output"), "w+b") as output:
        try:
            status = subprocess.run(  # noqa: S603 - a program from PATH, no shell, a checked name
                [program, name],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
                timeout=_START_TIMEOUT,
                check=False,
            ).returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HostError("start", f"{PROGRAM} {name}", str(error)) from error
        if status:
            raise HostError("start", f"{PROGRAM} {name}", _last_words(output), status)
    if not _await(lambda: _serves(path), _START_TIMEOUT):
        reason = f"no answer at {path} within {_START_TIMEOUT:.0f} s"
        raise HostError("start", f"{PROGRAM} {name}", reason)


def await_end(path: Path) -> None:
    """Wait until the process whose device was deleted is gone; remove what it leaves.

    Raises:
        HostError: it still answers after a bounded time.

    """
    if not _await(lambda: not answers(path), _END_TIMEOUT):
        # It watches its socket's file, and ends when that goes.
        path.unlink(missing_ok=True)
        raise HostError("end", f"process at {path}", f"it still answers after {_END_TIMEOUT:.0f} s")
    path.unlink(missing_ok=True)


def connect(path: Path, timeout: float) -> socket.socket:
    """Connect to a process. Raises ``OSError``; the socket is closed then."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        connection.settimeout(timeout)
        connection.connect(str(path))
        stack.pop_all()
        return connection


def answers(path: Path) -> bool:
    """Whether a process listens at this socket."""
    try:
        connect(path, 1.0).close()
    except OSError:
        return False
    return True


def _serves(path: Path) -> bool:
    """Whether the process answers a request, which is more than to be connected to.

    The socket listens before the process has gone into the background. There wireguard-go gives
    the device its own MTU once more (``tun.CreateTUNFromFile``), and only then serves: whoever
    set an MTU of theirs in between would lose it.
    """
    try:
        with connect(path, 1.0) as connection:
            connection.sendall(b"get=1\n\n")
            return bool(connection.recv(1))
    except OSError:
        return False


def _await(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _last_words(output: IO[bytes]) -> str:
    output.seek(0)
    text = output.read().decode(errors="replace").strip()
    return " ".join(text.split())[-_OUTPUT_SHOWN:] or "no output"
