"""Changes to links, addresses and routes, as the payloads of rtnetlink messages.

pyroute2 encodes them. Only its three message classes are used: its sockets hide interrupted
dumps, and its package imports twenty protocols.
"""

import importlib.util
import socket
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from applier.host import LiveRoute
from applier.linux.decode import (
    IFF_UP,
    ROUTE_TYPES,
    RT_SCOPE_LINK,
    RT_TABLE_MAIN,
    AddressRecord,
)
from schemas.values import is_ipv6

_MESSAGE_HEADER_SIZE: Final = 16
_IFA_F_NODAD: Final = 0x02
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_NOWHERE: Final = 255
_TYPE_NUMBERS: Final = {name: number for number, name in ROUTE_TYPES.items()}

_Attributes = Sequence[tuple[str, object]]


class _Classes(NamedTuple):
    """pyroute2's message classes."""

    link: Any
    address: Any
    route: Any


@cache
def _classes() -> _Classes:
    """Import the three message classes without the rest of pyroute2: 48 ms instead of 210.

    A submodule needs its package to be in ``sys.modules``, not to have been run. So an empty
    package stands there meanwhile, and all of it is taken out again afterwards: who imports
    pyroute2 later gets a whole one.
    """
    spec = importlib.util.find_spec("pyroute2")
    if spec is None or "pyroute2" in sys.modules:
        return _import_classes()
    sys.modules["pyroute2"] = importlib.util.module_from_spec(spec)
    try:
        return _import_classes()
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "pyroute2"]:
            del sys.modules[name]


def _import_classes() -> _Classes:
    # Only a run that changes something pays for these.
    from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg  # noqa: PLC0415 - see above
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # noqa: PLC0415 - see above
    from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: PLC0415 - see above

    return _Classes(link=ifinfmsg, address=ifaddrmsg, route=rtmsg)


def new_bridge(name: str, *, mac: str, group: int) -> bytes:
    """Encode a bridge to be made, down."""
    kind = {"attrs": [("IFLA_INFO_KIND", "bridge")]}
    attributes = [
        ("IFLA_IFNAME", name),
        ("IFLA_ADDRESS", mac),
        ("IFLA_GROUP", group),
        ("IFLA_LINKINFO", kind),
    ]
    return _encode(_classes().link, attributes)


def changed_link(
    index: int, *, mtu: int | None, mac: str | None, group: int | None, up: bool | None
) -> bytes:
    """Encode what is given about a link.

    The index names it: with a name alone, the kernel takes ``IFLA_GROUP`` for the group whose
    links are to be changed (``__rtnl_newlink``, ``net/core/rtnetlink.c``).
    """
    given = {"IFLA_ADDRESS": mac, "IFLA_MTU": mtu, "IFLA_GROUP": group}
    attributes = [(name, value) for name, value in given.items() if value is not None]
    change = 0 if up is None else IFF_UP
    return _encode(
        _classes().link, attributes, index=index, flags=IFF_UP if up else 0, change=change
    )


def link_of(index: int) -> bytes:
    """Encode a link to be deleted."""
    return _encode(_classes().link, [], index=index)


def new_address(index: int, address: str) -> bytes:
    """Encode an address to be added; an IPv6 one is used at once, without asking around."""
    local, _, length = address.partition("/")
    attributes: list[tuple[str, object]] = [("IFA_LOCAL", local), ("IFA_ADDRESS", local)]
    if is_ipv6(address):
        attributes.append(("IFA_FLAGS", _IFA_F_NODAD))
    family = _family(address)
    return _encode(
        _classes().address, attributes, family=family, prefixlen=int(length), index=index
    )


def old_address(index: int, record: AddressRecord) -> bytes:
    """Encode an address to be deleted: the local one, its peer and its length must match."""
    attributes = [("IFA_LOCAL", record.local), ("IFA_ADDRESS", record.peer)]
    return _encode(
        _classes().address,
        attributes,
        family=record.family,
        prefixlen=record.length,
        index=index,
    )


def new_route(route: LiveRoute, index: int) -> bytes:
    """Encode a route to be added or put in another's place; ``index`` 0 is no device."""
    local = route.type == "unicast" and not route.gateway and not is_ipv6(route.destination)
    return _route(route, index, RT_SCOPE_LINK if local else _RT_SCOPE_UNIVERSE)


def old_route(route: LiveRoute, index: int) -> bytes:
    """Encode a route to be deleted; of IPv4's key, only the scope is left open."""
    return _route(route, index, _RT_SCOPE_NOWHERE)


def _route(route: LiveRoute, index: int, scope: int) -> bytes:
    network, _, length = route.destination.partition("/")
    attributes: list[tuple[str, object]] = [
        ("RTA_TABLE", RT_TABLE_MAIN),
        ("RTA_PRIORITY", route.metric),
    ]
    if length != "0":
        attributes.append(("RTA_DST", network))
    if index:
        attributes.append(("RTA_OIF", index))
    if route.gateway:
        attributes.append(("RTA_GATEWAY", route.gateway))
    return _encode(
        _classes().route,
        attributes,
        family=_family(route.destination),
        dst_len=int(length),
        table=RT_TABLE_MAIN,
        proto=route.protocol,
        scope=scope,
        type=_TYPE_NUMBERS[route.type],
    )


def _family(text: str) -> int:
    return socket.AF_INET6 if is_ipv6(text) else socket.AF_INET


def _encode(
    message_class: Any,  # noqa: ANN401 - pyroute2 has no types
    attributes: _Attributes,
    **fields: int,
) -> bytes:
    """Encode one message without its header.

    pyroute2 leaves out, in silence, what it does not know by name; here that is an error.
    """
    message = message_class()
    known = {name for name, *_ in message_class.fields}
    unknown = [name for name in fields if name not in known]
    unknown += [name for name, _ in attributes if not message.valid_nla(name)]
    if unknown:
        raise ValueError(f"{message_class.__name__} has no {', '.join(unknown)}")
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = list(attributes)
    message.encode()
    return bytes(message.data[_MESSAGE_HEADER_SIZE:])
