"""Reflectors that wait for a server hear from each other that it is back."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from wormhole.cluster.api import Object
from wormhole.cluster.errors import ApiError
from wormhole.cluster.reflector import Reflector


class Server:
    """Away until told otherwise; then it has an empty collection in which nothing happens."""

    def __init__(self) -> None:
        self.away = True
        self.asked = threading.Semaphore(0)
        self.over = threading.Event()

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        del query
        self.asked.release()
        if self.away:
            raise ApiError(f"GET {path}", 0, "Unreachable", "connection refused")
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    @contextmanager
    def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> Iterator[Iterator[Object]]:
        del path, query, silence
        yield self._nothing()

    def _nothing(self) -> Iterator[Object]:
        self.over.wait(30)
        yield from ()

    create = replace = patch = get  # type: ignore[assignment] # never called


def follow(server: Server, on_return: Callable[[], None]) -> Reflector:
    return Reflector(
        server,
        "/apis/x/things",
        keep=dict,
        on_change=lambda: None,
        on_return=on_return,
        dice=lambda _low, high: max(high, 20.0),  # without a call, it would wait for long
    )


def test_a_call_to_hurry_ends_the_wait_and_the_return_is_told() -> None:
    server, returned = Server(), threading.Event()
    reflector = follow(server, returned.set)
    reflector.start()
    assert server.asked.acquire(timeout=10)
    server.away = False
    reflector.hurry()
    assert returned.wait(10)
    server.over.set()
    reflector.stop()
    assert reflector.join(10)


def test_calls_to_hurry_in_a_row_are_heard_once() -> None:
    server = Server()
    reflector = follow(server, lambda: None)
    reflector.start()
    assert server.asked.acquire(timeout=10)
    for _ in range(100):
        reflector.hurry()
    assert server.asked.acquire(timeout=10)
    assert not server.asked.acquire(timeout=0.5)
    reflector.stop()
    assert reflector.join(10)


def test_a_stop_ends_the_wait() -> None:
    server = Server()
    reflector = follow(server, lambda: None)
    reflector.start()
    assert server.asked.acquire(timeout=10)
    reflector.stop()
    assert reflector.join(10)
