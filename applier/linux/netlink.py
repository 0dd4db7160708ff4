"""Requests to the kernel, and its answers, checked: acknowledgements, dumps, interruptions."""

import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol, Self

from applier.linux.framing import (
    GENERIC_HEADER,
    MESSAGE_HEADER,
    Message,
    NetlinkError,
    align,
    attribute,
    attributes,
    split_messages,
)

NETLINK_ROUTE: Final = 0
NETLINK_GENERIC: Final = 16

NLM_F_REQUEST: Final = 0x001
NLM_F_ACK: Final = 0x004
NLM_F_DUMP_INTR: Final = 0x010
NLM_F_DUMP: Final = 0x300
NLM_F_EXCL: Final = 0x200
NLM_F_CREATE: Final = 0x400
NLM_F_CAPPED: Final = 0x100
NLM_F_ACK_TLVS: Final = 0x200

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLMSG_MIN_TYPE: Final = 16
NLMSGERR_ATTR_MSG: Final = 1

_SOL_NETLINK: Final = 270
_NETLINK_CAP_ACK: Final = 10
_NETLINK_EXT_ACK: Final = 11

_GENL_ID_CTRL: Final = 16
_CTRL_CMD_GETFAMILY: Final = 3
_CTRL_ATTR_FAMILY_ID: Final = 1
_CTRL_ATTR_FAMILY_NAME: Final = 2

_ERROR: Final = struct.Struct("=i")

TIMEOUT: Final = 30.0
"""Seconds for one exchange: the kernel answers in milliseconds unless it waits for ``rtnl``."""
DUMP_ATTEMPTS: Final = 6
RECEIVE_SIZE: Final = 1 << 16
"""Bytes. The kernel fills dumps to at most 32 KiB a datagram (``netlink_dump``)."""

_PORTS: Final = int.from_bytes(os.urandom(4)) & 0x3FFFFF00 | 0x40000000
"""The first of 256 ports that this process gives its sockets, so that it knows its own changes.

Every notification names the port of the socket whose request it follows. Ports that the kernel
chooses (``netlink_autobind``) tell nothing: a process's first socket gets the process id, which
means another process in another namespace, the others random numbers of the upper half.
"""


class Channel(Protocol):
    """A datagram channel to a kernel: a socket, or a test's own kernel."""

    def send(self, message: bytes, /) -> None:
        """Send one message whole."""

    def receive(self, timeout: float, /) -> bytes:
        """Return the next datagram from the kernel; ``TimeoutError`` when none comes."""

    def close(self) -> None:
        """Give the descriptor back."""


OpenChannel = Callable[[int], Channel]
"""Opens a channel for a netlink protocol (``NETLINK_*``); raises ``OSError``."""


class SocketChannel:
    """The channel to the running kernel."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol
        )
        # Without CAP_ACK a refusal carries the whole refused message back.
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        _bind(self._socket)

    def send(self, message: bytes) -> None:
        """Send one message to the kernel."""
        self._socket.sendto(message, (0, 0))

    def receive(self, timeout: float) -> bytes:
        """Return the next datagram that the kernel itself sent."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            data, _, flags, (port, _) = self._socket.recvmsg(RECEIVE_SIZE)
            if flags & socket.MSG_TRUNC:
                raise OSError(errno.EMSGSIZE, "a datagram was cut short")
            if port == 0:  # any process may write to our port; the kernel's own is 0
                return data
        raise TimeoutError

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def is_own_port(port: int) -> bool:
    """Whether a socket of this process has, or had, this port."""
    return port & ~0xFF == _PORTS


def _bind(unbound: socket.socket) -> None:
    """Give a socket one of our ports; when all are taken, one that the kernel chooses."""
    for port in range(_PORTS, _PORTS + 0x100):
        try:
            unbound.bind((port, 0))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return
    unbound.bind((0, 0))


class Netlink:
    """A conversation with one netlink protocol of the kernel. Raises only :class:`NetlinkError`."""

    def __init__(self, protocol: int, open_channel: OpenChannel = SocketChannel) -> None:
        try:
            self._channel = open_channel(protocol)
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO, "opening a netlink socket") from error
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def request(self, kind: int, payload: bytes, flags: int = 0) -> list[bytes]:
        """Send one message; return what is answered before the acknowledgement."""
        sequence = self._send(kind, flags | NLM_F_REQUEST | NLM_F_ACK, payload)
        answers: list[bytes] = []
        for message in self._answers(sequence):
            if message.kind == NLMSG_ERROR:
                _check(message)
                break
            answers.append(message.payload)
        return answers

    def dump(self, kind: int, payload: bytes) -> list[bytes]:
        """Ask for all objects; return the parts of an uninterrupted answer.

        A dump takes several datagrams, and the objects may change between them: the kernel
        then sets ``NLM_F_DUMP_INTR`` and goes on. Such a dump shows a state that never was.
        """
        for attempt in range(DUMP_ATTEMPTS):
            if attempt:
                time.sleep(0.005 * 2**attempt)
            parts = self._dump_once(kind, payload)
            if parts is not None:
                return parts
        raise NetlinkError(errno.EINTR, f"the dump was interrupted {DUMP_ATTEMPTS} times in a row")

    def _dump_once(self, kind: int, payload: bytes) -> list[bytes] | None:
        sequence = self._send(kind, NLM_F_REQUEST | NLM_F_DUMP, payload)
        parts: list[bytes] = []
        interrupted = False
        for message in self._answers(sequence):
            interrupted |= bool(message.flags & NLM_F_DUMP_INTR)
            if message.kind in {NLMSG_ERROR, NLMSG_DONE}:
                # A dump that fails midway ends like a whole one, but for the code in NLMSG_DONE.
                _check(message)
                break
            parts.append(message.payload)
        return None if interrupted else parts

    def _send(self, kind: int, flags: int, payload: bytes) -> int:
        self._sequence += 1
        length = MESSAGE_HEADER.size + len(payload)
        header = MESSAGE_HEADER.pack(length, kind, flags, self._sequence, 0)
        try:
            self._channel.send(header + payload)
        except OSError as error:
            raise NetlinkError(error.errno or errno.EIO, "sending to the kernel") from error
        return self._sequence

    def _answers(self, sequence: int) -> Iterator[Message]:
        """Yield the messages that answer one request; older answers are passed over."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                datagram = self._channel.receive(deadline - time.monotonic())
            except TimeoutError as error:
                raise NetlinkError(
                    errno.ETIMEDOUT, f"no answer from the kernel within {TIMEOUT:.0f} s"
                ) from error
            except OSError as error:
                raise NetlinkError(error.errno or errno.EIO, "reading from the kernel") from error
            for message in split_messages(datagram):
                if message.sequence == sequence and (
                    message.kind >= NLMSG_MIN_TYPE or message.kind in {NLMSG_ERROR, NLMSG_DONE}
                ):
                    yield message


def _check(message: Message) -> None:
    """Raise the error that an acknowledgement or the end of a dump carries, if any."""
    if len(message.payload) < _ERROR.size:
        raise NetlinkError(errno.EBADMSG, "an acknowledgement without a code")
    (code,) = _ERROR.unpack_from(message.payload)
    if code < 0:
        raise NetlinkError(-code, _extended_text(message))


def _extended_text(message: Message) -> str:
    """Return the kernel's own sentence about an error, if it sent one."""
    if not message.flags & NLM_F_ACK_TLVS:
        return ""
    start = _ERROR.size
    if message.kind == NLMSG_ERROR:
        (length, *_) = MESSAGE_HEADER.unpack_from(message.payload, start)
        start += MESSAGE_HEADER.size if message.flags & NLM_F_CAPPED else align(length)
    for kind, value in attributes(message.payload, start):
        if kind == NLMSGERR_ATTR_MSG:
            return value.rstrip(b"\0").decode(errors="replace")
    return ""


def resolve_family(netlink: Netlink, name: str) -> int:
    """Return the number of a generic netlink family; the kernel loads its module if need be.

    Raises:
        NetlinkError: with ``ENOENT`` when the kernel has no such family.

    """
    request = GENERIC_HEADER.pack(_CTRL_CMD_GETFAMILY, 1)
    request += attribute(_CTRL_ATTR_FAMILY_NAME, name.encode() + b"\0")
    for answer in netlink.request(_GENL_ID_CTRL, request):
        for kind, value in attributes(answer, GENERIC_HEADER.size):
            if kind == _CTRL_ATTR_FAMILY_ID:
                return int.from_bytes(value, sys.byteorder)
    raise NetlinkError(errno.ENOENT, f"no generic netlink family {name!r}")
