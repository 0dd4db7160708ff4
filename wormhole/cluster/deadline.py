"""An end to requests whose answer never ends: a socket's own timeout begins anew with each byte."""

import socket
import threading
from contextlib import suppress
from typing import Any, Final, Self

from wormhole.cluster.errors import ApiError
from wormhole.cluster.refusal import SILENT

_THREAD: Final = threading.local()


class Deadline:
    """Cuts the connection of the requests made in its context when the time is over.

    Whatever the context does then ends with :class:`ApiError`: an answer that was cut may look
    like a whole one.
    """

    def __init__(self, request: str, seconds: float) -> None:
        self._request = request
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: Any = None
        self._ended = self._expired = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._outer: Deadline | None = None

    def __enter__(self) -> Self:
        self._outer = getattr(_THREAD, "deadline", None)
        _THREAD.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        _THREAD.deadline = self._outer
        with self._lock:
            self._ended = True
            self._timer.cancel()
        if self._expired:
            reason = f"no whole answer came in {self._seconds:g} s"
            raise ApiError(self._request, 0, SILENT, reason) from None

    def hold(self, sock: Any) -> None:  # noqa: ANN401 - a socket, or what stands for one in TLS
        """Take the socket over which the answer comes."""
        with self._lock:
            self._socket = sock
            if self._expired:
                _cut(sock)

    @property
    def socket(self) -> Any:  # noqa: ANN401 - as above
        """What is held."""
        return self._socket

    def _expire(self) -> None:
        with self._lock:
            if not self._ended:
                self._expired = True
                _cut(self._socket)


def oversee(manager: Any) -> None:  # noqa: ANN401 - urllib3's, which one room alone may import
    """Let every connection of a pool manager tell its socket to the deadline of its thread."""
    manager.pool_classes_by_scheme = {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _overseen(pool.ConnectionCls)})
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _overseen(connection: Any) -> type:  # noqa: ANN401 - as above
    def getresponse(self: Any) -> Any:  # noqa: ANN401 - as above
        deadline: Deadline | None = getattr(_THREAD, "deadline", None)
        if deadline is not None:
            deadline.hold(self.sock)
        return connection.getresponse(self)

    return type(connection.__name__, (connection,), {"getresponse": getresponse})


def _cut(sock: Any) -> None:  # noqa: ANN401 - as above
    """Wake whoever reads. TLS is passed by: it would have to say goodbye first.

    Through a proxy that is spoken to in TLS, the socket is inside of what stands for it.
    """
    inner = getattr(sock, "socket", sock)
    if isinstance(inner, socket.socket):
        with suppress(OSError):  # it is closed already
            socket.socket.shutdown(inner, socket.SHUT_RDWR)
