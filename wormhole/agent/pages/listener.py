"""Keep the pages served on their port, whoever else may have it at times."""

import logging
import threading
from typing import Final

from wormhole.agent.pages.web import Pages, WebServer, parse_listen

_LOG: Final = logging.getLogger("wormhole.agent")

RETRY_FIRST: Final = 1.0
RETRY_LONGEST: Final = 60.0
"""Seconds before a port that could not be had is tried again: doubled each time."""


class Listener:
    """Serves pages from a thread of its own; a port that is taken holds up nothing but them."""

    def __init__(self, listen: str, pages: Pages, *, first: float = RETRY_FIRST) -> None:
        """Take where to listen. Nothing is bound yet.

        Raises:
            Problems: that is no address and port.

        """
        parse_listen(listen)
        self._listen = listen
        self._pages = pages
        self._first = first
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server: WebServer | None = None
        self._thread = threading.Thread(target=self._run, name="wormhole-listener", daemon=True)

    @property
    def server(self) -> WebServer | None:
        """The server; None until the port could be had."""
        return self._server

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port; answers that are being given may end."""
        with self._lock:
            self._stopping.set()
            server = self._server
        if server is not None:
            server.stop()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        """Try until the port is had. Why it is not is said when that begins, and that it ended."""
        pause, told = self._first, ""
        while not self._stopping.is_set():
            try:
                self._serve()
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
            else:
                if told:
                    _LOG.info("listening on %s now", self._listen)
                return
            if reason != told:
                _LOG.error("cannot listen on %s: %s; it is tried again", self._listen, reason)
            told = reason
            self._stopping.wait(pause)
            pause = min(2 * pause, RETRY_LONGEST)

    def _serve(self) -> None:
        """Bind, and let the server's own thread answer."""
        server = WebServer(self._listen, self._pages)
        with self._lock:
            if self._stopping.is_set():
                server.server_close()
                return
            server.start()
            self._server = server
