"""The port of the pages, and who else may have it."""

import logging
import socket
import time
from collections.abc import Callable

import pytest

from schemas.problems import Problems
from wormhole.agent.pages.listener import Listener
from wormhole.agent.pages.web import Page


def pages() -> dict[str, Callable[[str], Page]]:
    return {"/healthz": lambda _: Page(body=b"ok\n")}


def await_truth(ask: Callable[[], object], seconds: float = 5) -> None:
    until = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < until
        time.sleep(0.01)


def fetch(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    return answer.rpartition(b"\r\n")[2]


def test_a_port_that_is_free_is_listened_on_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = Listener("127.0.0.1:0", pages())
    with caplog.at_level(logging.INFO, "wormhole.agent"):
        listener.start()
        await_truth(lambda: listener.server)
    assert listener.server is not None
    assert fetch(listener.server.server_address[1]) == b"ok\n"
    listener.stop()
    assert caplog.messages == []


def test_a_port_that_is_taken_is_said_once_and_had_when_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        listener = Listener(where, pages(), first=0.01)
        with caplog.at_level(logging.INFO, "wormhole.agent"):
            listener.start()
            await_truth(lambda: caplog.messages)
            time.sleep(0.3)
            assert listener.server is None
            other.close()
            await_truth(lambda: listener.server)
            await_truth(lambda: len(caplog.messages) > 1)
    assert fetch(int(where.rpartition(":")[2])) == b"ok\n"
    listener.stop()
    assert caplog.messages == [
        f"cannot listen on {where}: address already in use; it is tried again",
        f"listening on {where} now",
    ]


def test_an_address_that_the_host_has_not_yet_is_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = Listener("192.0.2.77:9807", pages(), first=0.01)
    listener.start()
    await_truth(lambda: caplog.messages)
    listener.stop()
    assert caplog.messages == [
        "cannot listen on 192.0.2.77:9807: cannot assign requested address; it is tried again"
    ]


def test_it_ends_while_it_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listener = Listener(f"127.0.0.1:{other.getsockname()[1]}", pages(), first=60)
        listener.start()
        begin = time.monotonic()
        listener.stop()
    assert time.monotonic() - begin < 4


def test_what_is_no_address_is_refused_at_once() -> None:
    with pytest.raises(Problems, match="must be an address and a port"):
        Listener("localhost:9807", {})
