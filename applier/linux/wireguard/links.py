"""The three link messages that a WireGuard device needs: make one, mark one, delete one.

Everything else about links goes through the host's own wrapper; these are here because the
device and its mark of ownership must come about together.
"""

import errno
import socket

from applier.errors import Exists, HostError, Missing, Unsupported
from applier.linux import encode
from applier.linux.decode import RTM_DELLINK, RTM_NEWLINK, RTM_SETLINK
from applier.linux.framing import NetlinkError
from applier.linux.netlink import (
    NETLINK_ROUTE,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Netlink,
    OpenChannel,
    SocketChannel,
)


def create_link(
    name: str, kind: str, group: int, open_channel: OpenChannel = SocketChannel
) -> None:
    """Make a link, down, with its group in the same message.

    Raises:
        Unsupported: the kernel has no links of this kind.
        Exists: a link of that name is already there.

    """
    try:
        _request(
            RTM_NEWLINK,
            encode.new_link(name, kind, group=group),
            NLM_F_CREATE | NLM_F_EXCL,
            open_channel,
        )
    except NetlinkError as error:
        classes = {errno.EEXIST: Exists, errno.EOPNOTSUPP: Unsupported}
        raise classes.get(error.code, HostError)(
            f"create {kind} link", name, error.reason, error.code
        ) from error


def set_group(name: str, group: int, open_channel: OpenChannel = SocketChannel) -> None:
    """Put a link into a group. Raises :class:`Missing` if it is not there."""
    index = link_index(name)
    if not index:
        raise Missing("set group of link", name, "no such link", errno.ENODEV)
    try:
        _request(RTM_SETLINK, encode.changed_link(index, group=group), 0, open_channel)
    except NetlinkError as error:
        raise _failure("set group of link", name, error) from error


def delete_link(name: str, open_channel: OpenChannel = SocketChannel) -> None:
    """Delete a link. Raises :class:`Missing` if it is not there."""
    try:
        _request(RTM_DELLINK, encode.link_named(name), 0, open_channel)
    except NetlinkError as error:
        raise _failure("delete link", name, error) from error


def link_index(name: str) -> int:
    """Return the index of a link; 0 when there is none of that name."""
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _request(kind: int, payload: bytes, flags: int, open_channel: OpenChannel) -> None:
    with Netlink(NETLINK_ROUTE, open_channel) as netlink:
        netlink.request(kind, payload, flags)


def _failure(operation: str, name: str, error: NetlinkError) -> HostError:
    kind = Missing if error.code == errno.ENODEV else HostError
    return kind(operation, name, error.reason, error.code)
