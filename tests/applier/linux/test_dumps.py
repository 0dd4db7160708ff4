"""Unreadable is not empty: a dump is whole, or it raises."""

import errno
import struct
import subprocess
import time
from collections.abc import Callable

import pytest

from applier.errors import Unobservable
from applier.linux import netlink
from applier.linux.framing import MESSAGE_HEADER, attribute
from applier.linux.host import LinuxHost
from applier.linux.network import NetworkDoors

Ip = Callable[..., str]
RTM_NEWLINK, NLMSG_ERROR, NLMSG_DONE = 16, 2, 3
MULTI, INTERRUPTED = 0x2, 0x10
LINK = struct.pack("=BxHiII", 0, 1, 7, 1, 0) + attribute(3, b"eth0\0")


class FakeKernel:
    """Answers every request with the next of its prepared dumps, the last one for ever."""

    def __init__(self, *dumps: list[tuple[int, int, bytes]]) -> None:
        self._dumps = list(dumps)
        self.asked = 0
        self._datagrams: list[bytes] = []

    def __call__(self, _protocol: int) -> "FakeKernel":
        return self

    def send(self, message: bytes) -> None:
        sequence = MESSAGE_HEADER.unpack_from(message)[3]
        dump = self._dumps[min(self.asked, len(self._dumps) - 1)]
        self.asked += 1
        self._datagrams = [
            MESSAGE_HEADER.pack(16 + len(payload), kind, flags | MULTI, sequence, 0) + payload
            for kind, flags, payload in dump
        ]

    def receive(self, timeout: float) -> bytes:
        assert timeout > 0
        if not self._datagrams:
            raise TimeoutError
        return self._datagrams.pop(0)

    def close(self) -> None:
        self._datagrams = []


DONE = (NLMSG_DONE, 0, struct.pack("=i", 0))
WHOLE = [(RTM_NEWLINK, 0, LINK), DONE]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.mark.parametrize(
    "dump",
    [
        [(RTM_NEWLINK, INTERRUPTED, LINK), DONE],
        [(RTM_NEWLINK, 0, LINK), (NLMSG_DONE, INTERRUPTED, struct.pack("=i", 0))],
    ],
    ids=["in a message", "in its end"],
)
def test_an_interrupted_dump_is_asked_for_again(dump: list[tuple[int, int, bytes]]) -> None:
    kernel = FakeKernel(dump, dump, WHOLE)
    assert [link.name for link in NetworkDoors(kernel).links()] == ["eth0"]
    assert kernel.asked == 3


def test_a_dump_that_is_interrupted_every_time_is_unobservable() -> None:
    kernel = FakeKernel([(RTM_NEWLINK, INTERRUPTED, LINK), DONE])
    with pytest.raises(Unobservable) as caught:
        NetworkDoors(kernel).links()
    assert str(caught.value) == (
        "read links: Interrupted system call "
        f"(the dump was interrupted {netlink.DUMP_ATTEMPTS} times in a row) (code 4)"
    )


@pytest.mark.parametrize("read", ["links", "routes"])
@pytest.mark.parametrize("kind", [NLMSG_DONE, NLMSG_ERROR])
def test_a_dump_that_ends_with_an_error_is_unobservable(read: str, kind: int) -> None:
    refused = (kind, 0, struct.pack("=i", -errno.EPERM) + MESSAGE_HEADER.pack(16, 0, 0, 0, 0))
    kernel = FakeKernel([(RTM_NEWLINK, 0, LINK), refused])
    with pytest.raises(Unobservable) as caught:
        getattr(NetworkDoors(kernel), read)()
    assert str(caught.value) == f"read {read}: Operation not permitted (code 1)"


def test_a_dump_that_stops_without_an_end_is_unobservable() -> None:
    kernel = FakeKernel([(RTM_NEWLINK, 0, LINK)])
    with pytest.raises(Unobservable, match=r"^read links: Connection timed out \(no answer"):
        NetworkDoors(kernel).links()


@pytest.mark.parametrize(
    "payload", [b"", LINK[:10], LINK[:16], LINK[:-5]], ids=["empty", "cut", "nameless", "short"]
)
def test_an_answer_that_makes_no_sense_is_unobservable(payload: bytes) -> None:
    with pytest.raises(Unobservable, match=r"^read links: .*\(code 74\)$"):
        NetworkDoors(FakeKernel([(RTM_NEWLINK, 0, payload), DONE])).links()


def test_no_socket_is_unobservable() -> None:
    def refuse(_protocol: int) -> FakeKernel:
        raise OSError(errno.EMFILE, "Too many open files")

    with pytest.raises(Unobservable) as caught:
        NetworkDoors(refuse).routes()
    assert str(caught.value) == (
        "read routes: Too many open files (opening a netlink socket) (code 24)"
    )


@pytest.mark.kernel
def test_links_that_come_and_go_while_reading_hide_none_of_those_that_stay(
    host: LinuxHost, ip: Ip, monkeypatch: pytest.MonkeyPatch
) -> None:
    ip(*(f"link add stays{number} type veth peer name peer{number}" for number in range(60)))
    interrupted = 0
    once = netlink.Netlink._dump_once

    def count(self: netlink.Netlink, kind: int, payload: bytes) -> list[bytes] | None:
        nonlocal interrupted
        parts = once(self, kind, payload)
        interrupted += parts is None
        return parts

    monkeypatch.setattr(netlink.Netlink, "_dump_once", count)
    staying = {f"{name}{number}" for name in ("stays", "peer") for number in range(60)} | {"lo"}
    churn = "for n in $(seq 60); do echo link add c$n type bridge; echo link delete c$n; done"
    with subprocess.Popen(["sh", "-c", f"({churn}) | ip -batch -"]) as other:
        while other.poll() is None:
            try:
                names = [link.name for link in host.links()]
            except Unobservable:
                continue
            assert len(names) == len(set(names))
            assert staying <= set(names)
    assert other.returncode == 0
    assert interrupted > 0, "the churn interrupted nothing, so nothing was shown"
