"""Whatever the network does, a copy is what the server held at some moment, and catches up."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wormhole.cluster.api import Object
from wormhole.cluster.errors import ApiError
from wormhole.cluster.reflector import Reflector

PATH = "/apis/cluster.test/v1/things"
PAGE = 2


class Server:
    """A collection with its history, behind a network that fails as it is told."""

    def __init__(self) -> None:
        self.history: list[dict[str, int]] = [{}]
        """What there was at each version."""
        self.moments: list[dict[str, int]] = [{}]
        """All that there ever was, restored from a backup or not."""
        self.log: list[tuple[int, str, str, int]] = []
        """Version, type, name and size of each event."""
        self.oldest = 0
        self.faults: list[str] = []
        """What happens to the next requests, in their order; afterwards all goes well."""
        self.requests: list[str] = []

    def put(self, name: str, size: int) -> None:
        now = self.history[-1]
        kind = "MODIFIED" if name in now else "ADDED"
        self._become(now | {name: size})
        self.log.append((len(self.history) - 1, kind, name, size))

    def delete(self, name: str) -> None:
        now = dict(self.history[-1])
        if name in now:
            size = now.pop(name)
            self._become(now)
            self.log.append((len(self.history) - 1, "DELETED", name, size))

    def _become(self, now: dict[str, int]) -> None:
        self.history.append(now)
        self.moments.append(now)

    def restore(self, version: int) -> None:
        """Go back to an earlier version, as a store restored from a backup does."""
        del self.history[version + 1 :]
        self.log = [entry for entry in self.log if entry[0] <= version]
        self.oldest = len(self.history) - 1

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        self.requests.append("GET")
        self._fail(f"GET {path}")
        version, start = len(self.history) - 1, 0
        if "continue" in query:
            version, start = map(int, query["continue"].split("-"))
            if version < self.oldest:
                raise ApiError(f"GET {path}", 410, "Expired", "too old")
        names = sorted(self.history[version])
        size = min(PAGE, int(query["limit"]))
        more = f"{version}-{start + size}" if start + size < len(names) else ""
        items = [self._spell(name, version) for name in names[start : start + size]]
        return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": items}

    @contextmanager
    def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> Iterator[Iterator[Object]]:
        assert silence > int(query["timeoutSeconds"])
        self.requests.append("WATCH")
        self._fail(f"WATCH {path}")
        begin = int(query["resourceVersion"])
        if begin < self.oldest:
            raise ApiError(f"WATCH {path}", 410, "Expired", "too old")
        yield self._stream(path, begin)

    def _stream(self, path: str, begin: int) -> Iterator[Object]:
        for version, kind, name, size in tuple(self.log):
            if version > begin:
                self._fail(f"WATCH {path}")
                yield {"type": kind, "object": self._spell(name, version, size)}
        latest = max(begin, len(self.history) - 1)
        yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(latest)}}}
        self._fail(f"WATCH {path}")

    def _spell(self, name: str, version: int, size: int | None = None) -> Object:
        size = self.history[version][name] if size is None else size
        metadata = {"name": name, "resourceVersion": str(version)}
        return {"metadata": metadata, "size": size, "noise": version}

    def _fail(self, request: str) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "gone":
            raise ApiError(request, 410, "Expired", "too old")
        if fault == "silent":
            raise ApiError(request, 0, "Silent", "nothing came in time")
        if fault == "broken":
            raise ApiError(request, 500, "InternalError", "")
        if fault == "bug":
            raise RuntimeError("unforeseen")


def read_sizes(reflector: Reflector) -> dict[str, int]:
    return {name: kept["size"] for name, kept in reflector.snapshot().objects.items()}


class Follower:
    """A reflector that is moved on by hand, and what must be true of it after each move."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.pauses: list[float] = []
        self.changes = self.in_vain = 0
        self.reflector = Reflector(
            server,  # type: ignore[arg-type] # it only reads
            PATH,
            keep=lambda found: {"size": found["size"]},
            on_change=self._count,
            clock=lambda: 0.0,
            sleep=self.pauses.append,
            dice=lambda _low, high: high,
        )
        self.seen: dict[str, int] = {}
        self.lost: dict[str, int] = {}

    def _count(self) -> None:
        """Take each change as it comes: this is all that a reader is ever told."""
        self.changes += 1
        now = read_sizes(self.reflector)
        for name in self.seen.keys() - now.keys():
            self.lost[name] = self.seen[name]
        for name in now:
            self.lost.pop(name, None)
        self.in_vain += self.changes > 1 and now == self.seen
        self.seen = now

    def move(self) -> bool:
        """Make one attempt; return whether it went well."""
        before = read_sizes(self.reflector)
        done = self.reflector._attempt()
        assert self.in_vain == 0
        after = self.reflector.snapshot()
        assert after.synced or before == read_sizes(self.reflector) == {}
        if after.synced:
            assert read_sizes(self.reflector) in self.server.moments
        assert read_sizes(self.reflector) == self.seen, "changed without a word"
        assert {name: gone.object["size"] for name, gone in after.deleted.items()} == self.lost
        return done


names = st.sampled_from(["a", "b", "c", "d", "e"])
Step = Callable[[Follower], object]
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        lambda name, size: lambda follower: follower.server.put(name, size),
        names,
        st.integers(0, 3),
    ),
    st.builds(lambda name: lambda follower: follower.server.delete(name), names),
    st.just(lambda follower: follower.move()),
    st.just(lambda follower: setattr(follower.server, "oldest", len(follower.server.history) - 1)),
    st.builds(
        lambda faults: lambda follower: follower.server.faults.extend(faults),
        st.lists(st.sampled_from(["", "", "gone", "silent", "broken", "bug"]), max_size=6),
    ),
)


def catch_up(follower: Follower) -> None:
    """Let the network be well again: a few attempts must do."""
    follower.server.faults = []
    for _ in range(3):
        if follower.move():
            break
    assert read_sizes(follower.reflector) == follower.server.history[-1]
    assert follower.reflector.snapshot().synced


@pytest.mark.law
@given(st.lists(steps, max_size=40))
def test_a_copy_is_a_moment_of_the_server_and_catches_up(todo: list[Step]) -> None:
    follower = Follower(Server())
    for step in todo:
        step(follower)
    catch_up(follower)


@pytest.mark.law
@given(st.lists(steps, max_size=20), st.lists(steps, max_size=10), st.data())
def test_a_store_restored_from_a_backup_is_followed_back(
    before: list[Step], after: list[Step], data: st.DataObject
) -> None:
    follower = Follower(Server())
    for step in before:
        step(follower)
    catch_up(follower)
    server, last = follower.server, follower.server.history[-1]
    server.restore(data.draw(st.integers(0, len(server.history) - 1)))
    server.faults = ["broken"]  # a server does not change its store while it runs
    assert not follower.move()
    assert read_sizes(follower.reflector) == last
    catch_up(follower)
    for step in after:
        step(follower)
    catch_up(follower)


def follow(server: Server, *, attempts: int, clock: list[float]) -> tuple[Reflector, list[float]]:
    """Run a reflector for some attempts; return it and the pauses it made."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == attempts:
            reflector.stop()

    reflector = Reflector(
        server,  # type: ignore[arg-type] # it only reads
        PATH,
        keep=lambda found: {"size": found["size"]},
        on_change=lambda: None,
        clock=lambda: clock[0],
        sleep=sleep,
        dice=lambda _low, high: high,
    )
    reflector.run()
    return reflector, pauses


def test_a_stream_that_ends_at_once_is_no_hot_loop() -> None:
    server = Server()
    _, pauses = follow(server, attempts=8, clock=[0.0])
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert server.requests == ["GET", *["WATCH"] * 8]


def test_a_server_that_is_away_is_asked_ever_less_often() -> None:
    server = Server()
    server.faults = ["broken"] * 100
    reflector, pauses = follow(server, attempts=8, clock=[0.0])
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert str(reflector.last_error) == f"GET {PATH}: 500 InternalError"
    assert not reflector.snapshot().synced


def test_a_pause_is_never_nothing() -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        reflector.stop()

    reflector = Reflector(
        Server(),  # type: ignore[arg-type] # it only reads
        PATH,
        keep=lambda found: found,
        on_change=lambda: None,
        sleep=sleep,
        dice=lambda low, _high: low,
    )
    reflector.run()
    assert pauses == [0.05]


def reflect(server: Server, clock: list[float]) -> Reflector:
    """Return a reflector after its first attempt, to be moved on by hand."""
    reflector = Reflector(
        server,  # type: ignore[arg-type] # it only reads
        PATH,
        keep=lambda found: {"size": found["size"]},
        on_change=lambda: None,
        clock=lambda: clock[0],
    )
    assert reflector._attempt()
    return reflector


def test_what_vanished_is_remembered_for_an_hour() -> None:
    server, clock = Server(), [0.0]
    server.put("a", 1)
    server.put("b", 2)
    reflector = reflect(server, clock)
    server.delete("a")
    reflector._attempt()
    clock[0] = 60.0
    server.delete("b")
    reflector._attempt()
    deleted = reflector.snapshot().deleted
    assert {name: (gone.object, gone.at) for name, gone in deleted.items()} == {
        "a": ({"size": 1}, 0.0),
        "b": ({"size": 2}, 60.0),
    }
    clock[0] = 3600.0
    assert [*reflector.snapshot().deleted] == ["b"]
    server.put("b", 3)
    reflector._attempt()
    assert reflector.snapshot().deleted == {}


def test_of_what_vanished_not_too_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wormhole.cluster.content._REMEMBERED", 2)
    server = Server()
    for name in "abc":
        server.put(name, 1)
    reflector = reflect(server, [0.0])
    for name in "abc":
        server.delete(name)
    reflector._attempt()
    assert [*reflector.snapshot().deleted] == ["b", "c"]


def test_a_snapshot_does_not_change_any_more() -> None:
    server = Server()
    server.put("a", 1)
    reflector = reflect(server, [0.0])
    before = reflector.snapshot()
    assert reflector.snapshot() is before
    server.put("a", 2)
    reflector._attempt()
    assert (before.objects, reflector.snapshot().objects) == (
        {"a": {"size": 1}},
        {"a": {"size": 2}},
    )


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ({}, "the answer is no list"),
        ({"metadata": {"resourceVersion": "1"}}, "the answer is no list"),
        ({"metadata": {}, "items": []}, "a list without a version"),
        ({"metadata": {"resourceVersion": "1"}, "items": [{}]}, "an object without a name"),
        ({"metadata": {"resourceVersion": "1"}, "items": [7]}, "an object without a name"),
        ({"metadata": {"resourceVersion": "1"}, "items": 7}, "the answer is no list"),
        ({"metadata": {"resourceVersion": "1", "continue": "x"}, "items": []}, "goes in circles"),
    ],
)
def test_what_is_no_list_takes_nothing_away(
    page: Object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server()
    server.put("a", 1)
    reflector = reflect(server, [0.0])
    server.faults = ["gone"]
    assert not reflector._attempt()
    monkeypatch.setattr(server, "get", lambda _path, _query: page)
    assert not reflector._attempt()
    assert f"{reflector.last_error}".startswith(f"WATCH {PATH}: Unreadable: ")
    assert said in f"{reflector.last_error}"
    assert read_sizes(reflector) == {"a": 1}


def test_a_list_that_is_null_is_empty() -> None:
    server = Server()
    page = {"metadata": {"resourceVersion": "0"}, "items": None}
    server.get = lambda _path, _query: page  # type: ignore[assignment, misc] # as Go writes it
    reflector = reflect(server, [0.0])
    assert (reflector.snapshot().synced, reflector.snapshot().objects) == (True, {})
