"""The web server: what it answers, and whom it does not wait for."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

import pytest
from agentturns import make_blind_turn, make_conflict, make_outcome, make_turn

from schemas.problems import Problems
from schemas.state import Value
from wormhole.agent.pages.health import STALE, Health
from wormhole.agent.pages.metrics import Metrics
from wormhole.agent.pages.web import THREADS, Page, WebServer, make_health_page, parse_listen
from wormhole.agent.turns.turn import Hindrance

PATIENCE = 0.5


@pytest.fixture
def server() -> Iterator[WebServer]:
    faults = {"/healthz": "", "/readyz": "the routes\nare gone"}
    pages = {path: make_health_page(partial(faults.__getitem__, path)) for path in faults}
    started = WebServer(
        "127.0.0.1:0",
        {
            **pages,
            "/big": lambda _: Page(body=b"x" * 50_000_000),
            "/metrics": Metrics("1.2.3").make_page,
        },
        patience=PATIENCE,
    )
    started.start()
    yield started
    started.stop()


class Answer(Value, frozen=True, kw_only=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


def address_of(server: WebServer) -> tuple[str, int]:
    host, port = server.server_address[:2]
    return str(host), port


def ask(server: WebServer, method: str, path: str) -> Answer:
    connection = http.client.HTTPConnection(*address_of(server), timeout=5)
    connection.request(method, path)
    response = connection.getresponse()
    answer = Answer(status=response.status, headers=dict(response.headers), body=response.read())
    connection.close()
    return answer


def say(server: WebServer, content: bytes) -> bytes:
    """Send raw bytes; return everything that comes back."""
    with socket.create_connection(address_of(server), timeout=5) as connection:
        connection.sendall(content)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def dribble(connection: socket.socket) -> None:
    """Send a byte now and then, for ten seconds or until nobody takes it."""
    for _ in range(200):
        connection.sendall(b"G")
        time.sleep(0.05)


def test_the_first_page_names_the_others(server: WebServer) -> None:
    response = ask(server, "GET", "/?verbose=1")
    index = b"wormhole agent: /big /healthz /metrics /readyz\n"
    assert (response.status, response.body) == (200, index)


def test_head_is_answered_without_a_body(server: WebServer) -> None:
    response = ask(server, "HEAD", "/")
    assert (response.status, response.headers["Content-Length"]) == (200, "47")
    assert response.body == b""


def test_metrics_are_answered_as_the_scraper_asked(server: WebServer) -> None:
    response = ask(server, "GET", "/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert b"wormhole_build_info" in response.body


def test_health_is_ok_or_503_with_the_reason_on_one_line(server: WebServer) -> None:
    good, bad = ask(server, "GET", "/healthz"), ask(server, "GET", "/readyz")
    assert (good.status, good.body) == (200, b"ok\n")
    assert (bad.status, bad.body) == (503, b"the routes\\nare gone\n")


def test_what_is_not_there_is_not_found(server: WebServer) -> None:
    response = ask(server, "GET", "/../../etc/passwd")
    assert (response.status, response.body) == (404, b"not found\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GETX"])
def test_only_reading_is_allowed(server: WebServer, method: str) -> None:
    response = ask(server, method, "/")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_the_server_does_not_say_what_it_is(server: WebServer) -> None:
    for path in ("/", "/nothing"):
        assert "Server" not in ask(server, "GET", path).headers
    assert b"Python" not in say(server, b"POST / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    "content",
    [
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET \x1b[2J HTTP/1.1\r\n\r\n",
    ],
)
def test_nonsense_is_survived_and_not_echoed(
    server: WebServer, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = say(server, content)
    assert b"\x1b" not in answer
    assert b"aaaa" not in answer
    assert ask(server, "GET", "/").status == 200
    assert capfd.readouterr() == ("", "")


def test_a_client_that_sends_nothing_is_hung_up_on(server: WebServer) -> None:
    begin = time.monotonic()
    assert say(server, b"") == b""
    assert PATIENCE * 0.9 < time.monotonic() - begin < PATIENCE + 2


def test_a_client_that_sends_a_byte_at_a_time_has_no_more_time(server: WebServer) -> None:
    begin = time.monotonic()
    with (
        socket.create_connection(address_of(server), timeout=5) as connection,
        pytest.raises(ConnectionError),
    ):
        dribble(connection)
    assert time.monotonic() - begin < PATIENCE + 2


def test_a_client_that_does_not_read_is_hung_up_on(server: WebServer) -> None:
    with socket.create_connection(address_of(server), timeout=5) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\n\r\n")
        time.sleep(PATIENCE * 2)
        received = 0
        with suppress(ConnectionError):
            while part := connection.recv(1_000_000):
                received += len(part)
    assert received < 50_000_000
    assert server._asked == {}


def test_many_slow_clients_do_not_hold_the_server() -> None:
    server = WebServer("127.0.0.1:0", {"/": lambda _: Page(body=b"index\n")}, patience=30)
    server.start()
    before = threading.active_count()
    slow = [socket.create_connection(address_of(server), timeout=5) for _ in range(THREADS * 3)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
        begin = time.monotonic()
        assert [ask(server, "GET", "/").status for _ in range(5)] == [200] * 5
        assert time.monotonic() - begin < 3
        # A thread that gave its place back may take a moment to end.
        assert threading.active_count() - before <= THREADS + 5
    finally:
        for connection in slow:
            connection.close()
        server.stop()


def test_a_place_is_given_back_when_there_is_no_thread_for_it(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError(f"can't start {thread.name}")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(THREADS):
            with suppress(ConnectionError):
                assert say(server, b"GET / HTTP/1.1\r\n\r\n") == b""
    assert ask(server, "GET", "/").status == 200


def test_a_port_can_be_had_again_at_once() -> None:
    first = WebServer("127.0.0.1:0", {"/": lambda _: Page(body=b"")})
    first.start()
    ask(first, "GET", "/")
    first.stop()
    second = WebServer(f"127.0.0.1:{first.server_address[1]}", {})
    second.server_close()


def test_ipv6_is_listened_on() -> None:
    server = WebServer("[::1]:0", {"/": lambda _: Page(body=b"six\n")})
    server.start()
    try:
        assert ask(server, "GET", "/").body == b"six\n"
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("127.0.0.1:9807", ("127.0.0.1", 9807)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:9807", ("::1", 9807)),
        ("[::]:65535", ("::", 65535)),
        ("2001:db8::1:9807", ("2001:db8::1", 9807)),
    ],
)
def test_an_address_and_a_port_are_read(text: str, parsed: tuple[str, int]) -> None:
    assert parse_listen(text) == parsed


@pytest.mark.parametrize(
    "text", ["", ":9807", "127.0.0.1", "localhost:9807", "127.0.0.1:65536", "::1", "[::1]:x"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problems) as refused:
        parse_listen(text)
    rule = "must be an address and a port, such as 127.0.0.1:9807 or [::1]:9807"
    assert str(refused.value) == f"--listen{text and f' {text!r}'}: {rule}"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_loop_is_well_while_it_is_heard_of() -> None:
    clock = Clock()
    health = Health(clock)
    clock.now = STALE - 1
    assert health.find_illness() == ""
    clock.now = STALE
    assert health.find_illness() == "the loop has not been heard of for 180 s"
    health.beat()
    assert health.find_illness() == ""


def test_a_host_is_ready_when_the_last_verify_was_good() -> None:
    health = Health(Clock())
    assert health.find_hindrance() == "no turn has been taken yet"
    said = []
    for turn in (
        make_turn(),
        make_blind_turn(hindrance=Hindrance.LOCKED, error="held"),
        make_turn(outcome=make_outcome(left=(make_conflict(),))),
        make_blind_turn(hindrance=Hindrance.LOCKED, error="held"),
        make_blind_turn(hindrance=Hindrance.UNOBSERVABLE, error="interrupted"),
        make_turn(),
    ):
        health.observe(turn)
        said.append(health.find_hindrance())
    assert said == [
        "",
        "",
        "Conflict: cni 10-wormhole.conflist: it is flannel's",
        "Locked: held",
        "Unobservable: interrupted",
        "",
    ]
