"""The agent's parts, put together, run until somebody says stop, and taken apart again."""

import gc
import logging
import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import Final, Protocol

from applier.keys import create_key
from applier.linux.files import Files
from applier.paths import Paths
from schemas.marks import is_guard
from schemas.state import Value
from wormhole import __version__, thishost
from wormhole.agent.clusterparts import ClusterParts
from wormhole.agent.desired import Cause, Source
from wormhole.agent.logs.log import Format, set_up_log
from wormhole.agent.logs.turnlog import TurnLog
from wormhole.agent.pages.health import Health
from wormhole.agent.pages.listener import Listener
from wormhole.agent.pages.metrics import Metrics
from wormhole.agent.pages.web import make_health_page
from wormhole.agent.sources.foldersource import FolderSource
from wormhole.agent.sources.watchers import FileWatcher, KernelWatcher, Timer
from wormhole.agent.turns.loop import Loop
from wormhole.agent.turns.pace import Fights, Pace
from wormhole.agent.turns.taker import Facts, TurnTaker
from wormhole.agent.turns.turn import SourceKind, Turn
from wormhole.exit import Exit

_SHOWN_CULPRITS: Final = 3
_PATIENCE: Final = 30.0
"""Seconds in which the agent before this one must have ended: as long as its pod's grace."""


class Options(Value, frozen=True, kw_only=True):
    """What the command line says, parsed."""

    state: Path | None
    """The state folder; None: the cluster."""
    node: str
    listen: str
    """Empty: no server."""
    log_format: Format
    endpoint: str | None
    kubeconfig: Path | None
    namespace: str
    paths: Paths


class _Part(Protocol):
    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


def run_agent(options: Options) -> int:
    """Run until SIGTERM or SIGINT; the network stays as it is.

    Raises:
        Problems: an option makes no sense, or the host's key file does not.
        AgentRuns: another agent keeps this host.
        ApiError: there are no credentials for the API.

    """
    logger = set_up_log(options.log_format)
    with thishost.hold_agent_lock(options.paths, _PATIENCE, partial(_say_waiting, logger)):
        create_key(Files(), options.paths)
        agent = _Agent(options, logger)
        logger.info("started", extra={"fields": _introduce(options)})
        with collecting_garbage(), stopping_on_signals(agent.loop.stop), agent.running():
            agent.loop.run()
        logger.info("ended: the network stays as it is")
    return Exit.OK


class _Agent:
    """Who knows whom. Everything else is in the parts."""

    def __init__(self, options: Options, logger: logging.Logger) -> None:
        chance = random.SystemRandom().random
        self._options = options
        self._logger = logger
        self._health = Health()
        self._metrics = Metrics(__version__)
        self._fights = Fights()
        self._kernel = KernelWatcher(self._wake)
        self._files = FileWatcher(_files_of(options.paths), self._wake)
        self._cluster = self._join_cluster(chance) if options.state is None else None
        self._source: Source = (
            self._cluster.source if self._cluster else _open_folder(options.state, options.node)
        )
        self.loop = Loop(
            self._build_taker("cluster" if self._cluster else "folder"),
            Pace(chance),
            self._list_observers(),
            self._health.beat,
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the threads run while the context lasts."""
        with ExitStack() as stack:
            for part in self._list_parts():
                part.start()
                stack.callback(part.stop)
            self._source.start(self._wake)
            stack.callback(self._source.stop)
            yield

    def _list_parts(self) -> Sequence[_Part]:
        parts: list[_Part] = [self._kernel, self._files, Timer(self._wake)]
        if self._options.listen:
            pages = {
                "/metrics": self._metrics.make_page,
                "/healthz": make_health_page(self._health.find_illness),
                "/readyz": make_health_page(self._health.find_hindrance),
            }
            parts.append(Listener(self._options.listen, pages))
        if self._cluster:
            parts.append(self._cluster)
        return parts

    def _list_observers(self) -> Sequence[Callable[[Turn], None]]:
        observers = [
            TurnLog(self._logger).observe,
            self._metrics.observe,
            self._health.observe,
            self._attend,
        ]
        return [*observers, self._cluster.take] if self._cluster else observers

    def _build_taker(self, kind: SourceKind) -> TurnTaker:
        return TurnTaker(
            self._options.node,
            self._source,
            source_kind=kind,
            paths=self._options.paths,
            fights=self._fights,
            tell_fight=self._tell_fight,
            tell_api=self._tell_api,
        )

    def _join_cluster(self, chance: Callable[[], float]) -> ClusterParts:
        options = self._options
        return ClusterParts(
            node=options.node,
            endpoint=options.endpoint or "",
            kubeconfig=options.kubeconfig,
            namespace=options.namespace,
            paths=options.paths,
            wake=self._wake,
            count_error=self._metrics.count_api_error,
            chance=chance,
        )

    def _wake(self, cause: Cause) -> None:
        self.loop.wake(cause)

    def _attend(self, turn: Turn) -> None:
        """Let the watchers look at what this host's documents name."""
        if turn.resolved is None:
            return
        host = turn.resolved.host
        names = (host.wireguard.interface, host.bridge.interface)
        guarded = [route.destination for route in host.routes if is_guard(route.metric)]
        self._kernel.concern(names, guarded)
        paths = self._options.paths
        cni = host.cni.file_name
        self._files.follow((*_files_of(paths), paths.cni / cni, paths.configuration(cni)))

    def _tell_fight(self, now: float) -> str:
        """Say what somebody keeps undoing, and who, as far as the kernel tells.

        Without a count: the same words as long as it is the same fight, so that it is told once.
        """
        return "; ".join(
            f"{fight.kind} {fight.key} is changed back again and again"
            + _name_culprits(self._kernel.culprits(fight.key))
            for fight in self._fights.current(now)
        )

    def _tell_api(self) -> Facts:
        return self._cluster.tell() if self._cluster else {}


def _say_waiting(logger: logging.Logger, error: str) -> None:
    logger.warning("waiting for the agent that is still here to end: %s", error)


def _name_culprits(culprits: Sequence[str]) -> str:
    return f" by {', '.join(culprits[:_SHOWN_CULPRITS])}" if culprits else ""


def _files_of(paths: Paths) -> tuple[Path, ...]:
    return (paths.private_key, paths.masters, paths.pending, paths.reverted)


def _open_folder(state: Path | None, node: str) -> FolderSource:
    if state is None:
        raise AssertionError("without a folder the source is the cluster")
    return FolderSource(state, node)


def _introduce(options: Options) -> tuple[tuple[str, str], ...]:
    return (
        ("version", __version__),
        ("node", options.node),
        ("from", str(options.state) if options.state else "cluster"),
        ("listen", options.listen or "none"),
    )


@contextmanager
def collecting_garbage() -> Iterator[None]:
    """Run the cyclic garbage collector, which the command line stops for commands that soon end.

    What is imported by now stays for good, so it is not walked at every collection.
    """
    was_on = gc.isenabled()
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.unfreeze()
        if not was_on:
            gc.disable()


@contextmanager
def stopping_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """End the loop on SIGTERM, as a pod is ended, and on Ctrl-C.

    Handlers interrupt the loop's own thread, perhaps when it is about to sleep and would not hear:
    so another thread stops it. Of all queues only this kind may be used in a handler.
    """
    caught = SimpleQueue[int]()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        caught.put(number)

    def wait() -> None:
        while caught.get():
            stop()

    threading.Thread(target=wait, name="wormhole-signals", daemon=True).start()
    before = {each: signal.signal(each, handle) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        caught.put(0)
