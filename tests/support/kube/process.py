"""One program of the control plane: it never outlives the tests, and is killed on demand."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

_END = 5.0
"""Seconds a killed process may take."""


class Program:
    """A program with its log. Start it in the thread that outlives it: the kernel watches that."""

    def __init__(self, command: Sequence[str], log: Path, *, wrapper: Sequence[str] = ()) -> None:
        self._command = [*wrapper, "setpriv", "--pdeathsig", "KILL", *command]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id, as this machine counts. The wrapper executes, it does not fork."""
        if self._process is None:
            raise RuntimeError(f"{self._log.stem} does not run")
        return self._process.pid

    def start(self, *, pass_fds: Sequence[int] = ()) -> None:
        """Run the program; its output is appended to the log."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests alone
                pass_fds=pass_fds,
            )

    @property
    def ended(self) -> bool:
        """Whether the program has ended by itself."""
        return self._process is None or self._process.poll() is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End the program as a power failure would; one that is stopped, too."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=_END)
            self._process = None

    def last_words(self) -> str:
        """Return the end of the log."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
