"""Metrics and health over HTTP: a server that a slow, rude or curious client cannot hold up."""

import io
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any, Final

from schemas.problems import Problems, neutralise
from schemas.state import Value

PATIENCE: Final = 5.0
"""Seconds in which a client must have sent its request, and again in which it must take the answer.

In all, not between two bytes: a client that sends one a second would hold a thread for ever.
"""
THREADS: Final = 16
"""Connections at a time. One more makes another go: the oldest that has not asked yet, if any."""
REQUEST_LIMIT: Final = 8192
"""Bytes of a request line with its headers."""

_TEXT: Final = "text/plain; charset=utf-8"
_PORTS: Final = range(65536)


class Page(Value, frozen=True, kw_only=True):
    """An answer."""

    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _TEXT
    body: bytes


Pages = Mapping[str, Callable[[str], Page]]
"""By path, what makes the answer of the request's ``Accept`` header."""


def make_health_page(find_fault: Callable[[], str]) -> Callable[[str], Page]:
    """Return the page that says ``ok``, or 503 and what the fault is."""

    def make(_accept: str) -> Page:
        if fault := find_fault():
            body = f"{neutralise(fault)}\n".encode()
            return Page(status=HTTPStatus.SERVICE_UNAVAILABLE, body=body)
        return Page(body=b"ok\n")

    return make


def parse_listen(text: str) -> tuple[str, int]:
    """Return the address and port of ``IP:PORT`` or ``[IPv6]:PORT``; port 0 is any that is free.

    The port is never left out, so an IPv6 address can do without brackets too: a manifest that
    puts the pod's own address before the port cannot know which kind it is.

    Raises:
        Problems: it is neither.

    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        address = str(ip_address(host))
    except ValueError:
        address = ""
    if not (colon and address and port.isascii() and port.isdigit() and int(port) in _PORTS):
        rule = "must be an address and a port, such as 127.0.0.1:9807 or [::1]:9807"
        raise Problems.one(rule, path="--listen", value=text)
    return address, int(port)


class WebServer(ThreadingHTTPServer):
    """Serves pages from threads of its own between :meth:`start` and :meth:`stop`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, listen: str, pages: Pages, *, patience: float = PATIENCE) -> None:
        """Bind to ``IP:PORT``.

        Raises:
            Problems: it is no address and port.
            OSError: it cannot be had.

        """
        address, port = parse_listen(listen)
        if ":" in address:
            self.address_family = socket.AF_INET6
        self.pages = pages
        self.patience = patience
        self._lock = threading.Lock()
        self._asked: dict[socket.socket, bool] = {}  # in the order in which they came
        self._places = threading.BoundedSemaphore(THREADS)
        super().__init__((address, port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, name="wormhole-web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port; answers that are being given may end."""
        self.shutdown()
        self.server_close()

    def server_bind(self) -> None:
        """Bind without asking the DNS for our own name, as the base class would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; without file descriptors the connection stays pending, so wait a moment."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(0.1)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in socketserver
        """Give the connection a thread; when all are taken, end the connection that is slowest."""
        if not self._places.acquire(blocking=False):
            self._evict()
            while not self._places.acquire(timeout=0.1):
                self._evict()
        with self._lock:
            self._asked[request] = False
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread to be had: nobody else would give the place back
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        """Close a connection, which from now on nobody may shut down."""
        with self._lock:
            self._asked.pop(request, None)
        super().shutdown_request(request)

    def note_asked(self, request: socket.socket) -> None:
        """Note that a client has sent its request: from now on it is our turn."""
        with self._lock:
            self._asked[request] = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: a client that went away is no event."""

    def _evict(self) -> None:
        with self._lock:
            slow = [request for request, asked in self._asked.items() if not asked]
            oldest = next(iter(slow or self._asked), None)
            if oldest is not None:
                del self._asked[oldest]
                with suppress(OSError):  # the client may be gone
                    oldest.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads from it


class _Handler(BaseHTTPRequestHandler):
    """One request of one connection."""

    server: WebServer

    def setup(self) -> None:
        """Read the whole request before anything is made of it."""
        self.request.settimeout(self.server.patience)
        super().setup()
        self.rfile = io.BufferedReader(io.BytesIO(self._receive()))
        self.server.note_asked(self.request)

    def _receive(self) -> bytes:
        """Return the request up to its empty line; nothing when it is too slow or too long."""
        until = time.monotonic() + self.server.patience
        received = b""
        while b"\r\n\r\n" not in received:
            left = until - time.monotonic()
            if left <= 0 or len(received) > REQUEST_LIMIT:
                return b""
            self.request.settimeout(left)
            try:
                part = self.request.recv(REQUEST_LIMIT)
            except OSError:
                return b""
            if not part:
                return b""
            received += part
        # The answer gets its own time; sendall counts it over the whole answer.
        self.request.settimeout(self.server.patience)
        return received

    def do_GET(self) -> None:
        """Answer with a page."""
        page = self._find_page()
        self._answer(page, page.body)

    def do_HEAD(self) -> None:
        """Answer with a page's headers."""
        self._answer(self._find_page(), b"")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request of ours, without repeating any of it."""
        del message, explain
        self.close_connection = True
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:  # the base class's word for an unknown method
            status = HTTPStatus.METHOD_NOT_ALLOWED
        body = f"{status.phrase.lower()}\n".encode()
        self._answer(Page(status=status, body=body), body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Log nothing: probes come every few seconds."""

    def _find_page(self) -> Page:
        path = self.path.partition("?")[0]
        make = self.server.pages.get(path)
        if make is None and path == "/":
            return Page(body=f"wormhole agent: {' '.join(sorted(self.server.pages))}\n".encode())
        if make is None:
            return Page(status=HTTPStatus.NOT_FOUND, body=b"not found\n")
        return make(self.headers.get("Accept", ""))

    def _answer(self, page: Page, body: bytes) -> None:
        self.send_response_only(page.status)  # without a Server header
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
