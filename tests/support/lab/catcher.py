"""Turn packets for neighbours that are not there into sightings.

A packet whose next hop nobody has ends in a neighbour queue, unseen. Here somebody answers for
every address that nobody has, on every bridge and on the wire, so that what a host hands to a
device is always sent, and seen.
"""

import socket
import struct
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from typing import Final

from lab.datagrams import read_packet
from lab.ears import Ears, How, Sighting
from lab.sockets import Net

_ETHERNET: Final = 14
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_REQUEST: Final = 1
_SOLICITATION: Final = 135
_OTHERHOST, _OUTGOING = 3, 4


class Catcher:
    """A namespace with a port on each bridge; its device is named as the place is called."""

    def __init__(self, net: Net, ears: Ears) -> None:
        self.net = net
        self.taken: dict[str, Collection[str]] = {}
        """The addresses that somebody has, by place: for all others this answers."""
        self._ears = ears
        self._hardware: dict[str, bytes] = {}
        self._socket = net.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        ears.add(self._socket, self._read)

    def _read(self, listener: socket.socket) -> None:
        frame, (device, _, kind, _, _) = listener.recvfrom(65535)
        if kind in {_OTHERHOST, _OUTGOING} or device not in self.taken:
            return
        ethertype, body = int.from_bytes(frame[12:14]), frame[_ETHERNET:]
        if ethertype == _ARP:
            self._answer_arp(device, body)
        elif ethertype == _IPV6 and body[6] == 58 and body[40] == _SOLICITATION:
            self._answer_neighbour(device, frame[6:12], body)
        elif datagram := read_packet(body):
            seen = Sighting(where="catcher", device=device, how=How.CAUGHT, datagram=datagram)
            self._ears.note(seen)

    def _answer_arp(self, device: str, body: bytes) -> None:
        """Answer as RFC 826 has it."""
        sender, asker, wanted = body[8:14], body[14:18], body[24:28]
        if int.from_bytes(body[6:8]) != _REQUEST or self._is_taken(device, wanted):
            return
        own = self.hardware(device)
        reply = body[:6] + b"\0\2" + own + wanted + sender + asker
        self._send(device, sender, own, _ARP, reply)

    def _answer_neighbour(self, device: str, sender: bytes, body: bytes) -> None:
        """Answer as RFC 4861, 7.2.4 has it; the option holds the hardware address."""
        asker, wanted = body[8:24], body[48:64]
        if IPv6Address(asker).is_unspecified or self._is_taken(device, wanted):
            return
        own = self.hardware(device)
        message = struct.pack(">BBHI", 136, 0, 0, 0x60000000) + wanted + b"\2\1" + own
        pseudo = wanted + asker + struct.pack(">II", len(message), 58)
        total = sum(struct.unpack(f">{(len(pseudo + message)) // 2}H", pseudo + message))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        message = message[:2] + (total ^ 0xFFFF).to_bytes(2) + message[4:]
        head = struct.pack(">IHBB", 6 << 28, len(message), 58, 255)
        self._send(device, sender, own, _IPV6, head + wanted + asker + message)

    def _is_taken(self, device: str, packed: bytes) -> bool:
        address = ip_address(packed)
        return address.is_link_local or str(address) in self.taken[device]

    def hardware(self, device: str) -> bytes:
        """Return the hardware address that it answers with."""
        if device not in self._hardware:
            self._hardware[device] = self.net.hardware(device)
        return self._hardware[device]

    def _send(self, device: str, to: bytes, own: bytes, ethertype: int, body: bytes) -> None:
        frame = to + own + ethertype.to_bytes(2) + body
        self._socket.sendto(frame, (device, ethertype))
