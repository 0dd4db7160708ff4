"""Turn complete lists and single events into what a collection holds, and what has left it."""

import threading
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from schemas.state import Value
from wormhole.cluster.api import Object

Keep = Callable[[Object], Object]

_REMEMBERED: Final = 10_000
"""Vanished objects remembered; twice what the largest mesh has."""
_MEMORY: Final = 3600.0
"""Seconds a vanished object is remembered."""


class Vanished(Value, frozen=True, kw_only=True):
    """An object that is no more."""

    object: Object
    """What was kept of it."""
    at: float
    """When it was seen to be gone, on the monotonic clock."""
    witnessed: bool
    """The server said that it was deleted. False: a later list has it no more, whatever that is
    worth: a server restored from an old backup forgets objects without anybody deleting them."""


class Snapshot(Value, frozen=True, kw_only=True):
    """What a collection held at one moment. It does not change any more."""

    objects: Mapping[str, Object]
    """What was kept of each object, by name."""
    synced: bool
    """Whether one complete list has ever been had. False: ``objects`` says nothing."""
    deleted: Mapping[str, Vanished]
    """Objects that are known to have vanished and have not come back, by name."""


class Content:
    """The objects of one collection. One thread changes it; any may take snapshots."""

    def __init__(self, keep: Keep, clock: Callable[[], float]) -> None:
        self._keep = keep
        self._clock = clock
        self._lock = threading.Lock()
        self._objects: dict[str, Object] = {}
        self._vanished: dict[str, Vanished] = {}  # in the order of their times
        self._synced = False
        self._snapshot: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return what there is now; the same value again until something changes."""
        with self._lock:
            if self._forget() or self._snapshot is None:
                self._snapshot = Snapshot(
                    objects=MappingProxyType(dict(self._objects)),
                    synced=self._synced,
                    deleted=MappingProxyType(dict(self._vanished)),
                )
            return self._snapshot

    def keep(self, objects: Iterable[Object]) -> dict[str, Object]:
        """Return what to keep of objects, by name.

        Raises:
            ValueError: one of them has no name, so this is no list of Kubernetes objects.

        """
        return {_name(found): self._keep(found) for found in objects}

    def replace(self, objects: dict[str, Object]) -> bool:
        """Take a complete list, already kept; return whether it is news, as the first always is."""
        with self._lock:
            if self._synced and objects == self._objects:
                return False
            for name in self._objects.keys() - objects.keys():
                self._remember(name, witnessed=False)
            for name in objects.keys() & self._vanished.keys():
                del self._vanished[name]
            self._objects, self._synced, self._snapshot = objects, True, None
            return True

    def put(self, document: Object) -> bool:
        """Take an object that was added or modified; return whether what is kept changed."""
        name, kept = _name(document), self._keep(document)
        with self._lock:
            if self._objects.get(name) == kept:
                return False
            self._objects[name] = kept
            self._vanished.pop(name, None)
            self._snapshot = None
            return True

    def remove(self, document: Object) -> bool:
        """Take note that an object was deleted; return whether it was here."""
        name = _name(document)
        with self._lock:
            if name not in self._objects:
                return False
            self._remember(name, witnessed=True)
            del self._objects[name]
            self._snapshot = None
            return True

    def _remember(self, name: str, *, witnessed: bool) -> None:
        self._vanished.pop(name, None)
        gone = Vanished(object=self._objects[name], at=self._clock(), witnessed=witnessed)
        self._vanished[name] = gone

    def _forget(self) -> bool:
        """Forget what vanished long ago, or is too much; return whether there was any."""
        now, forgotten = self._clock(), False
        while self._vanished:
            oldest = next(iter(self._vanished))
            young = now - self._vanished[oldest].at < _MEMORY
            if young and len(self._vanished) <= _REMEMBERED:
                break
            del self._vanished[oldest]
            forgotten = True
        return forgotten


def _name(document: object) -> str:
    metadata = document.get("metadata") if isinstance(document, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise ValueError("an object without a name")
    return name
