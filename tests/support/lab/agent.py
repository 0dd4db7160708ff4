"""Turn a host into one that runs the node agent, and let the agent die as agents do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from lab.namespace import LabError, Process
from lab.network import LabHost

METRICS: Final = "127.0.0.1:9807"
_READ_PAGES: Final = f"""
import sys, urllib.request
for page in sys.argv[1:]:
    try:
        print(urllib.request.urlopen("http://{METRICS}/" + page, timeout=2).status)
    except OSError as error:
        print(getattr(error, "code", error))
"""


class Agent:
    """``wormhole agent`` on one host. What it says is kept, over all its lives."""

    def __init__(self, host: LabHost, log: Path, *arguments: str) -> None:
        self.host = host
        self.log = log
        self.arguments = arguments
        self.lives = 0
        """How many times it was started."""
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start it; returns at once."""
        if self.running:
            raise LabError(f"{self.host.name}: its agent is running already")
        self.lives += 1
        with self.log.open("ab") as log:
            log.write(f"--- life {self.lives}, {time.strftime('%H:%M:%S')}\n".encode())
            log.flush()
            command = self.host.wormhole_command("agent", *self.arguments)
            self._process = self.host.spawn(*command, output=log, errors=log)

    def stop(self, timeout: float = 15) -> None:
        """Ask it to end, as the kubelet does, and wait until it has."""
        self._end(signal.SIGTERM, timeout)

    def kill(self) -> None:
        """End it as a crash does, in the middle of whatever it does."""
        self._end(signal.SIGKILL, 10)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is None:
            raise LabError(f"{self.host.name}: its agent was never started")
        self._process.send_signal(number)

    def said(self, last: int = 60) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return "(never started)"
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-last:])

    def answers(self, *pages: str) -> list[str]:
        """Return the HTTP status of each of its own pages, or why there is none."""
        script = (sys.executable, "-ISc", _READ_PAGES, *pages)
        return self.host.run(*script, check=False, timeout=15).stdout.splitlines()

    def cpu_seconds(self) -> float:
        """Return how much processor time this life has used, its ended children's included."""
        if self._process is None:
            raise LabError(f"{self.host.name}: its agent does not run")
        fields = Path(f"/proc/{self._process.inner_pid}/stat").read_text().rpartition(")")[2]
        # proc(5): utime, stime, cutime, cstime are fields 14 to 17; field 3 is the first here.
        ticks = sum(map(int, fields.split()[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Return its resident memory."""
        if self._process is None:
            raise LabError(f"{self.host.name}: its agent does not run")
        pages = int(Path(f"/proc/{self._process.inner_pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _end(self, number: signal.Signals, timeout: float) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.stop()
            raise LabError(
                f"{self.host.name}: its agent did not end within {timeout:.0f} s of {number.name}\n"
                f"{self.said()}"
            ) from None
        self._process = None
