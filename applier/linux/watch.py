"""The kernel's notifications about links, addresses, routes and rules to events that concern us."""

import errno
import os
import socket
import struct
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from msgspec.structs import replace

from applier.errors import Unobservable
from applier.linux.attention import Attention, Event, EventKind
from applier.linux.decode import LINK_HEADER, RTM_GETLINK
from applier.linux.framing import Message, NetlinkError, split_messages
from applier.linux.netlink import NETLINK_ROUTE, RECEIVE_SIZE, Netlink, is_own_port
from schemas.problems import neutralise

_GROUPS: Final = (1, 5, 7, 8, 9, 11, 19)
"""``RTNLGRP_LINK``, ``IPV4_IFADDR``, ``IPV4_ROUTE``, ``IPV4_RULE``, and the three of IPv6."""
_SOL_NETLINK: Final = 270
_NETLINK_ADD_MEMBERSHIP: Final = 1
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 1 << 20
"""Bytes for what has not been read yet: some 1,300 routes. The usual limit is a fifth of it."""

_PID_LIMIT: Final = 1 << 22
"""``PID_MAX_LIMIT``: no port from here on is a process id."""
_BATCH: Final = 0.1
"""Seconds for which more events are gathered at most, once one has come."""
_LOST: Final = Event(kind=EventKind.LOST, what="some events")


class KernelWatch:
    """A socket that hears what changes in this network namespace. For one thread.

    What this process itself changes through netlink is not told. The kernel does not say who
    changed a link, or an IPv6 address, so those are told whoever did it.
    """

    def __init__(self) -> None:
        self._attention = Attention()
        self._stack = ExitStack()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Begin to listen; what changes from now on will be told.

        Raises:
            Unobservable: the kernel does not let us.

        """
        with ExitStack() as stack:
            stack.callback(self._stack.close)
            with _explaining():
                self._open()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._socket = None

    def concern(self, names: Collection[str], overlays: Collection[str]) -> None:
        """Say which links' names are ours, and which prefixes our routes are for.

        May be called from any thread, and again whenever they change. What carries our marks
        (link group, route protocol) concerns us anyway.
        """
        self._attention.concern(names, overlays)

    def wait(self, timeout: float) -> tuple[Event, ...]:
        """Return what happened that concerns us; () when nothing did for ``timeout`` seconds.

        Events that were lost are an event.

        Raises:
            Unobservable: the socket does not work any more.

        """
        now = time.monotonic()
        deadline = now + timeout
        events: list[Event] = []
        while now < deadline:
            with _explaining():
                found = self._receive(deadline - now)
            now = time.monotonic()
            if found and not events:
                deadline = min(deadline, now + _BATCH)
            events += found
        return tuple(events)

    def _receive(self, timeout: float) -> list[Event]:
        """Return what the next datagram, if one comes, says that concerns us."""
        if self._socket is None:
            raise OSError(errno.EBADF, "not open")
        self._socket.settimeout(timeout)
        try:
            data, _, flags, (sender, _) = self._socket.recvmsg(RECEIVE_SIZE)
        except TimeoutError:
            return []
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            self._open()
            return [_LOST]
        if sender:  # any process may write to our port; the kernel's own is 0
            return []
        return [_LOST] if flags & socket.MSG_TRUNC else list(self._understand(data))

    def _understand(self, datagram: bytes) -> Iterator[Event]:
        try:
            for message in split_messages(datagram):
                event = self._attention.notice(message)
                if event is not None and not is_own_port(message.port):
                    yield replace(event, who=_name_process(message))
        except (NetlinkError, ValueError, LookupError, struct.error):
            yield _LOST

    def _open(self) -> None:
        """Listen on a new socket, and then read all links.

        An overrun socket would still hold what is older than the links that are read now.
        """
        self._stack.close()
        self._socket = self._stack.enter_context(_listen())
        request = LINK_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        with Netlink(NETLINK_ROUTE) as netlink:
            self._attention.know(netlink.dump(RTM_GETLINK, request))


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except (OSError, NetlinkError) as error:
        raise Unobservable("watch", "the network", str(error)) from error


def _listen() -> socket.socket:
    with ExitStack() as stack:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        listener = stack.enter_context(socket.socket(socket.AF_NETLINK, kind, NETLINK_ROUTE))
        with suppress(OSError):  # beyond the system's limit; CAP_NET_ADMIN may
            listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        listener.bind((0, 0))
        for group in _GROUPS:
            listener.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        stack.pop_all()
        return listener


def _name_process(message: Message) -> str:
    """Return the name of the process that asked for a change; empty when it cannot be known.

    A process's first socket has its id for a port, and that is all there is to go by: later
    sockets have random ones. With another process namespace than the host's, the id is nobody's
    here, or ours by chance: our own sockets have other ports.
    """
    if not 0 < message.port < _PID_LIMIT or message.port == os.getpid():
        return ""
    try:
        name = Path(f"/proc/{message.port}/comm").read_text(errors="replace")
    except OSError:
        return ""
    return neutralise(name.rstrip("\n"))  # a process gives itself its name
