"""Collections of a real API server, followed through what happens to real servers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from kube.things import Things

from wormhole.cluster.api import Object
from wormhole.cluster.connection import Connection, connect
from wormhole.cluster.errors import ApiError
from wormhole.cluster.reflector import Reflector

pytestmark = pytest.mark.timeout(240)  # as in test_connection

PATIENCE = 60
"""Seconds until something that has to happen surely has."""


class Follower:
    """A running reflector, and all that it told."""

    def __init__(self, connection: Connection, path: str, **options: object) -> None:
        self.changes = 0
        self.errors: list[ApiError] = []
        self.connection = connection
        self.reflector = Reflector(
            connection,
            path,
            keep=lambda found: {"spec": found.get("spec")},
            on_change=self._count,
            on_error=self.errors.append,
            **options,  # type: ignore[arg-type] # the tests', by name
        )

    def _count(self) -> None:
        self.changes += 1

    @property
    def sizes(self) -> dict[str, int]:
        found = self.reflector.snapshot().objects
        return {name: kept["spec"]["size"] for name, kept in found.items()}

    def end(self) -> None:
        self.reflector.stop()
        self.connection.close()
        assert self.reflector.join(5)


@pytest.fixture
def follow() -> Iterator[Callable[..., Follower]]:
    """Return a function that starts to follow a collection; all are ended with the test."""
    with ExitStack() as stack:

        def start(things: Things, kubeconfig: Path | None = None, **options: object) -> Follower:
            connection = connect(kubeconfig) if kubeconfig else things.connect()
            follower = Follower(connection, things.path, **options)
            stack.callback(follower.end)
            follower.reflector.start()
            return follower

        yield start


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_connected(follower: Follower) -> None:
    wait_for(lambda: follower.reflector.connected_at is not None)


def test_what_is_there_and_what_happens_is_followed(
    things: Things, follow: Callable[..., Follower]
) -> None:
    things.add("one", size=1)
    things.add("two", size=2)
    follower = follow(things)
    wait_until_connected(follower)
    assert (follower.sizes, follower.changes) == ({"one": 1, "two": 2}, 1)
    things.change("one", {"spec": {"size": 3}})
    things.add("three", size=3)
    things.delete("two")
    wait_for(lambda: "two" not in follower.sizes)
    assert (follower.sizes, follower.changes) == ({"one": 3, "three": 3}, 4)
    deleted = follower.reflector.snapshot().deleted
    assert {name: gone.object for name, gone in deleted.items()} == {"two": {"spec": {"size": 2}}}
    assert follower.errors == []


def test_a_change_of_what_is_not_kept_wakes_nobody(
    things: Things, follow: Callable[..., Follower]
) -> None:
    things.add("one", size=1)
    follower = follow(things)
    wait_until_connected(follower)
    things.change("one", {"status": {"peers": 4}, "metadata": {"labels": {"a": "b"}}})
    things.change("one", {"spec": {"size": 2}})
    wait_for(lambda: follower.sizes == {"one": 2})
    assert follower.changes == 2


def test_a_collection_of_more_than_a_page_is_read_in_pages(
    things: Things, follow: Callable[..., Follower]
) -> None:
    count = 1100
    for number in range(count):
        things.add(f"thing-{number}", size=number)
    already = len(things.server.audit())
    follower = follow(things)
    wait_until_connected(follower)
    assert follower.sizes == {f"thing-{number}": number for number in range(count)}
    assert follower.changes == 1
    asked = [entry.uri for entry in things.server.audit()[already:] if entry.verb == "list"]
    assert [("continue=" in uri, "limit=500" in uri) for uri in asked] == [
        (False, True),
        (True, True),
        (True, True),
    ]


class Forgetful(Connection):
    """Has etcd forget the version of a list between the list's first pages, once."""

    things: Things
    forgot = False

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        if "continue" in query and not self.forgot:
            self.forgot = True
            self.things.add("late", size=9)
            self.things.server.compact()
        return super().get(path, dict(query) | {"limit": "2"})


def test_a_list_whose_rest_is_forgotten_begins_anew(frail_things: Things) -> None:
    for number in range(5):
        frail_things.add(f"thing-{number}", size=number)
    connection = frail_things.connect()
    connection.__class__ = Forgetful
    assert isinstance(connection, Forgetful)
    connection.things = frail_things
    follower = Follower(connection, frail_things.path)
    follower.reflector.start()
    wait_until_connected(follower)
    assert [(error.gone, error.reason) for error in follower.errors] == [(True, "Expired")]
    assert follower.sizes == {**{f"thing-{number}": number for number in range(5)}, "late": 9}
    assert follower.changes == 1
    follower.end()


def test_a_server_that_hangs_is_noticed_and_takes_nothing_away(
    frail_things: Things, follow: Callable[..., Follower], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wormhole.cluster.connection.READ_TIMEOUT", 1.0)
    frail_things.add("one", size=1)
    follower = follow(frail_things, watch=(1, 1), silence=0.5)
    wait_until_connected(follower)
    frail_things.server.pause()
    wait_for(lambda: len(follower.errors) >= 2)
    assert {(error.status, error.reason) for error in follower.errors} == {(0, "Silent")}
    assert (follower.reflector.last_error, follower.sizes) == (follower.errors[-1], {"one": 1})
    assert follower.reflector.connected_at is None
    frail_things.server.resume()
    wait_until_connected(follower)
    frail_things.change("one", {"spec": {"size": 2}})
    wait_for(lambda: follower.sizes == {"one": 2})
    assert (follower.reflector.last_error, follower.changes) == (None, 2)


def test_a_server_that_died_and_came_back_the_same_wakes_nobody(
    frail_things: Things, follow: Callable[..., Follower]
) -> None:
    frail_things.add("one", size=1)
    frail_things.add("two", size=2)
    follower = follow(frail_things)
    wait_until_connected(follower)
    frail_things.server.kill()
    wait_for(lambda: len(follower.errors) >= 2)
    assert {error.reason for error in follower.errors} == {"Unreachable"}
    assert follower.sizes == {"one": 1, "two": 2}
    frail_things.server.start_again()
    wait_until_connected(follower)
    assert (follower.sizes, follower.changes) == ({"one": 1, "two": 2}, 1)
    assert follower.reflector.snapshot().deleted == {}
    frail_things.change("two", {"spec": {"size": 3}})
    wait_for(lambda: follower.sizes == {"one": 1, "two": 3})
    assert follower.changes == 2


def test_what_happened_while_nobody_watched_is_seen_afterwards(
    frail_things: Things, follow: Callable[..., Follower]
) -> None:
    frail_things.add("one", size=1)
    frail_things.add("two", size=2)
    held = threading.Event()
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        held.wait(PATIENCE)

    follower = follow(frail_things, sleep=sleep)
    wait_until_connected(follower)
    frail_things.server.kill()
    wait_for(lambda: pauses)
    frail_things.server.start_again()
    frail_things.delete("one")
    frail_things.change("two", {"spec": {"size": 3}})
    frail_things.server.compact()
    held.set()
    wait_until_connected(follower)
    assert follower.sizes == {"two": 3}
    deleted = follower.reflector.snapshot().deleted
    assert {name: gone.object for name, gone in deleted.items()} == {"one": {"spec": {"size": 1}}}


def test_streams_that_the_server_ends_are_taken_up_where_they_ended(
    things: Things, follow: Callable[..., Follower]
) -> None:
    things.add("one", size=1)
    already = len(things.server.audit())
    follower = follow(things, watch=(1, 1), sleep=lambda _seconds: None)
    wait_until_connected(follower)
    for size in range(2, 6):
        things.change("one", {"spec": {"size": size}})
        wait_for(lambda size=size: follower.sizes == {"one": size})
        time.sleep(0.7)
    asked = [entry.verb for entry in things.server.audit()[already:] if entry.verb != "patch"]
    assert asked[:3] == ["list", "watch", "watch"]
    assert "list" not in asked[1:]
    assert (follower.changes, follower.errors) == (5, [])


def test_a_store_restored_from_a_backup_is_followed_back(
    frail_things: Things, follow: Callable[..., Follower], tmp_path: Path
) -> None:
    frail_things.add("one", size=1)
    frail_things.server.save(tmp_path / "backup")
    for size in range(20):
        frail_things.add(f"two-{size}", size=size)
    follower = follow(frail_things)
    wait_until_connected(follower)
    assert len(follower.sizes) == 21
    frail_things.server.restore(tmp_path / "backup")
    wait_until_connected(follower)
    assert follower.sizes == {"one": 1}
    frail_things.add("three", size=3)
    wait_for(lambda: follower.sizes == {"one": 1, "three": 3})


def test_one_object_can_be_followed_alone(things: Things, follow: Callable[..., Follower]) -> None:
    things.add("one", size=1)
    things.add("two", size=2)
    follower = follow(things, field_selector="metadata.name=two")
    wait_until_connected(follower)
    things.change("one", {"spec": {"size": 3}})
    things.delete("two")
    wait_for(lambda: follower.sizes == {})
    assert (follower.changes, [*follower.reflector.snapshot().deleted]) == (2, ["two"])


def test_who_may_not_read_sees_why_and_nothing(
    things: Things, nobody: Path, follow: Callable[..., Follower]
) -> None:
    things.add("one", size=1)
    follower = follow(things, nobody)
    wait_for(lambda: follower.errors)
    snapshot = follower.reflector.snapshot()
    assert (snapshot.synced, snapshot.objects) == (False, {})
    assert follower.errors[0].reason == "Forbidden"
    assert (follower.changes, follower.reflector.connected_at) == (0, None)


def test_a_collection_that_nobody_defined_yet_is_followed_once_it_is(
    things: Things, follow: Callable[..., Follower]
) -> None:
    later = Things(things.server, path="/apis/cluster.test/v1/others")
    follower = follow(later)
    wait_for(lambda: follower.errors)
    assert (follower.errors[0].missing, follower.reflector.snapshot().synced) == (True, False)


def test_stopping_ends_the_thread_at_once(things: Things) -> None:
    follower = Follower(things.connect(), things.path)
    follower.reflector.start()
    wait_until_connected(follower)
    begun = time.monotonic()
    follower.end()
    assert time.monotonic() - begun < 2
    assert follower.errors == []
