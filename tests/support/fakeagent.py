"""A whole agent over a host in memory: the real loop, and the real way to the API."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self

from applier.fake import FakeHost
from applier.host import Host
from applier.keys import create_key, open_vault
from applier.linux.files import Files
from applier.paths import Paths
from applier.vault import Vault
from wormhole.agent.clusterparts import ClusterParts
from wormhole.agent.desired import Cause
from wormhole.agent.logs.turnlog import TurnLog
from wormhole.agent.pages.metrics import Metrics
from wormhole.agent.turns.loop import Loop
from wormhole.agent.turns.pace import Fights, Pace
from wormhole.agent.turns.taker import Doors, TurnTaker
from wormhole.agent.turns.turn import Turn


class Eager(Pace):
    """Takes a turn whenever anything calls for one: what would go in circles goes in fast ones."""

    def due(self) -> float | None:
        return self._first if self._causes else self._retry_at


class FakeAgent:
    """An agent while the context lasts. Its files are real; the host outlives it."""

    def __init__(
        self,
        folder: Path,
        node: str,
        kubeconfig: Path,
        namespace: str,
        host: FakeHost | None = None,
    ) -> None:
        paths = Paths(data=folder / "data", cni=folder / "cni", run=folder / "run")
        self.node = node
        self.public_key = create_key(Files(), paths)
        self._vault, _ = open_vault(Files(), paths)
        self.host = host or FakeHost(self._vault, paths)
        self.turns: list[Turn] = []
        self.lines: list[str] = []
        """What it logged of its turns."""
        self.parts = ClusterParts(
            node=node,
            endpoint="",
            kubeconfig=kubeconfig,
            namespace=namespace,
            paths=paths,
            wake=self._wake,
            count_error=Metrics("0").count_api_error,
            chance=lambda: 0.5,
        )
        taker = TurnTaker(
            node,
            self.parts.source,
            source_kind="cluster",
            paths=paths,
            fights=Fights(),
            tell_fight=lambda _: "",
            tell_api=self.parts.tell,
            doors=Doors(open_host=self._open, hold_lock=lambda _: nullcontext()),
        )
        observers = [TurnLog(self._make_logger()).observe, self.turns.append, self.parts.take]
        self._loop = Loop(taker, Eager(lambda: 0.5), observers, lambda: None)
        self._thread = threading.Thread(target=self._loop.run, name=f"loop of {node}")

    def __enter__(self) -> Self:
        self.parts.start()
        self.parts.source.start(self._loop.wake)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.stop()
        self._thread.join()
        self.parts.source.stop()
        self.parts.stop()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def remind(self) -> None:
        """Take a turn as the timer would."""
        self._loop.wake(Cause.TIMER)

    @contextmanager
    def _open(self, paths: Paths) -> Iterator[tuple[Host, Vault]]:
        """Show the host the files that the clerk keeps on the disk."""
        disk = Files()
        masters = map(paths.master, disk.list_files(paths.masters))
        for path in (paths.private_key, *masters):
            content = disk.read_file(path)
            if content is not None:  # it was being put in place under another name
                self.host.files[path] = (content, 0o600)
        yield self.host, self._vault

    def _wake(self, cause: Cause) -> None:
        self._loop.wake(cause)

    def _make_logger(self) -> logging.Logger:
        logger = logging.getLogger(f"agent of {self.node} {id(self)}")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(_Keep(self.lines))
        return logger


class _Keep(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
