"""Turn one long-lived process into a private machine: own network, mounts and process ids.

The process holds the namespaces open for as long as its standard input stays open. The kernel
closes that pipe when this process ends, however it ends; the process that held them is the
first of its process namespace, so everything that ran inside ends with it.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, AnyStr, Final, Self

_SHADOWED: Final = ("etc", "var/lib")
"""Folders whose writes stay inside: a tmpfs lies over them, what was there shows through."""

_EMPTIED: Final = ("/var/lib/wormhole", "/var/lib/cni", "/etc/cni/net.d", "/etc/wireguard")

# With the signal ignored the kernel reaps orphans itself, which `cat` as process 1 would not.
_HOLD: Final = """
set -eu
mount -t tmpfs -o mode=755 tmpfs /mnt
for folder in {shadowed}; do
  mkdir -p /mnt/$folder/upper /mnt/$folder/work
  mount -t overlay -o lowerdir=/$folder,upperdir=/mnt/$folder/upper,workdir=/mnt/$folder/work \
    overlay /$folder
done
umount -l /mnt
mount -t tmpfs -o mode=755 tmpfs /run
mount -t sysfs sysfs /sys
rm -rf {emptied}
mkdir -p {emptied} /run/netns
ip link set lo up
echo ready
exec env --ignore-signal=CHLD cat
"""


class LabError(Exception):
    """The laboratory itself failed, not what is tested in it."""


class Namespace:
    """A private machine. Commands run in it; nothing they do reaches the machine around it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.environment: dict[str, str] = {}
        """Added to the environment of every command."""
        self.folder = "/"
        """Where every command runs."""
        self._stack = ExitStack()
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        script = _HOLD.format(shadowed=" ".join(_SHADOWED), emptied=" ".join(_EMPTIED))
        self._holder = subprocess.Popen(
            [
                *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                *("--mount-proc", "--propagation", "private", "sh", "-c", script),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to handle, in order
        )
        said = _pipe(self._holder.stdout).readline()
        if said != "ready\n":
            self.close()
            raise LabError(f"namespace {self.name}: {said.strip() or 'could not be made'}")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def release(self) -> None:
        """Let every process inside be ended, without waiting for it."""
        self._stack.close()
        if self._holder is not None:
            _pipe(self._holder.stdin).close()

    def close(self) -> None:
        """End every process inside, and with them the namespaces."""
        self.release()
        if self._holder is None:
            return
        try:
            self._holder.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._holder.kill()
            self._holder.wait(timeout=10)
        _pipe(self._holder.stdout).close()
        self._holder = None

    @property
    def pid(self) -> int:
        """The process that stands for the namespaces, as the machine around counts."""
        if self._holder is None:
            raise LabError(f"namespace {self.name} is not open")
        return self._holder.pid

    def run(
        self,
        *command: str,
        check: bool = True,
        stdin: str = "",
        timeout: float = 60,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end; ``timeout`` is in seconds.

        Raises:
            LabError: it failed, and ``check`` asks that it should not.

        """
        bounded = ("timeout", "--kill-after=2", str(timeout), *command)
        done = subprocess.run(
            [*self._enter(environment), *bounded],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout + 5,
            check=False,
        )
        if check and done.returncode:
            raise LabError(
                f"{self.name}: {shlex.join(command)}: exit {done.returncode}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done

    def run_outside_pids(self, *command: str) -> None:
        """Run a command in this network, but with the machine's process ids.

        ``ip link add … netns PID`` looks the id up where it runs.
        """
        entered = ["nsenter", f"--net=/proc/{self.pid}/ns/net", *command]
        done = subprocess.run(entered, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            raise LabError(f"{self.name}: {shlex.join(command)}: {done.stderr.strip()}")

    def sh(self, script: str, *, check: bool = True, timeout: float = 60) -> str:
        """Run a shell script inside; return what it wrote to its standard output."""
        return self.run("sh", "-euc", script, check=check, timeout=timeout).stdout

    def settle(self) -> None:
        """Wait until no address is tentative, and no bridge's carrier unknown, any more.

        A bridge can look for IPv6 neighbours only from an address known to be unique, and begins
        to find out when its first port comes: one to two seconds (RFC 4862, 5.4). That a bridge
        has no ports and so no carrier the kernel tells a second late (``net/core/link_watch.c``).
        """
        self.sh(
            "unsettled() { ip -6 address show tentative | grep -q inet6"
            " || ip -brief link show up type bridge | grep -qw UNKNOWN; };"
            " for n in $(seq 50); do unsettled || exit 0; sleep 0.1; done"
        )

    def ip(self, *lines: str) -> None:
        """Run ``ip`` commands inside, as one batch that stops at the first failure."""
        self.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    def spawn(
        self,
        *command: str,
        output: IO[bytes] | int = subprocess.PIPE,
        errors: IO[bytes] | int = subprocess.PIPE,
    ) -> "Process":
        """Start a command inside; it ends with the namespace at the latest."""
        # nsenter passes no signals on, so the command asks to get its own when nsenter dies.
        process = Process(
            subprocess.Popen(
                [*self._enter(None), "setpriv", "--pdeathsig", "INT", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        )
        self._stack.callback(process.stop)
        return process

    def _enter(self, environment: Mapping[str, str] | None) -> list[str]:
        given = {**self.environment, **(environment or {})}
        return [
            # The holder's parent stands outside the process namespace that it made.
            *("nsenter", f"--target={self.pid}", "--net", "--mount"),
            f"--pid=/proc/{self.pid}/ns/pid_for_children",
            *("env", f"--chdir={self.folder}", *(f"{key}={value}" for key, value in given.items())),
        ]


class Process:
    """A command running inside a namespace."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._said: tuple[str, str] | None = None

    @property
    def stderr(self) -> IO[bytes]:
        """The running command's standard error."""
        return _pipe(self._process.stderr)

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet."""
        return self._process.poll() is None

    @property
    def inner_pid(self) -> int:
        """The command's own process id, as the machine around counts; 0 when it has ended.

        Ours is the one that entered the namespace for it, and waits.
        """
        entered = self._process.pid
        try:
            children = Path(f"/proc/{entered}/task/{entered}/children").read_text(encoding="ascii")
        except FileNotFoundError:
            return 0
        return int((children.split() or ["0"])[0])

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, if it has not ended."""
        if pid := self.inner_pid:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def wait(self, timeout: float) -> tuple[str, str]:
        """Wait for the end of the command; return its standard output and error."""
        if self._said is None:
            out, err = self._process.communicate(timeout=timeout)
            self._said = ((out or b"").decode(), (err or b"").decode())
        return self._said

    def stop(self) -> tuple[str, str]:
        """Interrupt the command as Ctrl-C would; return its standard output and error."""
        if self._said is None:
            self._process.send_signal(signal.SIGKILL)
        return self.wait(timeout=10)


def _pipe(stream: IO[AnyStr] | None) -> IO[AnyStr]:
    if stream is None:
        raise LabError("a pipe that was asked for is not there")
    return stream
