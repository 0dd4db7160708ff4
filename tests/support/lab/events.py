"""Turn a stretch of time on a host into the netlink and nftables events that happened in it."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from lab.namespace import LabError, Namespace

_COMMANDS: Final = {"ip": ("ip", "monitor", "all"), "nft": ("nft", "monitor")}
_CANARY: Final = "203.0.113.{}"
"""A blackhole route to it, and an nft table named after it: documentation range, ours to use."""
_PATIENCE: Final = 10.0
"""Seconds until a monitor that has not shown our canary is given up."""


class Events:
    """``ip monitor`` and ``nft monitor`` running in a namespace.

    Before and after, an event of our own is made and waited for: so the monitors are proven
    to listen at the start, and to have caught up at the end.
    """

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._files: dict[str, Path] = {}
        self._stack = ExitStack()
        self.seen: tuple[str, ...] = ()
        """What happened in between, a line each; filled when the context is left."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            for name, command in _COMMANDS.items():
                self._files[name] = Path(folder, name)
                output = stack.enter_context(self._files[name].open("wb"))
                stack.callback(self._namespace.spawn(*command, output=output).stop)
            self._await_canary(1)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            self._await_canary(2)
            self.seen = tuple(line for name in self._files for line in self._between(name))

    def _await_canary(self, number: int) -> None:
        """Make our own events until both monitors have shown them."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            address = _CANARY.format(number)
            table = _table_name(number)
            self._namespace.sh(
                f"ip route add blackhole {address}; ip route delete blackhole {address};"
                f"nft add table inet {table}; nft delete table inet {table}"
            )
            time.sleep(0.1)
            if all(self._shows(name, number) for name in self._files):
                time.sleep(0.1)
                return
        raise LabError(f"{self._namespace.name}: a monitor does not show what happens")

    def _shows(self, name: str, number: int) -> bool:
        return any(_is_canary(line, number) for line in self._lines(name))

    def _lines(self, name: str) -> list[str]:
        return self._files[name].read_text(errors="replace").splitlines()

    def _between(self, name: str) -> list[str]:
        lines = self._lines(name)
        first = max(n for n, line in enumerate(lines) if _is_canary(line, 1))
        last = min(n for n, line in enumerate(lines) if _is_canary(line, 2))
        # Each nft transaction ends in a line that numbers it; neighbours come and go by themselves.
        return [
            line
            for line in lines[first + 1 : last]
            if not line.startswith(("# new generation", "[NEIGH]"))
        ]


def _table_name(number: int) -> str:
    return "lab_canary_" + _CANARY.format(number).replace(".", "_")


def _is_canary(line: str, number: int) -> bool:
    return _CANARY.format(number) in line.split() or _table_name(number) in line.split()
