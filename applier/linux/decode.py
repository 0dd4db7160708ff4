"""Links, addresses and routes from the bytes of rtnetlink messages.

Types, headers and attributes are those of ``linux/if_link.h``, ``linux/if_addr.h`` and
``linux/rtnetlink.h``.
"""

import errno
import socket
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from applier.host import Link, LiveRoute
from applier.linux.framing import NetlinkError, attribute_table, attributes
from schemas.values import InterfaceAddress, Prefix

LINK_HEADER: Final = struct.Struct("=BxHiII")
"""``struct ifinfomsg``: family, device type, index, flags, mask of flags to change."""
ADDRESS_HEADER: Final = struct.Struct("=BBBBI")
"""``struct ifaddrmsg``: family, prefix length, flags, scope, link index."""
ROUTE_HEADER: Final = struct.Struct("=BBBBBBBBI")
"""``struct rtmsg``: family, two lengths, TOS, table, protocol, scope, type, flags."""
_NEXT_HOP: Final = struct.Struct("=HBBi")
"""``struct rtnexthop``: length, flags, hops, link index."""
_U32: Final = struct.Struct("=I")

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19

IFF_UP: Final = 0x1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_GROUP = 1, 3, 4, 18, 27
IFLA_INFO_KIND: Final = 1

IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_SECONDARY: Final = 0x01
RT_SCOPE_LINK: Final = 253

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY = 1, 4, 5, 6
RTA_MULTIPATH, RTA_TABLE, RTA_VIA = 9, 15, 18
RT_TABLE_MAIN: Final = 254
RTM_F_CLONED: Final = 0x200
ROUTE_TYPES: Final = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}
"""``RTN_*``. Of the others, local, broadcast, anycast and multicast are the kernel's own."""

_ANYWHERE: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - not bound to


class AddressRecord(NamedTuple):
    """An address as the kernel keeps it: the peer belongs to an IPv4 address's key."""

    family: int
    local: str
    peer: str
    """The address at the other end; where there is none, the local one."""
    length: int
    secondary: bool
    link_local: bool

    @property
    def address(self) -> InterfaceAddress:
        """The address with its on-link length."""
        return InterfaceAddress(f"{self.local}/{self.length}")


def decode_link(payload: bytes) -> Link:
    """Read an ``RTM_NEWLINK`` message."""
    _, _, _, flags, _ = LINK_HEADER.unpack_from(payload)
    table = attribute_table(payload, LINK_HEADER.size)
    info = attribute_table(table.get(IFLA_LINKINFO, b""))
    return Link(
        name=_text(table[IFLA_IFNAME]),
        kind=_text(info.get(IFLA_INFO_KIND, b"")),
        group=_number(table.get(IFLA_GROUP)),
        mtu=_number(table.get(IFLA_MTU)),
        mac=table.get(IFLA_ADDRESS, b"").hex(":"),
        up=bool(flags & IFF_UP),
    )


def decode_address(payload: bytes, index: int) -> AddressRecord | None:
    """Read an ``RTM_NEWADDR`` message; None when it is of another link or family."""
    family, length, flags, scope, of_link = ADDRESS_HEADER.unpack_from(payload)
    if of_link != index or family not in _ANYWHERE:
        return None
    table = attribute_table(payload, ADDRESS_HEADER.size)
    # An IPv6 address without a peer has no IFA_LOCAL; IPv4 always has it.
    local = table.get(IFA_LOCAL) or table[IFA_ADDRESS]
    return AddressRecord(
        family=family,
        local=socket.inet_ntop(family, local),
        peer=socket.inet_ntop(family, table.get(IFA_ADDRESS, local)),
        length=length,
        secondary=family == socket.AF_INET and bool(flags & IFA_F_SECONDARY),
        link_local=family == socket.AF_INET6 and scope == RT_SCOPE_LINK,
    )


def decode_route(payload: bytes, device_name: Callable[[int], str]) -> LiveRoute | None:
    """Read an ``RTM_NEWROUTE`` message; None when it is not a route that somebody configured.

    A route over several next hops has their devices and gateways joined by commas, so that it
    equals no route over one. The device of an IPv6 rejecting route is left out: the kernel
    names ``lo`` there, whatever was asked for, and for IPv4 none.
    """
    family, length, _, _, table_8, protocol, _, number, flags = ROUTE_HEADER.unpack_from(payload)
    kind = ROUTE_TYPES.get(number)
    if kind is None or family not in _ANYWHERE or flags & RTM_F_CLONED:
        return None
    table = attribute_table(payload, ROUTE_HEADER.size)
    if _number(table.get(RTA_TABLE), table_8) != RT_TABLE_MAIN:
        return None
    hops = _next_hops(family, table, device_name) if kind == "unicast" else []
    destination = table.get(RTA_DST)
    network = socket.inet_ntop(family, destination) if destination else _ANYWHERE[family]
    return LiveRoute(
        destination=Prefix(f"{network}/{length}"),
        metric=_number(table.get(RTA_PRIORITY)),
        type=kind,
        protocol=protocol,
        device=",".join(device for device, _ in hops if device),
        gateway=",".join(gateway for _, gateway in hops if gateway),
    )


def _next_hops(
    family: int, table: dict[int, bytes], device_name: Callable[[int], str]
) -> list[tuple[str, str]]:
    """Return device and gateway of each next hop."""
    index = _number(table.get(RTA_OIF))
    hops = [(device_name(index), _gateway(family, table))] if index else []
    rest = table.get(RTA_MULTIPATH, b"")
    while len(rest) >= _NEXT_HOP.size:
        length, _, _, index = _NEXT_HOP.unpack_from(rest)
        if not _NEXT_HOP.size <= length <= len(rest):
            raise NetlinkError(errno.EBADMSG, f"a next hop of {length} bytes")
        inner = dict(attributes(rest[:length], _NEXT_HOP.size))
        hops.append((device_name(index), _gateway(family, inner)))
        rest = rest[(length + 3) & ~3 :]
    return hops


def _gateway(family: int, table: dict[int, bytes]) -> str:
    if gateway := table.get(RTA_GATEWAY):
        return socket.inet_ntop(family, gateway)
    if via := table.get(RTA_VIA):  # an IPv4 route by way of an IPv6 router
        (of_family,) = struct.unpack_from("=H", via)
        return socket.inet_ntop(of_family, via[2:])
    return ""


def _number(value: bytes | None, default: int = 0) -> int:
    return default if value is None else int(_U32.unpack_from(value)[0])


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="surrogateescape")
