"""Turn the ICMP errors that a host makes into sightings, also of those that never leave it.

An nftables chain that only logs, before every other hook for locally made packets. The log comes
by netlink: ``linux/netfilter/nfnetlink_log.h``.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final

from lab.datagrams import Kind, read_packet
from lab.ears import Ears, How, Sighting
from lab.namespace import LabError
from lab.sockets import Net

_NETLINK_NETFILTER: Final = 12
_GROUP: Final = 87
RULES: Final = f"""
table inet shots {{
  chain errors {{
    type filter hook output priority -400;
    meta l4proto {{ icmp, icmpv6 }} log group {_GROUP} snaplen 1500 queue-threshold 1
  }}
}}
"""
"""For ``nft -f``: a table of its own, that decides nothing."""

_CONFIG: Final = 4 << 8 | 1
"""``NFNL_SUBSYS_ULOG``, ``NFULNL_MSG_CONFIG``."""
_PACKET: Final = 4 << 8
_CFG_CMD, _CFG_MODE, _PAYLOAD = 1, 2, 9
_BIND: Final = b"\x01"
_COPY_PACKET: Final = struct.pack(">IBx", 1500, 2)


def add_errors(ears: Ears, net: Net) -> None:
    """Hear the errors that a namespace makes; its rules must be loaded."""
    listener = net.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    for number, content in ((_CFG_CMD, _BIND), (_CFG_MODE, _COPY_PACKET)):
        _configure(listener, number, content)

    def read(listener: socket.socket) -> None:
        for payload in _payloads(listener.recv(1 << 17)):
            datagram = read_packet(payload)
            if datagram is not None and datagram.kind is Kind.ERROR:
                ears.note(Sighting(where=net.name, how=How.MADE, datagram=datagram))

    ears.add(listener, read)


def _configure(listener: socket.socket, number: int, content: bytes) -> None:
    attribute = struct.pack("HH", 4 + len(content), number) + content
    attribute = attribute.ljust((len(attribute) + 3) & ~3, b"\0")
    body = struct.pack(">BBH", 0, 0, _GROUP) + attribute
    request_and_ack = 5
    listener.setblocking(True)  # noqa: FBT003 - it has no name
    listener.send(struct.pack("IHHII", 16 + len(body), _CONFIG, request_and_ack, 1, 0) + body)
    error = struct.unpack_from("i", listener.recv(4096), 16)[0]
    listener.setblocking(False)  # noqa: FBT003 - as above
    if error:
        raise LabError(f"cannot log ICMP errors: error {-error}")


def _payloads(data: bytes) -> Iterator[bytes]:
    """Yield the packets in a batch of netlink messages."""
    while len(data) >= 16:
        size, kind = struct.unpack_from("IH", data)
        if size < 16:
            return
        if kind == _PACKET:
            yield from _attributes(data[20:size], _PAYLOAD)
        data = data[(size + 3) & ~3 :]


def _attributes(body: bytes, wanted: int) -> Iterator[bytes]:
    while len(body) >= 4:
        size, kind = struct.unpack_from("HH", body)
        if size < 4:
            return
        if kind == wanted:
            yield body[4:size]
        body = body[(size + 3) & ~3 :]
