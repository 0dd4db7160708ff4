"""Turn everything that passes through the laboratory into sightings of tokens, as it passes."""

import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from lab.datagrams import NUMBERS, Datagram, Kind, mark, read_packet, read_transport
from lab.sockets import Net

from review.model.packet import Protocol

ANSWERING_PORT: Final = 7777
"""UDP port on which every place answers."""
_LARGEST: Final = 65535
_ETH_P_ALL, _ETH_P_IP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
_PACKET_OUTGOING: Final = 4
_PACKET_OTHERHOST: Final = 3
_IPV6_PKTINFO: Final = 50
_PKTINFO6: Final = struct.Struct("16sI")
_PKTINFO4: Final = struct.Struct("I4s4s")


class How(StrEnum):
    """In what way a token was seen."""

    LEAVING = "leaving"
    """Handed to a device, to be sent."""
    COMING = "coming"
    """Received by a device, before any hook of netfilter."""
    DELIVERED = "delivered"
    """Handed to the processes of a place, behind the last hook."""
    MADE = "made"
    """An ICMP error, on its way out of the host that made it, before any hook of ours."""
    CAUGHT = "caught"
    """Sent to a neighbour that is not there: see :mod:`lab.catcher`."""


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """One datagram, at one place."""

    where: str
    """The name of a namespace."""
    device: str = ""
    how: How
    datagram: Datagram

    def __str__(self) -> str:
        seen = self.datagram
        error = f" {seen.error[0]}/{seen.error[1]}" if seen.kind is Kind.ERROR else ""
        device = f" {self.device}" if self.device else ""
        ends = f"{seen.source} > {seen.destination}"
        return f"{self.where}{device} {self.how}: {seen.kind}{error} {ends}"


@dataclass(kw_only=True)
class Ears:
    """Listens on many sockets; what was heard is kept by token, in order."""

    heard: dict[int, list[Sighting]] = field(default_factory=dict)
    lately: float = 0.0
    """When a token was heard last (monotonic seconds)."""
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def add(self, listener: socket.socket, read: Callable[[socket.socket], None]) -> None:
        """Listen on a socket; ``read`` takes one message from it."""
        self._selector.register(listener, selectors.EVENT_READ, read)

    def close(self) -> None:
        """Close every socket."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr] # only sockets are registered
        self._selector.close()

    def note(self, sighting: Sighting) -> None:
        """Keep what was seen."""
        self.heard.setdefault(sighting.datagram.token, []).append(sighting)
        self.lately = time.monotonic()

    def listen(self, seconds: float) -> None:
        """Take what has come, and what comes within some seconds."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            ready = self._selector.select(max(left, 0))
            for key, _ in ready:
                self._drain(key.fileobj, key.data)  # type: ignore[arg-type] # only sockets are registered
            if left <= 0:
                return

    def listen_until_quiet(self, *, quiet: float, longest: float) -> None:
        """Listen until no token was heard for ``quiet`` seconds, or ``longest`` have passed."""
        begin = self.lately = time.monotonic()
        while time.monotonic() - self.lately < quiet and time.monotonic() - begin < longest:
            self.listen(quiet / 4)

    def _drain(self, listener: socket.socket, read: Callable[[socket.socket], None]) -> None:
        for _ in range(4096):  # others want to be heard, too
            try:
                read(listener)
            except BlockingIOError:
                return
            except OSError:  # a device went down, or an ICMP error came back: said once, and over
                continue

    def add_devices(self, net: Net) -> None:
        """Hear what every device of a namespace sends and receives."""

        def read(listener: socket.socket) -> None:
            data, (device, _, kind, _, _) = listener.recvfrom(_LARGEST)
            if kind == _PACKET_OTHERHOST:
                return
            if datagram := read_packet(data):
                how = How.LEAVING if kind == _PACKET_OUTGOING else How.COMING
                self.note(Sighting(where=net.name, device=device, how=how, datagram=datagram))

        self.add(net.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)), read)

    def add_processes(self, net: Net) -> None:
        """Hear what is delivered to a namespace, as any process there could."""
        for number in NUMBERS[False].values():
            self.add(net.socket(socket.AF_INET, socket.SOCK_RAW, number), self._hear_ipv4(net))
        for number in NUMBERS[True].values():
            listener = net.socket(socket.AF_INET6, socket.SOCK_RAW, number)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            self.add(listener, self._hear_ipv6(net, number))

    def _hear_ipv4(self, net: Net) -> Callable[[socket.socket], None]:
        def read(listener: socket.socket) -> None:
            if datagram := read_packet(listener.recv(_LARGEST)):
                self.note(Sighting(where=net.name, how=How.DELIVERED, datagram=datagram))

        return read

    def _hear_ipv6(self, net: Net, number: int) -> Callable[[socket.socket], None]:
        def read(listener: socket.socket) -> None:
            data, extra, _, sender = listener.recvmsg(_LARGEST, 64)
            for _, kind, content in extra:
                if kind != _IPV6_PKTINFO:
                    continue
                packed, _ = _PKTINFO6.unpack(content)
                destination = socket.inet_ntop(socket.AF_INET6, packed)
                source = sender[0].partition("%")[0]
                if datagram := read_transport(number, source, destination, data):
                    self.note(Sighting(where=net.name, how=How.DELIVERED, datagram=datagram))

        return read

    def add_answers(self, net: Net) -> None:
        """Let a namespace answer every shot over UDP, from the address that was asked."""
        for family, level, option, info in (
            (socket.AF_INET, socket.IPPROTO_IP, 8, _PKTINFO4),
            (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, _PKTINFO6),
        ):
            listener = net.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setsockopt(level, option, 1)
            listener.bind(("", ANSWERING_PORT))
            self.add(listener, _answer(level, info))


def _answer(level: int, info: struct.Struct) -> Callable[[socket.socket], None]:
    def read(listener: socket.socket) -> None:
        data, extra, _, sender = listener.recvmsg(_LARGEST, 64)
        heard = read_transport(NUMBERS[False][Protocol.UDP], "", "", bytes(8) + data)
        if heard is None or heard.kind is not Kind.SHOT:
            return
        for _, kind, content in extra:
            if kind in {8, _IPV6_PKTINFO}:
                local = _without_device(info.unpack(content))
                answer = mark(heard.token, answer=True)
                listener.sendmsg([answer], [(level, kind, info.pack(*local))], 0, sender)

    return read


def _without_device(fields: tuple[bytes | int, ...]) -> Iterator[bytes | int]:
    """Let routes choose the device; keep the address that was asked."""
    return (0 if isinstance(field, int) else field for field in fields)
