"""Netlink messages and attributes: bytes to their parts, parts to bytes.

Formats are those of ``linux/netlink.h`` and ``linux/genetlink.h``; numbers are in the host's
byte order, and everything starts at a multiple of 4 bytes.
"""

import errno
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

NLA_F_NESTED: Final = 0x8000
_NLA_TYPE_MASK: Final = 0x3FFF

MESSAGE_HEADER: Final = struct.Struct("=IHHII")
"""Length with this header, type, flags, sequence, port."""
ATTRIBUTE_HEADER: Final = struct.Struct("=HH")
"""Length with this header but without padding, type."""
GENERIC_HEADER: Final = struct.Struct("=BBxx")
"""Command, version."""


class NetlinkError(Exception):
    """The kernel refused, or could not be understood. ``code`` is an ``errno``."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = code
        self.reason = os.strerror(code) + (f" ({detail})" if detail else "")
        super().__init__(self.reason)


class Message(NamedTuple):
    """One netlink message without its header."""

    kind: int
    flags: int
    sequence: int
    payload: bytes
    port: int
    """In a notification: of the socket whose request it follows; 0 when it followed from none."""


def split_messages(datagram: bytes) -> Iterator[Message]:
    """Yield the messages of one datagram. Raises :class:`NetlinkError` when it is malformed."""
    start = 0
    while start + MESSAGE_HEADER.size <= len(datagram):
        length, kind, flags, sequence, port = MESSAGE_HEADER.unpack_from(datagram, start)
        end = start + length
        if length < MESSAGE_HEADER.size or end > len(datagram):
            raise NetlinkError(errno.EBADMSG, f"a message of {length} bytes")
        payload = datagram[start + MESSAGE_HEADER.size : end]
        yield Message(kind, flags, sequence, payload, port)
        start = align(end)


def align(length: int) -> int:
    """Round up to the 4 bytes that messages and attributes start at."""
    return (length + 3) & ~3


def attribute(kind: int, value: bytes) -> bytes:
    """Encode one attribute with its padding. Values over 65,531 bytes do not fit its length."""
    length = ATTRIBUTE_HEADER.size + len(value)
    return ATTRIBUTE_HEADER.pack(length, kind) + value + bytes(-length % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Encode an attribute made of attributes; strict families demand the flag."""
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def attributes(data: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each attribute. Raises :class:`NetlinkError` on a bad length."""
    end = len(data)
    while start + 4 <= end:
        length, kind = ATTRIBUTE_HEADER.unpack_from(data, start)
        if length < ATTRIBUTE_HEADER.size or start + length > end:
            raise NetlinkError(errno.EBADMSG, f"an attribute of {length} bytes")
        yield kind & _NLA_TYPE_MASK, data[start + 4 : start + length]
        start += (length + 3) & ~3


def attribute_table(data: bytes, start: int = 0) -> dict[int, bytes]:
    """Return attributes by type, as :func:`attributes` reads them, but in one go."""
    table: dict[int, bytes] = {}
    end = len(data)
    unpack = ATTRIBUTE_HEADER.unpack_from  # this loop is a quarter of reading a device
    while start + 4 <= end:
        length, kind = unpack(data, start)
        if length < 4 or start + length > end:  # noqa: PLR2004 - the header's size, as above
            raise NetlinkError(errno.EBADMSG, f"an attribute of {length} bytes")
        table[kind & _NLA_TYPE_MASK] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return table
