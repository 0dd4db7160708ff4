"""Changes to links, addresses and routes, as the payloads of rtnetlink messages.

The mirror of :mod:`applier.linux.decode`; the formats are named there.
"""

import socket
import struct
from ipaddress import ip_address
from typing import Final

from applier.host import LiveRoute
from applier.linux.decode import (
    ADDRESS_HEADER,
    IFA_ADDRESS,
    IFA_FLAGS,
    IFA_LOCAL,
    IFF_UP,
    IFLA_ADDRESS,
    IFLA_GROUP,
    IFLA_IFNAME,
    IFLA_INFO_KIND,
    IFLA_LINKINFO,
    IFLA_MTU,
    LINK_HEADER,
    ROUTE_HEADER,
    ROUTE_TYPES,
    RT_SCOPE_LINK,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_PRIORITY,
    RTA_TABLE,
    AddressRecord,
)
from applier.linux.framing import attribute, nested
from schemas.values import is_ipv6

_U32: Final = struct.Struct("=I")
_IFA_F_NODAD: Final = 0x02
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_NOWHERE: Final = 255
_TYPE_NUMBERS: Final = {name: number for number, name in ROUTE_TYPES.items()}


def new_link(name: str, kind: str, *, group: int, mac: str | None = None) -> bytes:
    """Encode a link to be made, down, with its mark of ownership in the same message."""
    parts = [
        LINK_HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0),
        attribute(IFLA_IFNAME, name.encode() + b"\0"),
        _number(IFLA_GROUP, group),
        nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, kind.encode())),
    ]
    if mac is not None:
        parts.append(_mac(mac))
    return b"".join(parts)


def changed_link(
    index: int,
    *,
    mtu: int | None = None,
    mac: str | None = None,
    group: int | None = None,
    up: bool | None = None,
) -> bytes:
    """Encode what is given about a link.

    The index names it: with a name alone, the kernel takes ``IFLA_GROUP`` for the group whose
    links are to be changed (``__rtnl_newlink``, ``net/core/rtnetlink.c``).
    """
    change = 0 if up is None else IFF_UP
    parts = [LINK_HEADER.pack(socket.AF_UNSPEC, 0, index, IFF_UP if up else 0, change)]
    if mac is not None:
        parts.append(_mac(mac))
    if mtu is not None:
        parts.append(_number(IFLA_MTU, mtu))
    if group is not None:
        parts.append(_number(IFLA_GROUP, group))
    return b"".join(parts)


def link_of(index: int) -> bytes:
    """Encode a link to be deleted."""
    return changed_link(index)


def link_named(name: str) -> bytes:
    """Encode a link to be deleted, whatever its index."""
    return changed_link(0) + attribute(IFLA_IFNAME, name.encode() + b"\0")


def new_address(index: int, address: str) -> bytes:
    """Encode an address to be added; an IPv6 one is used at once, without asking around."""
    local, _, length = address.partition("/")
    payload = _address(index, _family(address), int(length), local, local)
    return payload + _number(IFA_FLAGS, _IFA_F_NODAD) if is_ipv6(address) else payload


def old_address(index: int, record: AddressRecord) -> bytes:
    """Encode an address to be deleted: the local one, its peer and its length must match."""
    return _address(index, record.family, record.length, record.local, record.peer)


def new_route(route: LiveRoute, index: int) -> bytes:
    """Encode a route to be added or put in another's place; ``index`` 0 is no device."""
    local = route.type == "unicast" and not route.gateway and not is_ipv6(route.destination)
    return _route(route, index, RT_SCOPE_LINK if local else _RT_SCOPE_UNIVERSE)


def old_route(route: LiveRoute, index: int) -> bytes:
    """Encode a route to be deleted; of IPv4's key, only the scope is left open."""
    return _route(route, index, _RT_SCOPE_NOWHERE)


def _address(index: int, family: int, length: int, local: str, peer: str) -> bytes:
    header = ADDRESS_HEADER.pack(family, length, 0, 0, index)
    return header + _packed(IFA_LOCAL, local) + _packed(IFA_ADDRESS, peer)


def _route(route: LiveRoute, index: int, scope: int) -> bytes:
    network, _, length = route.destination.partition("/")
    kind = _TYPE_NUMBERS[route.type]
    family = _family(route.destination)
    parts = [
        ROUTE_HEADER.pack(family, int(length), 0, 0, RT_TABLE_MAIN, route.protocol, scope, kind, 0),
        _number(RTA_TABLE, RT_TABLE_MAIN),
        _number(RTA_PRIORITY, route.metric),
    ]
    if length != "0":
        parts.append(_packed(RTA_DST, network))
    if index:
        parts.append(_number(RTA_OIF, index))
    if route.gateway:
        parts.append(_packed(RTA_GATEWAY, route.gateway))
    return b"".join(parts)


def _family(text: str) -> int:
    return socket.AF_INET6 if is_ipv6(text) else socket.AF_INET


def _number(kind: int, number: int) -> bytes:
    return attribute(kind, _U32.pack(number))


def _packed(kind: int, address: str) -> bytes:
    return attribute(kind, ip_address(address).packed)


def _mac(mac: str) -> bytes:
    return attribute(IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))
