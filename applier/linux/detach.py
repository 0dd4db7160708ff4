"""A function to a process of its own that no terminal, session or service takes along.

A double fork, as daemon(7) describes for those of old: the second process leads no session, so
that it never gets a controlling terminal, and its parent has ended, so that nobody waits for it. It
keeps the memory that it was forked with, and of the open files only what is named here.
"""

import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from applier.errors import HostError
from applier.linux.programs import find_program

_PATIENCE: Final = 15.0
"""Seconds in which the process must be ready."""
_LOG_LIMIT: Final = 64 * 1024
"""Bytes above which a log is begun anew."""
_READY: Final = b"ready"
_LONGEST: Final = 1024
"""Bytes of what it says when it does not get ready. A pipe takes them whole (``pipe(7)``)."""
_SYSTEMD: Final = Path("/run/systemd/system")
"""There if systemd runs the machine (``sd_booted(3)``)."""
_SCOPE_PATIENCE: Final = 5.0
_NAME_LIMIT: Final = 15
"""Bytes that the kernel keeps of a process's name (``proc(5)``)."""

_IGNORED: Final = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE),
    *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGALRM),
    *(signal.SIGUSR1, signal.SIGUSR2),
)


class Detached:
    """What the process is given that was detached."""

    def __init__(self, ready: int, origin: int) -> None:
        self._ready = ready
        self._origin = origin
        self._has_told = False
        self._dismissed = False
        signal.signal(signal.SIGTERM, self._dismiss)

    def tell_ready(self) -> None:
        """Let whoever detached this go on."""
        self.tell(_READY)

    def tell(self, word: bytes) -> None:
        """Say the first word to whoever detached this, who listens to no second one."""
        if self._has_told:
            return
        self._has_told = True  # before the number may become another file's
        os.write(self._ready, word)
        os.close(self._ready)

    def is_dismissed(self) -> bool:
        """Whether SIGTERM came: a shutdown, or the end of a session that takes all along."""
        return self._dismissed

    def runs(self) -> bool:
        """Whether the process that detached this has not ended (``pidfd_open(2)``)."""
        return not select.select([self._origin], [], [], 0)[0]

    def kill(self) -> None:
        """End that process. A pidfd means no other one, even if its number was given again."""
        try:
            signal.pidfd_send_signal(self._origin, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _dismiss(self, *_: object) -> None:
        self._dismissed = True


def detach(work: Callable[[Detached], object], name: str, log: Path) -> None:
    """Run a function in a detached process; return once it has said that it is ready.

    What it prints, and how it failed, is in the log. Call this from a process of one thread.

    Raises:
        HostError: it did not get ready.

    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    origin = os.pidfd_open(os.getpid())
    try:
        child = os.fork()
        if child == 0:
            _run_detached(work, name, log, writer, origin)
        os.close(writer)
        with suppress(ChildProcessError):  # where SIGCHLD is ignored it leaves nothing (wait(2))
            os.waitpid(child, 0)
        said = _hear(reader)
        if said != _READY:
            reason = said.decode(errors="replace") or f"it did not get ready: see {log}"
            raise HostError("start", name, reason)
    finally:
        os.close(reader)
        os.close(origin)


def _hear(reader: int) -> bytes:
    """Wait for what the process says first; empty when it says nothing."""
    readable = select.select([reader], [], [], _PATIENCE)[0]
    return os.read(reader, _LONGEST) if readable else b""


def _run_detached(
    work: Callable[[Detached], object], name: str, log: Path, ready: int, origin: int
) -> NoReturn:
    """Never return: what the stack below holds, such as a lock, belongs to the first process."""
    code = 70
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _cut_ties({ready, origin}, log)
        _take_name(name)
        detached = Detached(ready, origin)
        _leave_service(name)
        code = _work(work, detached)
    except BaseException:  # noqa: BLE001 - nobody is above
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # whatever the log does not take
            os._exit(code)


def _work(work: Callable[[Detached], object], detached: Detached) -> int:
    """Do what is to be done. What hinders it on the host is told as a sentence."""
    try:
        work(detached)
    except HostError as error:
        print(error, flush=True)  # noqa: T201 - standard output is the log
        detached.tell(str(error).encode(errors="replace")[:_LONGEST])
        return 70
    return 0


def _cut_ties(kept: set[int], log: Path) -> None:
    """Give up the files, the folder and the signals of whoever started this.

    Inherited files are covered rather than closed: Python objects in this memory know them by
    number, and would one day close another one's. Locks go with the last copy (``flock(2)``).
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - numbers, not paths
        if descriptor not in kept | {nothing}:
            _cover(descriptor, nothing)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    if os.fstat(output).st_size > _LOG_LIMIT:
        os.ftruncate(output, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir("/")
    os.umask(0o077)


def _cover(descriptor: int, nothing: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        return  # the one that listed the folder
    os.dup2(nothing, descriptor, inheritable=descriptor <= 2)  # noqa: PLR2004 - standard streams


def _take_name(name: str) -> None:
    """Be no second apply, to those who look for who holds a lock or what there is to kill."""
    sys.argv = [name]
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name[:_NAME_LIMIT], encoding="utf-8")


def _leave_service(name: str) -> None:
    """Have systemd take this process into a scope of its own.

    At the end of a service, and with ``KillUserProcesses=yes`` of a login session, systemd ends
    all processes of its control group (``systemd.kill(5)``, ``logind.conf(5)``): a session of ours
    is no help there.
    """
    if not _SYSTEMD.is_dir():
        return
    scope = f"{name}-{os.getpid()}.scope"
    try:
        said = _adopt(scope)
    except (OSError, subprocess.TimeoutExpired) as error:
        said = str(error)
    if said or not _is_within(scope):
        print(f"stays in the control group of its session: {said or 'no answer'}", flush=True)  # noqa: T201 - standard output is the log


def _adopt(scope: str) -> str:
    """Ask systemd for a scope around this process; return its complaint."""
    program = find_program("busctl")
    if program is None:
        return "busctl is not installed"
    manager = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
    done = subprocess.run(  # noqa: S603 - a program from PATH, no shell, words of ours
        [
            *(program, "--system", "call", *manager, "org.freedesktop.systemd1.Manager"),
            *("StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail", "2"),
            *("PIDs", "au", "1", str(os.getpid())),
            *("Description", "s", "Wormhole watchdog over an unconfirmed change", "0"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SCOPE_PATIENCE,
        check=False,
    )
    return done.stderr.strip() if done.returncode else ""


def _is_within(scope: str) -> bool:
    """Whether this process came into the scope, which takes systemd a moment."""
    until = time.monotonic() + _SCOPE_PATIENCE
    while time.monotonic() < until:
        if scope in Path("/proc/self/cgroup").read_text(encoding="utf-8"):
            return True
        time.sleep(0.05)
    return False
