"""Turn a collection of the API into an up-to-date copy of what is read of it.

A thread lists and then watches, for as long as the process lives. The copy is only ever replaced
by a complete list and changed by events that follow on it: an error leaves it as it is.

The protocol is "Efficient detection of changes" in the Kubernetes API concepts.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from wormhole.backoff import double
from wormhole.cluster.api import Api, Object
from wormhole.cluster.content import Content, Keep, Snapshot, Vanished
from wormhole.cluster.errors import ApiError
from wormhole.cluster.refusal import UNREADABLE

__all__ = ["Reflector", "Snapshot", "Vanished"]

WATCH: Final = (240.0, 300.0)
"""Seconds after which the server is asked to end a stream; at random, so that they spread.

Bookmarks are no sign of life: while nothing happens in a collection there is none, since a watch
is told only of versions above the one it began at (``cacheWatcher.process``). A server that died
is found by TCP's keepalive; one that hangs, when it does not end the stream.
"""
SILENCE: Final = 10.0
"""Seconds a stream may be overdue."""
_PAGE: Final = "500"
_HEALTHY: Final = 5.0
"""Seconds a stream must have lived so that the next one may follow at once."""
_LONGEST_PAUSE: Final = 30.0
_SHORTEST_PAUSE: Final = 0.05
_HURRY: Final = 10.0
"""Seconds between two calls to hurry that are heard."""


class Reflector:
    """A copy of one collection, kept by a thread of its own.

    ``keep`` says what is kept of an object; ``on_change`` is called in the reflector's thread
    after the first complete list, and whenever what is kept of an object changed; ``on_error`` with
    every error; ``on_return`` when a stream opens after one. All must be quick.
    ``field_selector`` is the API's, such as ``metadata.name=wormhole-psk``; ``name`` is what the
    thread is called.
    """

    def __init__(  # noqa: PLR0913 - clock, sleep and dice are the tests'
        self,
        api: Api,
        path: str,
        *,
        keep: Keep,
        on_change: Callable[[], None],
        on_error: Callable[[ApiError], None] = lambda _error: None,
        on_return: Callable[[], None] = lambda: None,
        field_selector: str = "",
        name: str = "",
        watch: tuple[float, float] = WATCH,
        silence: float = SILENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        dice: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.path = path
        self.last_error: ApiError | None = None
        """Why the last attempt failed; None while a stream is open."""
        self.connected_at: float | None = None
        """When the open stream began, on the monotonic clock; None while there is none."""
        self._api = api
        self._selection = {"fieldSelector": field_selector} if field_selector else {}
        self._content = Content(keep, clock)
        self._on_change = on_change
        self._on_error = on_error
        self._on_return = on_return
        self._watch_for = watch
        self._silence = silence
        self._clock = clock
        self._dice = dice
        self._stopping = threading.Event()
        self._hurried = threading.Event()
        self._hurried_at = -_HURRY
        self._sleep = sleep or self._hurried.wait
        self._version = ""
        """Where to go on watching; empty when a list is needed."""
        self._failures = 0
        name = name or f"watch {path.rpartition('/')[2]}"
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end, without waiting for it.

        One that waits for the server's next word ends with it, or when the connection is closed.
        """
        self._stopping.set()
        self._hurried.set()

    def hurry(self) -> None:
        """Try again at once if this waits to: somebody else has just reached the server.

        From any thread. Heard at most every :data:`_HURRY` seconds, or a server that lets in and
        throws out would have those that watch it chase each other.
        """
        now = self._clock()
        if now - self._hurried_at >= _HURRY:
            self._hurried_at = now
            self._hurried.set()

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end, at most ``timeout`` seconds; return whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def snapshot(self) -> Snapshot:
        """Return what the collection holds as far as it is known. From any thread."""
        return self._content.snapshot()

    def run(self) -> None:
        """Follow the collection until :meth:`stop`. Whatever goes wrong, the copy stays."""
        while not self._stopping.is_set():
            ended_well = self._attempt()
            begun, self.connected_at = self.connected_at, None
            if begun is not None and self._clock() - begun >= _HEALTHY:
                self._failures = 0
                if ended_well:
                    continue
            self._pause()

    def _attempt(self) -> bool:
        try:
            self.follow()
        except ApiError as error:
            self._note(error)
        except Exception as error:  # noqa: BLE001 - a bug must not leave a host blind
            self._note(ApiError(f"WATCH {self.path}", 0, "Bug", type(error).__name__))
        else:
            return True
        return False

    def follow(self) -> None:
        """List if that is needed, then watch until the server ends the stream.

        Raises:
            ApiError: it did not come to an end in good order.

        """
        if self.last_error is not None and self._version:
            self._check_history()
        if not self._version:
            self._list()
        seconds = max(1, round(self._dice(*self._watch_for)))
        query = self._selection | {
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        try:
            with self._api.watch(self.path, query, silence=seconds + self._silence) as events:
                back, self.last_error = self.last_error is not None, None
                self.connected_at = self._clock()
                if back:
                    self._on_return()
                for event in events:
                    self._take(event)
        except ApiError as error:
            if error.gone or error.reason == UNREADABLE:
                self._version = ""
            raise

    def _check_history(self) -> None:
        """Look whether the store is still where it was: one restored from a backup is not.

        A watch from a version that is yet to come is not refused; what happens until then is not
        told. Versions that are no numbers cannot be compared, and are left alone.
        """
        page = self._api.get(self.path, self._selection | {"limit": "1"})
        now = _version_of(page)
        if now.isdecimal() and self._version.isdecimal() and int(now) < int(self._version):
            self._version = ""

    def _list(self) -> None:
        objects: dict[str, Object] = {}
        version = ""
        for page in self._pages():
            version = version or _version_of(page)
            objects |= self._keep_all(page)
        if not version:
            raise self._unreadable("a list without a version")
        if self._content.replace(objects):
            self._on_change()
        self._version = version

    def _pages(self) -> Iterator[Object]:
        query = self._selection | {"limit": _PAGE}
        seen: set[str] = set()
        while True:
            page = self._api.get(self.path, query)
            items = page.get("items", ())
            if not isinstance(page.get("metadata"), dict) or not isinstance(items, list | None):
                raise self._unreadable("the answer is no list")
            yield page
            following = page["metadata"].get("continue") or ""
            if not following:
                return
            if following in seen:
                raise self._unreadable("a list that goes in circles")
            seen.add(following)
            query = query | {"continue": following}

    def _keep_all(self, page: Object) -> dict[str, Object]:
        try:
            return self._content.keep(page["items"] or ())  # an empty list may be null in Go
        except ValueError as error:
            raise self._unreadable(str(error)) from None

    def _take(self, event: Object) -> None:
        found, kind = event["object"], event.get("type")
        try:
            version = _version_of(found)
            changed = (kind in {"ADDED", "MODIFIED"} and self._content.put(found)) or (
                kind == "DELETED" and self._content.remove(found)
            )
        except ValueError as error:
            raise self._unreadable(str(error)) from None
        self._version = version or self._version
        if changed:
            self._on_change()

    def _note(self, error: ApiError) -> None:
        if self._stopping.is_set():
            return
        self.last_error = error
        self._on_error(error)

    def _pause(self) -> None:
        """Wait before the next attempt: at random, so that a returning server is not overrun."""
        self._failures += 1
        longest = double(self._failures, first=1.0, longest=_LONGEST_PAUSE)
        self._sleep(max(_SHORTEST_PAUSE, self._dice(0.0, longest)))
        self._hurried.clear()

    def _unreadable(self, why: str) -> ApiError:
        return ApiError(f"WATCH {self.path}", 0, UNREADABLE, why)


def _version_of(document: Object) -> str:
    metadata = document.get("metadata")
    found = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""
