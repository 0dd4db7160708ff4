"""The three link messages that a WireGuard device needs: make one, mark one, delete one.

Everything else about links goes through the host's own wrapper; these are here because the
device and its mark of ownership must come about together.
"""

import errno
import socket
import struct
from typing import Final

from applier.errors import Exists, HostError, Missing, Unsupported
from applier.linux.decode import (
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    LINK_HEADER,
    RTM_DELLINK,
    RTM_NEWLINK,
    RTM_SETLINK,
)
from applier.linux.framing import NetlinkError, attribute, nested
from applier.linux.netlink import (
    NETLINK_ROUTE,
    NLM_F_CREATE,
    NLM_F_EXCL,
    Netlink,
    OpenChannel,
    SocketChannel,
)

_U32: Final = struct.Struct("=I")


def create_link(
    name: str, kind: str, group: int, open_channel: OpenChannel = SocketChannel
) -> None:
    """Make a link, down, with its group in the same message.

    Raises:
        Unsupported: the kernel has no links of this kind.
        Exists: a link of that name is already there.

    """
    info = nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, kind.encode()))
    payload = _header() + _name(name) + _group(group) + info
    flags = NLM_F_CREATE | NLM_F_EXCL
    try:
        _request(RTM_NEWLINK, payload, flags, open_channel)
    except NetlinkError as error:
        classes = {errno.EEXIST: Exists, errno.EOPNOTSUPP: Unsupported}
        raise classes.get(error.code, HostError)(
            f"create {kind} link", name, error.reason, error.code
        ) from error


def set_group(name: str, group: int, open_channel: OpenChannel = SocketChannel) -> None:
    """Put a link into a group. Raises :class:`Missing` if it is not there.

    The index is sent, not the name: without an index, a kernel takes ``IFLA_GROUP`` for the
    group whose links to change (``rtnl_newlink``).
    """
    index = link_index(name)
    if not index:
        raise Missing("set group of link", name, "no such link", errno.ENODEV)
    payload = _header(index) + _group(group)
    try:
        _request(RTM_SETLINK, payload, 0, open_channel)
    except NetlinkError as error:
        raise _failure("set group of link", name, error) from error


def delete_link(name: str, open_channel: OpenChannel = SocketChannel) -> None:
    """Delete a link. Raises :class:`Missing` if it is not there."""
    try:
        _request(RTM_DELLINK, _header() + _name(name), 0, open_channel)
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


def _header(index: int = 0) -> bytes:
    return LINK_HEADER.pack(socket.AF_UNSPEC, 0, index, 0, 0)


def _name(name: str) -> bytes:
    return attribute(IFLA_IFNAME, name.encode() + b"\0")


def _group(group: int) -> bytes:
    return attribute(IFLA_GROUP, _U32.pack(group))
