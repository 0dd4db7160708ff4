"""Turn a kubeconfig, or the pod's service account, into requests to one API server.

The client library supplies what is tedious and delicate: reading kubeconfigs, client certificates,
credential plugins, the pool of TLS connections. Its models and its own watch are not used: they
cost memory and time per object, and they retry where the caller should know.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from urllib3 import BaseHTTPResponse, Timeout
from urllib3.exceptions import HTTPError

from wormhole import __version__
from wormhole.cluster.api import Object
from wormhole.cluster.credentials import TokenFile, load_configuration
from wormhole.cluster.deadline import Deadline, oversee
from wormhole.cluster.errors import ApiError
from wormhole.cluster.refusal import (
    NO_CREDENTIALS,
    UNREACHABLE,
    UNREADABLE,
    explain_failure,
    parse_refusal,
    parse_status,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

CONNECT_TIMEOUT: Final = 5.0
"""Seconds until TCP and TLS must be there."""
READ_TIMEOUT: Final = 10.0
"""Seconds without a byte until an answer counts as missing."""
ANSWER_TIMEOUT: Final = 30.0
"""Seconds until all of an answer must be there; a watch must begin so soon, and end so late."""
LIMIT: Final = 64 << 20
"""Bytes of an answer, and of one event. etcd stores objects of 1.5 MiB at most."""
_JSON: Final = "application/json"
_CHUNK: Final = 1 << 16
_CLOSED: Final = "the connection was closed by us"
_SUCCESS: Final = range(200, 300)


def connect(kubeconfig: Path | None) -> "Connection":
    """Return a connection to the server of a kubeconfig; see :func:`load_configuration`.

    Nothing is sent yet. What must be imported takes half a second.

    Raises:
        ApiError: there are no credentials to connect with.

    """
    configuration, token_file = load_configuration(kubeconfig)
    from kubernetes.client import ApiClient  # noqa: PLC0415 - as in load_configuration

    configuration.keep_alive = True
    return Connection(ApiClient(configuration), token_file)


class Connection:
    """Requests to one API server, from any thread: an :class:`~wormhole.cluster.api.Api`."""

    def __init__(self, client: "ApiClient", token_file: TokenFile | None = None) -> None:
        self.url: str = client.configuration.host
        self._configuration = client.configuration
        self._pool = client.rest_client.pool_manager
        oversee(self._pool)
        self._token_file = token_file
        self._lock = threading.Lock()
        self._streams: set[BaseHTTPResponse] = set()
        self._closed = False
        self.on_error: Callable[[ApiError], None] = lambda _error: None
        """Called with every error until :meth:`close`, in the thread that asked. Must be quick."""

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        """Return one object, or one page of a list."""
        return self.request("GET", path, query)

    def create(self, path: str, body: Object) -> Object:
        """POST an object into a collection; return it as stored."""
        return self.request("POST", path, body=body)

    def replace(self, path: str, body: Object) -> Object:
        """PUT an object; its ``resourceVersion`` makes that conditional."""
        return self.request("PUT", path, body=body)

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        """PATCH an object; ``kind`` is the patch's media type."""
        return self.request("PATCH", path, query, body, kind)

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = {},
        body: Object | None = None,
        kind: str = _JSON,
    ) -> Object:
        """Send one request and return the object that answers it.

        Raises:
            ApiError: always, and only, when it did not do what it asked.

        """
        name = f"{method} {path}"
        with self._telling(), Deadline(name, ANSWER_TIMEOUT):
            response = self._send(name, path, query, body, kind)
            try:
                content = _read_all(name, response)
            except (HTTPError, OSError) as error:
                raise explain_failure(name, error) from None
            return _parse_object(name, content)

    @contextmanager
    def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> Iterator[Iterator[Object]]:
        """Yield watch events until the server ends the stream, or :meth:`close` does."""
        with self._telling(), self._open_stream(f"WATCH {path}", path, query, silence) as events:
            yield events

    @contextmanager
    def _open_stream(
        self, name: str, path: str, query: Mapping[str, str], silence: float
    ) -> Iterator[Iterator[Object]]:
        with ExitStack() as stack:
            with Deadline(name, ANSWER_TIMEOUT) as start:
                response = self._send(name, path, {**query, "watch": "true"})
                # The rest of the stream is not wanted, so the connection cannot be used again.
                stack.callback(response.close)
            stack.callback(self._forget, response)
            with self._lock:
                self._streams.add(response)
            if self._closed:
                raise ApiError(name, 0, UNREACHABLE, _CLOSED)
            _bear_silence(response, silence)
            stack.enter_context(_limit(name, query, start))
            yield _parse_events(name, response)

    def _forget(self, stream: BaseHTTPResponse) -> None:
        with self._lock:
            self._streams.discard(stream)

    def close(self) -> None:
        """End every stream, whichever thread waits for it, and refuse further requests."""
        with self._lock:
            self._closed = True
            for stream in self._streams:
                with suppress(ValueError, RuntimeError, OSError):  # it ended just now
                    stream.shutdown()
        self._pool.clear()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            if not self._closed:
                self.on_error(error)
            raise

    def _send(
        self,
        name: str,
        path: str,
        query: Mapping[str, str],
        body: Object | None = None,
        kind: str = _JSON,
    ) -> BaseHTTPResponse:
        """Return the answer, if it is a success, with its body unread."""
        if self._closed:
            raise ApiError(name, 0, UNREACHABLE, _CLOSED)
        method, url = name.partition(" ")[0], f"{self.url}{path}"
        try:
            response: BaseHTTPResponse = self._pool.request(
                "GET" if method == "WATCH" else method,
                f"{url}?{urlencode(query)}" if query else url,
                body=None if body is None else msgspec.json.encode(body),
                headers=self._headers(name, kind),
                timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
                retries=False,
                redirect=False,  # it would carry the token to wherever the answer points
                preload_content=False,
            )
            if response.status in _SUCCESS:
                return response
            refusal = parse_refusal(
                name, response.status, response.reason or "", _read_all(name, response)
            )
        except (HTTPError, OSError, ValueError) as error:
            raise explain_failure(name, error) from None
        if response.status == HTTPStatus.UNAUTHORIZED and self._token_file is not None:
            self._token_file.expire()
        raise refusal

    def _headers(self, name: str, kind: str) -> dict[str, str]:
        headers = {
            "Accept": _JSON,
            "Content-Type": kind,
            "User-Agent": f"wormhole/{__version__}",
        }
        try:
            settings = self._configuration.auth_settings()
        except ApiError:
            raise
        except Exception as error:  # noqa: BLE001 - credential plugins raise what they like
            why = f"the credentials cannot be renewed ({type(error).__name__})"
            raise ApiError(name, 0, NO_CREDENTIALS, why) from None
        for setting in settings.values():
            if setting["value"]:
                headers[setting["key"]] = setting["value"]
        return headers


def _bear_silence(response: BaseHTTPResponse, seconds: float) -> None:
    """Let the stream be silent for longer than an answer may take to begin.

    A server that closes the connection after the answer has taken the socket out of reach; it is
    none of Kubernetes' own.
    """
    sock = getattr(response.connection, "sock", None)
    if sock is not None:
        sock.settimeout(seconds)


def _limit(name: str, query: Mapping[str, str], start: Deadline) -> Deadline | nullcontext[None]:
    """End a stream that the server does not, though it was asked to."""
    if "timeoutSeconds" not in query:
        return nullcontext()
    deadline = Deadline(name, float(query["timeoutSeconds"]) + ANSWER_TIMEOUT)
    deadline.hold(start.socket)
    return deadline


def _read_all(name: str, response: BaseHTTPResponse) -> bytes:
    """Return the body, and give the connection back to the pool; one that broke is closed."""
    parts: list[bytes] = []
    size = 0
    try:
        for part in response.stream(_CHUNK):
            parts.append(part)
            size += len(part)
            _check_size(name, size)
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return b"".join(parts)


def _parse_events(name: str, response: BaseHTTPResponse) -> Iterator[Object]:
    """Yield one event for each line; chunks end where the network likes.

    A last line without an end is a stream that was cut: it is left out, and the event comes again.
    """
    rest: list[bytes] = []
    size = 0
    try:
        for chunk in response.stream(_CHUNK):
            lines, end, begun = chunk.rpartition(b"\n")
            if end:
                for line in b"".join((*rest, lines)).split(b"\n"):
                    yield _parse_event(name, line)
                rest, size = [], 0
            rest.append(begun)
            size += len(begun)
            _check_size(name, size)
    except (HTTPError, OSError) as error:
        raise explain_failure(name, error) from None


def _check_size(name: str, size: int) -> None:
    if size > LIMIT:
        raise ApiError(name, 0, UNREADABLE, f"the answer has more than {LIMIT >> 20} MiB")


def _parse_event(name: str, line: bytes) -> Object:
    event = _parse_object(name, line)
    if not isinstance(event.get("object"), dict):
        raise ApiError(name, 0, UNREADABLE, "an event without an object")
    if event.get("type") == "ERROR":
        raise parse_status(name, event["object"])
    return event


def _parse_object(name: str, content: bytes) -> Object:
    try:
        found: Any = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ApiError(name, 0, UNREADABLE, "the answer is no JSON") from None
    if not isinstance(found, dict):
        raise ApiError(name, 0, UNREADABLE, "the answer is no object")
    return found
