"""Turn the frames on a wire into packets with a name for what each one is.

The file format is libpcap's (``pcap-savefile(5)``), frames are Ethernet's (``LINKTYPE_ETHERNET``).
"""

import struct
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final, Self

from lab.namespace import LabError, Namespace, Process

_GLOBAL_HEADER: Final = 24
_RECORD_HEADER: Final = struct.Struct("<IIII")
_ETHERNET: Final = 14
_PROTOCOLS: Final = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6"}
# ICMPv6 types of listener and neighbour discovery (RFC 2710, 3810, 4861).
_NEIGHBOUR_DISCOVERY: Final = {
    130: "mld",
    131: "mld",
    132: "mld",
    133: "nd router solicitation",
    134: "nd router advertisement",
    135: "nd neighbour solicitation",
    136: "nd neighbour advertisement",
    143: "mld",
}
_SETTLE: Final = 0.3
"""Seconds after the last packet of interest until tcpdump has surely written it."""


@dataclass(frozen=True, kw_only=True)
class Packet:
    """One frame, as far as the laboratory looks at it."""

    protocol: str
    """``udp``, ``tcp``, ``icmp``, ``icmp6``, ``arp``, ``mld``, ``nd …``, or a number."""
    source: str = ""
    destination: str = ""
    ports: tuple[int, int] = (0, 0)
    size: int
    payload: bytes = b""

    def __str__(self) -> str:
        ends = f"{self._end(0)} > {self._end(1)}" if self.source else ""
        return f"{self.protocol} {ends} ({self.size} bytes)"

    def _end(self, index: int) -> str:
        address, port = (self.source, self.destination)[index], self.ports[index]
        if not port:
            return address
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    @property
    def is_local_chatter(self) -> bool:
        """Whether this is how neighbours find each other, and carries nobody's data."""
        return self.protocol == "arp" or self.protocol.startswith(("nd ", "mld"))

    @property
    def is_refusal(self) -> bool:
        """Whether this says that a packet found nobody (RFC 792, type 3; RFC 4443, type 1)."""
        unreachable = {"icmp": b"\x03", "icmp6": b"\x01"}.get(self.protocol)
        return unreachable is not None and self.payload[:1] == unreachable

    def is_wireguard(self, ports: Collection[int]) -> bool:
        """Whether this is a WireGuard message to or from one of these UDP ports.

        Message types 1 to 4, three zero bytes: WireGuard's protocol page, section 5.4.
        """
        header = self.payload[:4]
        return (
            self.protocol == "udp"
            and not {*self.ports}.isdisjoint(ports)
            and header[:1] in {b"\x01", b"\x02", b"\x03", b"\x04"}
            and header[1:] == b"\x00\x00\x00"
        )


class Capture:
    """A running tcpdump on one device of a namespace."""

    def __init__(self, namespace: Namespace, device: str) -> None:
        self._namespace = namespace
        self._device = device
        self._file = Path()
        self._process: Process | None = None
        self.packets: tuple[Packet, ...] = ()
        """Everything seen; filled when the context is left."""

    def __enter__(self) -> Self:
        with tempfile.NamedTemporaryFile(suffix=".pcap", delete=False) as file:
            self._file = Path(file.name)
        command = ("tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-s", "256")
        self._process = self._namespace.spawn(*command, "-i", self._device, "-w", str(self._file))
        # tcpdump says so on standard error once its socket is bound.
        said = self._process.stderr.readline()
        if b"listening on" not in said:
            self._process.stop()
            self._file.unlink()
            raise LabError(f"tcpdump on {self._device}: {said.decode().strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(_SETTLE)
        if self._process is not None:
            self._process.stop()
        self.packets = tuple(read_pcap(self._file.read_bytes()))
        self._file.unlink()

    def in_clear(self, ports: Collection[int]) -> tuple[Packet, ...]:
        """Return what is neither WireGuard on these ports nor neighbours finding each other."""
        return tuple(
            packet
            for packet in self.packets
            if not packet.is_local_chatter and not packet.is_wireguard(ports)
        )

    def encrypted(self, ports: Collection[int]) -> tuple[Packet, ...]:
        """Return the WireGuard messages."""
        return tuple(packet for packet in self.packets if packet.is_wireguard(ports))


def read_pcap(content: bytes) -> Iterator[Packet]:
    """Yield every whole frame of a capture file; an unfinished last record is left out."""
    offset = _GLOBAL_HEADER
    while offset + _RECORD_HEADER.size <= len(content):
        _, _, kept, size = _RECORD_HEADER.unpack_from(content, offset)
        offset += _RECORD_HEADER.size
        if offset + kept > len(content):
            return
        yield parse_frame(content[offset : offset + kept], size)
        offset += kept


def parse_frame(frame: bytes, size: int) -> Packet:
    """Name one Ethernet frame; ``size`` is its length on the wire in bytes."""
    ethertype = int.from_bytes(frame[12:14])
    body = frame[_ETHERNET:]
    if ethertype == 0x0806:
        return Packet(protocol="arp", size=size)
    if ethertype == 0x0800 and len(body) >= 20:
        return _parse_ipv4(body, size)
    if ethertype == 0x86DD and len(body) >= 40:
        return _parse_ipv6(body, size)
    return Packet(protocol=f"ethertype {ethertype:#06x}", size=size)


def _parse_ipv4(body: bytes, size: int) -> Packet:
    source, destination = IPv4Address(body[12:16]), IPv4Address(body[16:20])
    return _parse_transport(
        body[9], str(source), str(destination), body[(body[0] & 15) * 4 :], size
    )


def _parse_ipv6(body: bytes, size: int) -> Packet:
    source, destination = IPv6Address(body[8:24]), IPv6Address(body[24:40])
    following, rest = body[6], body[40:]
    if following == 0:  # hop-by-hop options, which multicast listener reports carry
        following, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    return _parse_transport(following, str(source), str(destination), rest, size)


def _parse_transport(number: int, source: str, destination: str, rest: bytes, size: int) -> Packet:
    protocol, ports, payload = _PROTOCOLS.get(number, f"protocol {number}"), (0, 0), b""
    if protocol in {"udp", "tcp"} and len(rest) >= 8:
        ports = (int.from_bytes(rest[0:2]), int.from_bytes(rest[2:4]))
        payload = rest[8:]
    elif protocol == "icmp6" and rest and rest[0] in _NEIGHBOUR_DISCOVERY:
        protocol = _NEIGHBOUR_DISCOVERY[rest[0]]
    elif protocol in {"icmp", "icmp6"}:
        payload = rest
    return Packet(
        protocol=protocol,
        source=source,
        destination=destination,
        ports=ports,
        size=size,
        payload=payload,
    )
