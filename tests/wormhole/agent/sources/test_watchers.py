"""Watchers wake the loop when something happened, and outlive whatever happens to them."""

import logging
import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from namespaces import missing, network_namespace

from applier.errors import Unobservable
from applier.linux.attention import Event, EventKind
from applier.linux.watch import KernelWatch
from wormhole.agent.desired import Cause
from wormhole.agent.sources import watchers
from wormhole.agent.sources.fingerprint import look_at
from wormhole.agent.sources.watchers import FileWatcher, KernelWatcher, Sighting, Timer, Watcher

PATIENCE = 5.0
ROUTE = "10.244.0.0/16 metric 1024"
BY_IP = Event(kind=EventKind.ROUTE, what=ROUTE, gone=True, port=77, who="ip")


class Bell:
    """Counts what it is rung for."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self._rung = threading.Condition()

    def __call__(self, cause: Cause) -> None:
        with self._rung:
            self.causes.append(cause)
            self._rung.notify_all()

    def await_rings(self, number: int) -> list[Cause]:
        with self._rung:
            self._rung.wait_for(lambda: len(self.causes) >= number, PATIENCE)
            return list(self.causes)


@contextmanager
def running(watcher: Watcher) -> Iterator[None]:
    watcher.start()
    try:
        yield
    finally:
        watcher.stop()
        assert watcher._name not in {thread.name for thread in threading.enumerate()}


class TestTimer:
    def test_it_rings_again_and_again(self) -> None:
        bell = Bell()
        with running(Timer(bell, period=0.01)):
            assert bell.await_rings(3)[:3] == [Cause.TIMER] * 3

    @pytest.mark.parametrize(("chance", "expected"), [(0.0, 54.0), (0.5, 60.0), (1.0, 66.0)])
    def test_it_waits_a_minute_give_or_take_a_tenth(
        self, chance: float, expected: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[float] = []
        timer = Timer(Bell(), chance=lambda: chance)
        monkeypatch.setattr(timer, "pause", waited.append)
        timer.watch()
        assert waited == [pytest.approx(expected)]

    def test_two_timers_do_not_march_in_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        for timer in (Timer(Bell()), Timer(Bell())):
            monkeypatch.setattr(timer, "pause", waited.append)
            timer.watch()
        assert waited[0] != waited[1]

    def test_it_ends_at_once(self) -> None:
        timer = Timer(Bell())
        with running(timer):
            before = time.monotonic()
        assert time.monotonic() - before < 5


def replace_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.rename(path)


def keep_its_time(path: Path) -> None:
    found = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


class TestFiles:
    @pytest.mark.parametrize(
        "change",
        [
            lambda path: path.write_text("something else"),
            keep_its_time,
            replace_file,
            Path.unlink,
            lambda path: path.chmod(0o644),
            lambda path: path.with_name("another").write_text("new"),
            lambda path: (path.unlink(), path.symlink_to("nowhere")),
        ],
        ids=["content", "same size and time", "same, renamed", "gone", "mode", "new", "dangling"],
    )
    def test_whatever_happens_to_a_file_in_a_folder_is_noticed(
        self, tmp_path: Path, change: Callable[[Path], object]
    ) -> None:
        path = tmp_path / "master"
        path.write_text("secret")
        path.chmod(0o600)
        bell = Bell()
        with running(FileWatcher([tmp_path], bell, period=0.01)):
            time.sleep(0.02)  # before Linux 6.13 two changes within a tick have one time
            change(path)
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    def test_a_file_that_does_not_exist_yet_is_noticed_when_it_does(self, tmp_path: Path) -> None:
        path = tmp_path / "folder" / "10-wormhole.conflist"
        bell = Bell()
        with running(FileWatcher([path], bell, period=0.01)):
            path.parent.mkdir()
            path.write_text("{}")
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    @pytest.mark.parametrize(
        "change",
        [
            lambda name: name.unlink(),
            lambda name: (name.unlink(), name.symlink_to("elsewhere")),
            lambda name: (name.unlink(), name.write_text("{}")),
            lambda name: name.write_text("written through it"),
            lambda name: (name.parent / "target").unlink(),
        ],
        ids=["gone", "leads elsewhere", "plain file", "written through", "target gone"],
    )
    def test_whatever_happens_to_a_link_or_behind_it_is_noticed(
        self, tmp_path: Path, change: Callable[[Path], object]
    ) -> None:
        name, target = tmp_path / "name", tmp_path / "target"
        target.write_text("{}")
        name.symlink_to(target)
        bell = Bell()
        with running(FileWatcher([name], bell, period=0.01)):
            time.sleep(0.02)  # as above
            change(name)
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    def test_a_link_that_leads_nowhere_is_missed_when_it_goes(self, tmp_path: Path) -> None:
        name = tmp_path / "name"
        name.symlink_to("nowhere")
        bell = Bell()
        with running(FileWatcher([name], bell, period=0.01)):
            name.unlink()
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    def test_reading_is_no_change(self, tmp_path: Path) -> None:
        path = tmp_path / "private.key"
        path.write_text("key")
        bell = Bell()
        with running(FileWatcher([path, tmp_path], bell, period=0.01)):
            assert path.read_text() == "key"
            time.sleep(0.1)
        assert bell.causes == []

    def test_what_changed_between_making_and_starting_it_is_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "private.key"
        bell = Bell()
        watcher = FileWatcher([path], bell, period=0.01)
        path.write_text("key")
        with running(watcher):
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    def test_other_files_can_be_followed(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        bell = Bell()
        watcher = FileWatcher([one], bell, period=0.01)
        other.write_text("x")
        watcher.follow([other])
        with running(watcher):
            one.write_text("x")
            time.sleep(0.1)
            assert bell.causes == []
            other.write_text("y")
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    def test_following_the_same_files_overlooks_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "private.key"
        bell = Bell()
        watcher = FileWatcher([path], bell, period=0.01)
        path.write_text("key")
        watcher.follow([path, tmp_path / "another"])
        with running(watcher):
            assert bell.await_rings(1)[:1] == [Cause.FILE]

    def test_a_look_costs_little(self, tmp_path: Path) -> None:
        paths = [tmp_path / name for name in "abcdef"]
        for path in paths:
            path.write_text("x")
        before = time.thread_time()
        for _ in range(1000):
            look_at(paths)
        assert time.thread_time() - before < 1  # a millisecond each, a hundredth of that here


class FakeWatch:
    """Tells what it is given to tell; an exception is raised."""

    def __init__(self, *told: tuple[Event, ...] | Exception) -> None:
        self.told = deque(told)
        self.concerns: list[tuple[Collection[str], Collection[str]]] = []
        self.opened = 0

    @contextmanager
    def open(self) -> Iterator["FakeWatch"]:
        self.opened += 1
        yield self

    def concern(self, names: Collection[str], overlays: Collection[str]) -> None:
        self.concerns.append((names, overlays))

    def wait(self, timeout: float) -> tuple[Event, ...]:
        if not self.told:
            time.sleep(min(timeout, 0.01))
            return ()
        told = self.told.popleft()
        if isinstance(told, Exception):
            raise told
        return told


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without a pause to speak of."""
    monkeypatch.setattr(watchers, "_RETRY_FIRST", 0.01)


class TestKernel:
    def test_an_event_rings_and_is_remembered(self) -> None:
        bell, watch = Bell(), FakeWatch((BY_IP,))
        watcher = KernelWatcher(bell, open_watch=watch.open, monotonic=lambda: 5.0)
        with running(watcher):
            assert bell.await_rings(1) == [Cause.KERNEL]
        assert watcher.recent() == (Sighting(5.0, BY_IP),)

    @pytest.mark.parametrize("turned", [False, True])
    def test_who_did_it_is_told_by_the_plans_key_in_one_order_and_once(
        self, *, turned: bool
    ) -> None:
        nameless = Event(kind=EventKind.ROUTE, what=ROUTE, port=78)
        by_kernel = Event(kind=EventKind.ROUTE, what=ROUTE)
        bird = Event(kind=EventKind.ROUTE, what=ROUTE, port=80, who="bird")
        other = Event(kind=EventKind.ROUTE, what="other", port=79, who="dhcpcd")
        first = (BY_IP, BY_IP, nameless, bird)
        bell, watch = Bell(), FakeWatch(first[::-1] if turned else first, (by_kernel, other))
        watcher = KernelWatcher(bell, open_watch=watch.open)
        with running(watcher):
            bell.await_rings(2)
        assert watcher.culprits(ROUTE) == ("bird (process 80)", "ip (process 77)")
        assert watcher.culprits("wormhole-br0") == ()
        assert watcher.culprits(ROUTE, since=time.monotonic()) == ()

    def test_who_cannot_be_looked_up_is_told_of_only_alone(self) -> None:
        nameless = Event(kind=EventKind.ROUTE, what=ROUTE, port=78)
        bell, watch = Bell(), FakeWatch((nameless,))
        watcher = KernelWatcher(bell, open_watch=watch.open)
        with running(watcher):
            bell.await_rings(1)
        assert watcher.culprits(ROUTE) == ("a process that could not be looked up",)

    def test_processes_of_one_name_are_one_culprit(self) -> None:
        again = Event(kind=EventKind.ROUTE, what=ROUTE, gone=True, port=78, who="ip")
        bell, watch = Bell(), FakeWatch((BY_IP, again))
        watcher = KernelWatcher(bell, open_watch=watch.open)
        with running(watcher):
            bell.await_rings(1)
        assert watcher.culprits(ROUTE) == ("ip",)

    def test_only_the_last_events_are_kept(self) -> None:
        bell, watch = Bell(), FakeWatch((BY_IP,) * 1000)
        watcher = KernelWatcher(bell, open_watch=watch.open)
        with running(watcher):
            bell.await_rings(1)
        assert len(watcher.recent()) == 256

    def test_what_concerns_us_can_be_said_before_and_while_it_watches(self) -> None:
        bell, watch = Bell(), FakeWatch((BY_IP,))
        watcher = KernelWatcher(bell, open_watch=watch.open)
        watcher.concern(["wg"], ["10.244.0.0/16"])
        with running(watcher):
            bell.await_rings(1)
            watcher.concern(["wg", "br"], [])
        assert watch.concerns == [(("wg",), ("10.244.0.0/16",)), (("wg", "br"), ())]

    @pytest.mark.usefixtures("hasty")
    def test_an_error_is_logged_and_afterwards_everything_is_looked_at(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        error = Unobservable("watch", "the network", "closed", 9)
        bell, watch = Bell(), FakeWatch(error, RuntimeError())
        watcher = KernelWatcher(bell, open_watch=watch.open)
        watcher.concern(["wg"], [])
        with caplog.at_level(logging.WARNING, "wormhole.agent"), running(watcher):
            assert bell.await_rings(2) == [Cause.KERNEL] * 2  # once for each time it was deaf
        assert [record.getMessage() for record in caplog.records] == [
            "kernel watcher: watch the network: closed (code 9); trying again in 0 s",
            "kernel watcher: RuntimeError; trying again in 0 s",
        ]
        assert watch.opened == 3
        assert watch.concerns == [(("wg",), ())] * 3

    def test_a_watcher_that_always_fails_is_not_hot(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        waited: list[float] = []

        def refuse() -> FakeWatch:
            raise OSError(1, "Operation not permitted")

        watcher = KernelWatcher(Bell(), open_watch=refuse)  # type: ignore[arg-type] # never returns

        def pause(seconds: float) -> bool:
            waited.append(seconds)
            if len(waited) == 9:
                watcher._stopping.set()
            return True

        monkeypatch.setattr(watcher, "pause", pause)
        watcher.run()
        assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        assert len(caplog.records) == 9


@pytest.mark.kernel
def test_the_running_kernel_rings() -> None:
    if reason := missing():
        pytest.skip(f"network namespaces: {reason}")
    bell = Bell()
    with network_namespace():
        opened = threading.Event()

        @contextmanager
        def open_watch() -> Iterator[KernelWatch]:
            with KernelWatch() as watch:
                opened.set()
                yield watch

        watcher = KernelWatcher(bell, open_watch=open_watch)
        watcher.concern(["wormhole-br0"], [])
        with running(watcher):
            assert opened.wait(PATIENCE)
            time.sleep(0.1)
            subprocess.run("ip link add wormhole-br0 type bridge", shell=True, check=True)
            assert bell.await_rings(1)[:1] == [Cause.KERNEL]
    assert {sighting.event.what for sighting in watcher.recent()} == {"wormhole-br0"}
