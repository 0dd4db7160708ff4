"""A connection that is made when it is first needed, and tried again while it cannot be.

An agent without credentials is of use all the same: it keeps its host as it was. Whatever brings
the credentials (a kubelet, an operator) may come later than the agent.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from wormhole.cluster.api import Object
from wormhole.cluster.connection import Connection, connect
from wormhole.cluster.errors import ApiError


class PatientConnection:
    """An :class:`~wormhole.cluster.api.Api` that connects in the thread that asks first."""

    def __init__(self, kubeconfig: Path | None, on_error: Callable[[ApiError], None]) -> None:
        """Take ``on_error``, which is called with every request that failed."""
        self._kubeconfig = kubeconfig
        self._on_error = on_error
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._closed = False

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        """Return one object, or one page of a list."""
        return self._connect().get(path, query)

    def create(self, path: str, body: Object) -> Object:
        """POST an object into a collection; return it as stored."""
        return self._connect().create(path, body)

    def replace(self, path: str, body: Object) -> Object:
        """PUT an object; its ``resourceVersion`` makes that conditional."""
        return self._connect().replace(path, body)

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        """PATCH an object; ``kind`` is the patch's media type."""
        return self._connect().patch(path, body, kind, query)

    @contextmanager
    def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> Iterator[Iterator[Object]]:
        """Yield watch events until the server ends the stream, or :meth:`close` does."""
        with self._connect().watch(path, query, silence=silence) as events:
            yield events

    def close(self) -> None:
        """End every stream, and refuse further requests."""
        with self._lock:
            self._closed = True
            if self._connection is not None:
                self._connection.close()

    def _connect(self) -> Connection:
        with self._lock:
            if self._connection is None:
                try:
                    connection = connect(self._kubeconfig)
                except ApiError as error:
                    self._on_error(error)
                    raise
                connection.on_error = self._on_error
                if self._closed:
                    connection.close()
                self._connection = connection
            return self._connection
