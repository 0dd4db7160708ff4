"""Everything that an agent writes to the API, in a thread of its own.

The loop must be able to mend the host while the API server does not answer, so it never waits for
it. It leaves word here, and this thread does the errands: each in its own time, each failing alone.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from applier.errors import HostError
from schemas.problems import Problems
from wormhole.agent.turns.pace import back_off
from wormhole.cluster.errors import ApiError

_LOG: Final = logging.getLogger("wormhole.agent")


class Errand(Protocol):
    """One kind of thing to do at the API. Called from the clerk's thread only."""

    name: str

    def run(self, now: float) -> None:
        """Do what is to be done, if anything is.

        Raises:
            ApiError, Problems, HostError: it could not be done; it will be tried again.

        """

    def due(self, now: float) -> float | None:
        """Return when there is something to do although nobody pokes; None: never."""


class Clerk:
    """The thread, and what went wrong last in each errand."""

    def __init__(
        self,
        errands: Sequence[Errand],
        *,
        chance: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        """Take ``on_trouble``, which is called when what :meth:`tell_error` says has changed."""
        self._errands = tuple(errands)
        self._chance = chance
        self._monotonic = monotonic
        self._on_trouble = on_trouble
        self._poked = threading.Event()
        self._stopping = threading.Event()
        self._failures: dict[str, int] = {}
        self._retry_at: dict[str, float] = {}
        self._errors: dict[str, str] = {}
        self._thread = threading.Thread(target=self._run, name="wormhole-clerk", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End after the errand that is being done; wait no longer than ``timeout`` seconds."""
        self._stopping.set()
        self._poked.set()
        self._thread.join(timeout)

    def poke(self) -> None:
        """Look through the errands soon. Safe from any thread."""
        self._poked.set()

    def tell_error(self) -> str:
        """Return what goes wrong at the moment; empty while all is well."""
        return "; ".join(self._errors.values())

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._poked.clear()
            self.look_through()
            self._poked.wait(self._until_next())

    def look_through(self) -> None:
        """Do every errand whose time has come."""
        before = dict(self._errors)
        for errand in self._errands:
            if self._stopping.is_set():
                return
            if self._retry_at.get(errand.name, 0.0) <= self._monotonic():
                self._do(errand)
        if before != self._errors:
            self._on_trouble()

    def _do(self, errand: Errand) -> None:
        try:
            errand.run(self._monotonic())
        except (ApiError, Problems, HostError) as error:
            self._fail(errand, str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one errand must not end the others
            _LOG.debug("a bug in errand %s", errand.name, exc_info=error)
            self._fail(errand, f"a bug: {type(error).__name__}: {error}")
        else:
            for kept in (self._failures, self._retry_at, self._errors):
                kept.pop(errand.name, None)

    def _fail(self, errand: Errand, error: str) -> None:
        count = self._failures.get(errand.name, 0) + 1
        self._failures[errand.name] = count
        self._retry_at[errand.name] = self._monotonic() + back_off(count, self._chance())
        self._errors[errand.name] = f"{errand.name}: {error}"

    def _until_next(self) -> float | None:
        """Return the seconds until something is due by itself; None: only a poke helps."""
        now = self._monotonic()
        moments = list(self._retry_at.values())
        for errand in self._errands:
            due = None if errand.name in self._retry_at else errand.due(now)
            if due is not None:
                moments.append(due)
        return max(0.0, min(moments) - now) if moments else None
