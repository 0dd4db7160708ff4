"""Changes of the kernel, of files, and of the time of day to wake-ups of the loop."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from applier.linux.attention import Event, EventKind
from applier.linux.watch import KernelWatch
from wormhole.agent.desired import Cause, Wake
from wormhole.agent.sources.fingerprint import Fingerprint, look_at
from wormhole.backoff import double

_LOG: Final = logging.getLogger("wormhole.agent")

PERIOD: Final = 60.0
"""Seconds between turns that nothing else calls for."""
JITTER: Final = 0.1
"""The share by which a period may be shorter or longer, so that hosts do not march in step."""
GLANCE: Final = 1.0
"""Seconds between two looks at files; also how soon a watcher notices that it is to end."""
_REMEMBERED: Final = 256
"""Events of the kernel that are kept."""
_RETRY_FIRST, _RETRY_LONGEST = 1.0, 60.0


class Watcher:
    """A thread that watches until it is stopped, whatever happens to what it watches."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch. The process does not wait for the thread when it ends."""
        self._thread = threading.Thread(target=self.run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, in a few seconds at most."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5 * GLANCE)

    def run(self) -> None:
        """Watch; after an error, which is logged, begin again: each time later."""
        failures = 0
        while not self._stopping.is_set():
            begin = time.monotonic()
            try:
                self.watch()
            except Exception as error:  # noqa: BLE001 - a dead watcher would be missed by nobody
                lasted = time.monotonic() - begin
                failures = 1 if lasted > _RETRY_LONGEST else failures + 1
                pause = double(failures, first=_RETRY_FIRST, longest=_RETRY_LONGEST)
                _LOG.warning("%s: %s; trying again in %.0f s", self._name, _say(error), pause)
                self.pause(pause)

    def watch(self) -> None:
        """Watch until stopped; may raise anything."""
        raise NotImplementedError

    def pause(self, seconds: float) -> bool:
        """Wait; return whether to go on."""
        return not self._stopping.wait(seconds)


class Timer(Watcher):
    """Calls for a turn once a period: what nobody tells of is found then."""

    def __init__(
        self,
        wake: Wake,
        *,
        period: float = PERIOD,
        chance: Callable[[], float] | None = None,
    ) -> None:
        """Take ``chance``, which returns a random number from 0 to 1; else the system's is used.

        That one is not the same on hosts which began from one image.
        """
        super().__init__("timer")
        self._wake = wake
        self._period = period
        self._chance = chance or random.SystemRandom().random

    def watch(self) -> None:
        """Wake the loop once a period."""
        while self.pause(self._period * (1 - JITTER + 2 * JITTER * self._chance())):
            self._wake(Cause.TIMER)


class FileWatcher(Watcher):
    """Looks at a few files once a second.

    Looking costs some microseconds. ``inotify`` would have to follow every folder that a symbolic
    link on the way passes through, and sees nothing of what another machine does over NFS.
    """

    def __init__(self, paths: Sequence[Path], wake: Wake, *, period: float = GLANCE) -> None:
        """Take files, and folders whose files are meant."""
        super().__init__("file watcher")
        self._wake = wake
        self._period = period
        self._guard = threading.Lock()
        self._seen = _look_at_each(paths)

    def follow(self, paths: Sequence[Path]) -> None:
        """Look at these from now on; from any thread. New ones are taken as they are now."""
        with self._guard:
            known = {path: self._seen[path] for path in paths if path in self._seen}
            added = [path for path in paths if path not in known]
            self._seen = known | _look_at_each(added)

    def watch(self) -> None:
        """Wake the loop when a file is not what it was."""
        while self.pause(self._period):
            if self._has_changed():
                self._wake(Cause.FILE)

    def _has_changed(self) -> bool:
        with self._guard:
            seen = _look_at_each(self._seen)
            changed = seen != self._seen
            self._seen = seen
        return changed


class Sighting(NamedTuple):
    """An event, and when it was heard of."""

    at: float
    """Seconds of the monotonic clock."""
    event: Event


class Watch(Protocol):
    """What :class:`~applier.linux.watch.KernelWatch` can do."""

    def concern(self, names: Collection[str], overlays: Collection[str]) -> None:
        """Say what is ours."""

    def wait(self, timeout: float) -> tuple[Event, ...]:
        """Return what happened to it."""


class KernelWatcher(Watcher):
    """Calls for a turn when something of ours changes in the kernel, and remembers who did it."""

    def __init__(
        self,
        wake: Wake,
        *,
        open_watch: Callable[[], AbstractContextManager[Watch]] = KernelWatch,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("kernel watcher")
        self._wake = wake
        self._open_watch = open_watch
        self._monotonic = monotonic
        self._concern: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
        self._sightings: deque[Sighting] = deque(maxlen=_REMEMBERED)
        self._live: Watch | None = None
        self._guard = threading.Lock()
        self._was_deaf = False

    def concern(self, names: Collection[str], overlays: Collection[str]) -> None:
        """Say which links' names are ours, and which prefixes our routes are for; any thread."""
        with self._guard:
            self._concern = (tuple(names), tuple(overlays))
            if self._live is not None:
                self._live.concern(*self._concern)

    def recent(self) -> tuple[Sighting, ...]:
        """Return the last few events, oldest first; from any thread."""
        with self._guard:
            return tuple(self._sightings)

    def culprits(self, key: str, since: float = float("-inf")) -> tuple[str, ...]:
        """Say who changed an object, by its key in a plan: by name, so that it is told once.

        Such as ``NetworkManager (process 812)``, or only ``ip`` when it was another process each
        time. One that ended before it could be looked up is told of only when nobody else is
        known. Nobody, where the kernel does not tell, as with links; see
        :class:`~applier.linux.attention.Event`.
        """
        ports: dict[str, set[int]] = {}
        for at, event in self.recent():
            if event.what == key and event.port and at >= since:
                ports.setdefault(event.who, set()).add(event.port)
        named = sorted(filter(None, ports))
        return tuple(_call(who, ports[who]) for who in named or ports)

    def watch(self) -> None:
        """Wake the loop after each change of what is ours."""
        with self._open_watch() as live:
            try:
                self._attach(live)
                self._listen(live)
            finally:
                self._attach(None)

    def _listen(self, live: Watch) -> None:
        if self._was_deaf:
            self._wake(Cause.KERNEL)
        self._was_deaf = True  # until it is listened again, should this end
        while not self._stopping.is_set():
            events = live.wait(GLANCE)
            if not events:
                continue
            now = self._monotonic()
            with self._guard:
                self._sightings.extend(Sighting(now, event) for event in events)
            if any(event.kind is EventKind.LOST for event in events):
                _LOG.debug("events of the kernel were lost: looking at everything")
            self._wake(Cause.KERNEL)

    def _attach(self, live: Watch | None) -> None:
        with self._guard:
            self._live = live
            if live is not None:
                live.concern(*self._concern)


def _call(who: str, ports: Collection[int]) -> str:
    if not who:
        return "a process that could not be looked up"
    return f"{who} (process {next(iter(ports))})" if len(ports) == 1 else who


def _look_at_each(paths: Iterable[Path]) -> dict[Path, Fingerprint]:
    return {path: look_at((path,)) for path in paths}


def _say(error: Exception) -> str:
    return str(error) or type(error).__name__
