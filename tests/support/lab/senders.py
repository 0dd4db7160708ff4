"""Turn packets of the model into packets on devices: as a process would send them, or as frames."""

import socket
import struct
from ipaddress import ip_address
from typing import Final

from lab.datagrams import NUMBERS, write_packet, write_transport
from lab.sockets import Net

from review.model.packet import Packet, Protocol
from schemas.values import is_ipv6

_ETHERTYPES: Final = {False: 0x0800, True: 0x86DD}
_IP_PKTINFO, _IP_MTU_DISCOVER, _IP_TRANSPARENT = 8, 10, 19
_IPV6_CHECKSUM, _IPV6_MTU_DISCOVER, _IPV6_PKTINFO, _IPV6_DONTFRAG = 7, 23, 50, 62
_IPV6_TRANSPARENT: Final = 75
_PROBE, _OMIT = 3, 5
"""Path MTU discovery that goes by the device and by nothing learned, with and without DF."""
_TTL: Final = 64


class Stack:
    """Sends as a process in a namespace does: its kernel chooses the route and may refuse.

    The source is whatever the packet says, and the kernel may not look whose it is
    (``IP_TRANSPARENT``): that is for the packets that a root in a pod would forge.
    """

    def __init__(self, net: Net) -> None:
        self.name = net.name
        self._sockets = {
            (ipv6, protocol): _open(net, number, ipv6=ipv6)
            for ipv6, numbers in NUMBERS.items()
            for protocol, number in numbers.items()
        }

    def close(self) -> None:
        """Close the sockets."""
        for each in self._sockets.values():
            each.close()

    def send(self, packet: Packet, token: int) -> None:
        """Send it.

        Raises:
            OSError: the kernel refused; ``errno`` tells why.

        """
        ipv6 = is_ipv6(packet.destination)
        sender = self._sockets[ipv6, packet.protocol]
        body = write_transport(packet, token, checksum=False)
        extra = []
        if packet.source:
            source = ip_address(packet.source).packed
            extra = [
                (socket.IPPROTO_IPV6, _IPV6_PKTINFO, source + struct.pack("I", 0))
                if ipv6
                else (socket.IPPROTO_IP, _IP_PKTINFO, struct.pack("I4s4s", 0, source, b"\0" * 4))
            ]
        discover = _PROBE if packet.dont_fragment else _OMIT
        if ipv6:
            sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, discover)
            sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, int(packet.dont_fragment))
        else:
            sender.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
        sender.sendmsg([body], extra, 0, (packet.destination, 0))


def _open(net: Net, number: int, *, ipv6: bool) -> socket.socket:
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    sender = net.socket(family, socket.SOCK_RAW, number)
    # It only sends: what comes to it is dropped before it costs anything.
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    if ipv6:
        level = socket.IPPROTO_IPV6
        sender.setsockopt(level, _IPV6_TRANSPARENT, 1)
        sender.setsockopt(level, socket.IPV6_MULTICAST_HOPS, _TTL)
        if number in {NUMBERS[True][Protocol.UDP], NUMBERS[True][Protocol.TCP]}:
            at = 6 if number == NUMBERS[True][Protocol.UDP] else 16
            sender.setsockopt(level, _IPV6_CHECKSUM, at)
        return sender
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    sender.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _TTL)
    return sender


class Frames:
    """Puts whole packets on a device of a namespace, past its kernel's routes and hooks."""

    def __init__(self, net: Net, device: str) -> None:
        self.name = net.name
        self._device = device
        self._socket = net.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, packet: Packet, token: int, *, hardware: bytes = b"") -> None:
        """Send it to a neighbour's hardware address; a tunnel has none.

        Raises:
            OSError: the device refused; ``errno`` tells why.

        """
        ethertype = _ETHERTYPES[is_ipv6(packet.destination)]
        self._socket.sendto(write_packet(packet, token), (self._device, ethertype, 0, 0, hardware))
