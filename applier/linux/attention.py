"""Which of the kernel's notifications are about something of ours: messages to events.

Only what an applier would look at again counts: a pod's link that comes and goes does not, nor
does our bridge's carrier, which follows its pods. No socket here, and no clock.
"""

import socket
import struct
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from ipaddress import ip_network
from typing import Final, NamedTuple

from applier.host import Link
from applier.linux.decode import (
    ADDRESS_HEADER,
    LINK_HEADER,
    ROUTE_HEADER,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_TABLE,
    RTM_DELLINK,
    RTM_NEWLINK,
    decode_address,
    decode_link,
    decode_route,
)
from applier.linux.framing import Message, attribute_table
from schemas.marks import LINK_GROUP, ROUTE_PROTOCOL
from schemas.state import Value
from schemas.values import is_ipv6

_RTM_NEWADDR, _RTM_DELADDR = 20, 21
_RTM_NEWROUTE, _RTM_DELROUTE = 24, 25
_RTM_NEWRULE, _RTM_DELRULE = 32, 33

_RTPROT_KERNEL: Final = 2
_FRA_DST, _FRA_SRC, _FRA_PRIORITY = 1, 2, 6  # linux/fib_rules.h
_TABLE_OFFSET, _PROTOCOL_OFFSET = 4, 5
"""Where ``rtm_table`` and ``rtm_protocol`` stand; a number over 255 reads ``RT_TABLE_COMPAT``."""
_U32: Final = struct.Struct("=I")


class EventKind(StrEnum):
    """What an event is about."""

    LINK = "link"
    ADDRESS = "address"
    ROUTE = "route"
    RULE = "rule"
    LOST = "lost"
    """Events came faster than they were read, and some were dropped: anything may have changed."""


class Event(Value, frozen=True, kw_only=True):
    """Something of ours, or in its place, that somebody changed."""

    kind: EventKind
    what: str
    """As a plan's key spells it, where plans have such objects: ``wormhole-br0``,
    ``wormhole-br0 10.244.1.1/24``, ``10.244.0.0/16 metric 1024``."""
    gone: bool = False
    """It, or its name, is no longer there."""
    port: int = 0
    """Netlink port of who asked for it, most often a process id. 0: the kernel did it by itself,
    or does not tell; it never tells of links, nor of IPv6 addresses (Linux 6.18)."""
    who: str = ""
    """The name of that process; empty when it had ended before it could be looked up."""


class _Network(NamedTuple):
    """A prefix as numbers, because routes come by the thousand."""

    family: int
    length: int
    bits: int
    """The address's first ``length`` bits."""

    def contains(self, other: "_Network") -> bool:
        """Whether the other one is inside this one, or is this one."""
        shift = other.length - self.length
        return self.family == other.family and shift >= 0 and other.bits >> shift == self.bits


class Attention:
    """What concerns us, and the links by index, which other messages speak of.

    ``notice`` belongs to one thread; ``concern`` may be called from any.
    """

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._overlays: tuple[_Network, ...] = ()
        self._links: dict[int, Link] = {}
        self._notes: dict[int, Callable[[Message], Event | None]] = {
            RTM_NEWLINK: self._note_link,
            RTM_DELLINK: self._note_link,
            _RTM_NEWADDR: self._note_address,
            _RTM_DELADDR: self._note_address,
            _RTM_NEWROUTE: self._note_route,
            _RTM_DELROUTE: self._note_route,
            _RTM_NEWRULE: self._note_rule,
            _RTM_DELRULE: self._note_rule,
        }

    def concern(self, names: Collection[str], overlays: Collection[str]) -> None:
        """Say which links' names are ours, and which prefixes our routes are for."""
        self._overlays = tuple(_parse(prefix) for prefix in overlays)
        self._names = frozenset(names)

    def know(self, links: Iterable[bytes]) -> None:
        """Take over what a dump of all links holds."""
        self._links = {_index_of(payload): decode_link(payload) for payload in links}

    def notice(self, message: Message) -> Event | None:
        """Take note of a message; return what it says that concerns us, if anything.

        Raises:
            NetlinkError, ValueError, LookupError, struct.error: it could not be understood.

        """
        note = self._notes.get(message.kind)
        return note(message) if note else None

    def _note_link(self, message: Message) -> Event | None:
        family, *_ = message.payload
        if family != socket.AF_UNSPEC:  # a bridge tells of its ports
            return None
        index = _index_of(message.payload)
        before = self._links.pop(index, None)
        after = decode_link(message.payload) if message.kind == RTM_NEWLINK else None
        if after is not None:
            self._links[index] = after
        if before == after:  # its carrier or its counters
            return None
        named = [link.name for link in (after, before) if link and link.name in self._names]
        marked = [link.name for link in (after, before) if link and link.group == LINK_GROUP]
        if not named and not marked:
            return None
        name = (named or marked)[0]
        gone = after is None or after.name != name
        return Event(kind=EventKind.LINK, what=name, gone=gone, port=message.port)

    def _note_address(self, message: Message) -> Event | None:
        index = ADDRESS_HEADER.unpack_from(message.payload)[4]
        link = self._links.get(index)
        if link is None or not self._is_ours(link):
            return None
        record = decode_address(message.payload, index)
        if record is None or record.link_local:
            return None
        what = f"{link.name} {record.address}"
        gone = message.kind == _RTM_DELADDR
        return Event(kind=EventKind.ADDRESS, what=what, gone=gone, port=message.port)

    def _note_route(self, message: Message) -> Event | None:
        payload = message.payload
        if payload[_TABLE_OFFSET] != RT_TABLE_MAIN:
            return None
        if payload[_PROTOCOL_OFFSET] != ROUTE_PROTOCOL and not self._is_overlay(payload):
            return None
        route = decode_route(payload, self._name_of)
        if route is None or self._is_connected(route.protocol, route.device):
            return None
        what = f"{route.destination} metric {route.metric}"
        gone = message.kind == _RTM_DELROUTE
        return Event(kind=EventKind.ROUTE, what=what, gone=gone, port=message.port)

    def _note_rule(self, message: Message) -> Event | None:
        """Take note of a policy rule, which may send packets to another table than ours.

        One for other destinations, or for other sources whatever the destination, is none of our
        business: there are CNIs that make one for each of their pods.
        """
        family, to_length, from_length, _, table, *_ = ROUTE_HEADER.unpack_from(message.payload)
        attributes = attribute_table(message.payload, ROUTE_HEADER.size)
        to = _network(family, attributes.get(_FRA_DST), to_length)
        source = _network(family, attributes.get(_FRA_SRC), from_length)
        if not self._touches(to if to.length else source):
            return None
        (table,) = _U32.unpack(attributes.get(RTA_TABLE, _U32.pack(table)))
        (priority,) = _U32.unpack(attributes.get(_FRA_PRIORITY, bytes(4)))
        what = f"{'IPv6' if family == socket.AF_INET6 else 'IPv4'} rule {priority} to table {table}"
        gone = message.kind == _RTM_DELRULE
        return Event(kind=EventKind.RULE, what=what, gone=gone, port=message.port)

    def _is_ours(self, link: Link) -> bool:
        return link.name in self._names or link.group == LINK_GROUP

    def _is_connected(self, protocol: int, device: str) -> bool:
        """Whether it is a route that the kernel itself makes from an address of ours."""
        return protocol == _RTPROT_KERNEL and device in self._names

    def _is_overlay(self, payload: bytes) -> bool:
        """Whether a route is for an overlay or a part of one. A wider one cannot catch a packet."""
        if not any(one.length <= payload[1] and one.family == payload[0] for one in self._overlays):
            return False
        destination = attribute_table(payload, ROUTE_HEADER.size).get(RTA_DST)
        network = _network(payload[0], destination, payload[1])
        return any(overlay.contains(network) for overlay in self._overlays)

    def _touches(self, network: _Network) -> bool:
        return any(one.contains(network) or network.contains(one) for one in self._overlays)

    def _name_of(self, index: int) -> str:
        link = self._links.get(index)
        return link.name if link else f"if{index}"


def _index_of(payload: bytes) -> int:
    index: int = LINK_HEADER.unpack_from(payload)[2]
    return index


def _parse(prefix: str) -> _Network:
    network = ip_network(prefix)
    family = socket.AF_INET6 if is_ipv6(prefix) else socket.AF_INET
    return _network(family, network.network_address.packed, network.prefixlen)


def _network(family: int, address: bytes | None, length: int) -> _Network:
    if address is None:  # anywhere
        return _Network(family, 0, 0)
    return _Network(family, length, int.from_bytes(address) >> (8 * len(address) - length))
