"""Turn a packet of the model into bytes with a token inside, and bytes into what they carry.

The layouts are those of RFC 791 and 8200 (IP), 792 and 4443 (ICMP), 768 (UDP) and 9293 (TCP).
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from review.model.packet import Packet, Protocol
from schemas.values import is_ipv6

_SHOT: Final = b"\xf5WHs"
_ANSWER: Final = b"\xf5WHa"
_TOKEN: Final = 8
"""Bytes of a token: four of a mark, four of a number."""
_UDP_HEADER: Final = 8
_ICMP, _TCP, _UDP, _FRAGMENT, _ICMPV6 = 1, 6, 17, 44, 58
NUMBERS: Final = {
    False: {Protocol.ICMP: _ICMP, Protocol.TCP: _TCP, Protocol.UDP: _UDP},
    True: {Protocol.ICMP: _ICMPV6, Protocol.TCP: _TCP, Protocol.UDP: _UDP},
}
"""Protocol numbers by whether it is IPv6."""


class Kind(StrEnum):
    """What a packet with a token is to the shot that the token belongs to."""

    SHOT = "shot"
    ANSWER = "answer"
    """What the receiver sent back: an echo reply, or our own UDP answer."""
    ERROR = "error"
    """An ICMP error that quotes it."""
    REDIRECT = "redirect"
    """Advice about a shorter way; the packet itself went on."""


@dataclass(frozen=True, kw_only=True)
class Datagram:
    """An IP packet that carries a token, or quotes one that does."""

    token: int
    kind: Kind
    source: str
    destination: str
    ports: tuple[int, int] = (0, 0)
    error: tuple[int, int] = (0, 0)
    """ICMP type and code of an error."""


def mark(token: int, *, answer: bool = False) -> bytes:
    """Return what a payload begins with."""
    return (_ANSWER if answer else _SHOT) + token.to_bytes(4)


def write_transport(packet: Packet, token: int, *, checksum: bool) -> bytes:
    """Write everything behind the IP header.

    The checksum of IPv6 is the kernel's where it sends the packet for us: ``checksum`` is for
    who writes the IP header as well.
    """
    ipv6 = is_ipv6(packet.destination)
    room = packet.size - (40 if ipv6 else 20)
    ports = (packet.source_port, packet.destination_port)
    if packet.protocol is Protocol.ICMP:
        head = struct.pack(">BBHHH", 128 if ipv6 else 8, 0, 0, packet.source_port, 1)
    elif packet.protocol is Protocol.UDP:
        head = struct.pack(">HHHH", *ports, room, 0)
    else:
        flags = 0x02 if packet.tcp_syn else 0x10
        head = struct.pack(">HHIIBBHHH", *ports, 1, 0, 5 << 4, flags, 65535, 0, 0)
    body = bytearray((head + mark(token)).ljust(room, b"."))
    if len(body) > room:
        raise ValueError(f"{packet.size} bytes are too few for a token")
    at = {Protocol.ICMP: 2, Protocol.UDP: 6, Protocol.TCP: 16}[packet.protocol]
    # UDP over IPv4 does without (RFC 768), for who leaves the source to the kernel.
    unknown = not packet.source and packet.protocol is Protocol.UDP
    if checksum or not (ipv6 or unknown):
        body[at : at + 2] = _sum_up(packet, bytes(body)).to_bytes(2)
    return bytes(body)


def write_packet(packet: Packet, token: int) -> bytes:
    """Write the whole IP packet, for who sends frames."""
    body = write_transport(packet, token, checksum=True)
    source, destination = ip_address(packet.source), ip_address(packet.destination)
    number = NUMBERS[is_ipv6(packet.destination)][packet.protocol]
    if is_ipv6(packet.destination):
        head = struct.pack(">IHBB", 6 << 28, len(body), number, 64)
        return head + source.packed + destination.packed + body
    fragment = 0x4000 if packet.dont_fragment else 0
    size = 20 + len(body)
    head = struct.pack(">BBHHHBBH", 0x45, 0, size, token & 0xFFFF, fragment, 64, number, 0)
    head += source.packed + destination.packed
    return head[:10] + _fold(head).to_bytes(2) + head[12:] + body


def _sum_up(packet: Packet, body: bytes) -> int:
    if packet.protocol is Protocol.ICMP and not is_ipv6(packet.destination):
        return _fold(body)
    number = NUMBERS[is_ipv6(packet.destination)][packet.protocol]
    addresses = ip_address(packet.source).packed + ip_address(packet.destination).packed
    return _fold(addresses + struct.pack(">II", len(body), number) + body) or 0xFFFF


def _fold(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def read_packet(data: bytes) -> Datagram | None:
    """Read an IP packet; None when it has nothing to do with a shot."""
    if len(data) < 20:
        return None
    if data[0] >> 4 == 4:
        behind = (data[0] & 15) * 4
        later_fragment = int.from_bytes(data[6:8]) & 0x1FFF
        number, addresses = data[9], (data[12:16], data[16:20])
    elif len(data) >= 48:
        behind, later_fragment = 40, 0
        number, addresses = data[6], (data[8:24], data[24:40])
        if number == _FRAGMENT:
            behind, later_fragment = 48, int.from_bytes(data[42:44]) & 0xFFF8
            number = data[40]
    else:
        return None
    if later_fragment:
        return None
    source, destination = (str(ip_address(address)) for address in addresses)
    return read_transport(number, source, destination, data[behind:])


def read_transport(number: int, source: str, destination: str, body: bytes) -> Datagram | None:
    """Read what is behind an IP header; None when it has nothing to do with a shot."""
    found = _find_token(body)
    if found is None:
        return None
    token, answered = found
    kind, error = Kind.ANSWER if answered else Kind.SHOT, (0, 0)
    if number in {_ICMP, _ICMPV6}:
        ports = (int.from_bytes(body[4:6]), 0)
        kind = _name_icmp(body[0], ipv6=number == _ICMPV6)
        if kind is Kind.ERROR:
            error, ports = (body[0], body[1]), (0, 0)
            quoted = read_packet(body[8:])
            if quoted is None or quoted.kind is not Kind.SHOT:
                return None
    else:
        ports = (int.from_bytes(body[0:2]), int.from_bytes(body[2:4]))
    return Datagram(
        token=token, kind=kind, source=source, destination=destination, ports=ports, error=error
    )


def _find_token(body: bytes) -> tuple[int, bool] | None:
    for text, answered in ((_SHOT, False), (_ANSWER, True)):
        at = body.find(text)
        if 0 <= at <= len(body) - _TOKEN:
            return int.from_bytes(body[at + 4 : at + _TOKEN]), answered
    return None


def _name_icmp(number: int, *, ipv6: bool) -> Kind:
    if number == (128 if ipv6 else 8):
        return Kind.SHOT
    if number == (129 if ipv6 else 0):
        return Kind.ANSWER
    if number == (137 if ipv6 else 5):
        return Kind.REDIRECT
    return Kind.ERROR
