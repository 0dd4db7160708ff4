"""Build a host as a packet meets it: links, addresses, routes, chains, peers."""

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from review.model.matching import LongestMatch
from review.model.numbers import (
    BITS,
    Range,
    Reach,
    read_address,
    read_endpoint,
    read_interface_address,
    read_prefix,
)
from review.model.peers import PeerTable, build_peer_table
from review.model.pods import Pods, read_pods
from review.model.rules import Hooked, hang_chains
from review.model.story import Place
from schemas.document import MESH_FILE, host_path
from schemas.state import HostState, MeshState, RouteType, Value
from schemas.values import InterfaceName, NodeName, PublicKey

LOOPBACK: Final = InterfaceName("lo")
UNDERLAY: Final = InterfaceName("underlay")
"""How the model calls the device that documents say nothing about: it leads to the outside."""

UNKNOWN: Final = {False: read_address("192.0.0.8")[1], True: read_address("100::")[1]}
"""Stands for an underlay address that no document names (the dummy address of RFC 7600, and the
discard-only prefix of RFC 6666)."""


class Link(NamedTuple):
    """A device of ours."""

    name: InterfaceName
    mtu: int
    place: Place
    up: bool = True


class Scope(StrEnum):
    """What an address of the host is."""

    UNICAST = "unicast"
    BROADCAST = "broadcast"
    """The last of an IPv4 subnet (``fib_add_ifaddr`` in net/ipv4/fib_frontend.c)."""
    ANYCAST = "anycast"
    """The first of an IPv6 subnet, while the host forwards (``addrconf_join_anycast``)."""


class Address(NamedTuple):
    """An address of the host."""

    number: int
    ipv6: bool
    length: int
    """Of the prefix that it is on link with."""
    device: InterfaceName
    place: Place | None
    """None: assumed, since documents say nothing about the underlay's."""
    scope: Scope = Scope.UNICAST


class Way(NamedTuple):
    """A route, as a lookup finds it."""

    prefix: Range
    metric: int
    device: InterfaceName | None
    """None: unreachable."""
    place: Place | None
    """None: the kernel's own, or assumed."""
    connected: bool = False
    """The kernel's own, of an address (``proto kernel``)."""


class Machine(Value, frozen=True, kw_only=True):
    """One host. Variants of it are made by :mod:`review.model.variants`."""

    name: NodeName
    file: str
    public_key: PublicKey
    listen_port: int
    keepalive: int
    epoch: str | None
    tunnel: InterfaceName
    bridge: InterfaceName
    links: dict[InterfaceName, Link]
    addresses: tuple[Address, ...]
    """In the order in which they are added."""
    ways: tuple[Way, ...]
    pods: Pods
    sysctls: dict[str, str]
    chains: tuple[Hooked, Hooked]
    """Of IPv4 and of IPv6."""
    peers: PeerTable
    absent: frozenset[NodeName]
    """Who is in the table and not a peer: the host itself, and those that it lacks for now."""
    reach: Reach | None
    """Where peers reach it, by the mesh's document; None behind NAT."""
    reach_place: Place | None
    own: tuple[dict[int, Address], dict[int, Address]]
    """The local table, made of ``addresses``."""
    fib: tuple[LongestMatch[Way], LongestMatch[Way]]
    """The main table, made of ``ways``."""

    def at(self, *steps: str | int) -> Place:
        """Return a place in this host's document."""
        return Place(file=self.file, path=steps)


def build_machine(mesh: MeshState, host: HostState, peers: PeerTable | None = None) -> Machine:
    """Return one host; ``peers`` is its table, where several hosts share it."""
    file = host_path(host.name)
    wireguard, bridge = host.wireguard, host.bridge
    peers = build_peer_table(mesh, wireguard.peer_groups) if peers is None else peers
    reach, reach_place = _find_reach(mesh, host)
    addresses = (*_read_addresses(host, file), *_assume_addresses(reach))
    ways = (*_read_routes(host, file), *_connect(addresses), *_assume_routes())
    return with_routing(
        Machine(
            name=host.name,
            file=file,
            public_key=wireguard.public_key,
            listen_port=wireguard.listen_port,
            keepalive=wireguard.persistent_keepalive,
            epoch=wireguard.preshared_key_epoch,
            tunnel=wireguard.interface,
            bridge=bridge.interface,
            links=_read_links(host, file),
            addresses=addresses,
            ways=ways,
            pods=read_pods(host, file),
            sysctls=host.sysctls,
            chains=(
                hang_chains(host.firewall.ipv4, ipv6=False),
                hang_chains(host.firewall.ipv6, ipv6=True),
            ),
            peers=peers,
            absent=frozenset((host.name,)),
            reach=reach,
            reach_place=reach_place,
            own=({}, {}),
            fib=_EMPTY,
        )
    )


def with_routing(machine: Machine) -> Machine:
    """Return a machine whose tables are made anew of its links, addresses and ways."""
    narrow = {
        (name, ipv6)
        for name, link in machine.links.items()
        for ipv6 in (False, True)
        if link.mtu < _LEAST_MTU[ipv6]
    }
    own: tuple[dict[int, Address], dict[int, Address]] = ({}, {})
    for address in machine.addresses:
        if (address.device, address.ipv6) not in narrow:
            own[address.ipv6].setdefault(address.number, address)
            for other in _local_beside(address):
                own[address.ipv6].setdefault(other.number, other)
    placed = [
        (way.prefix, way)
        for way in sorted(machine.ways, key=_metric_of)
        if (way.device, way.prefix.ipv6) not in narrow
    ]
    fib = (LongestMatch(placed, ipv6=False), LongestMatch(placed, ipv6=True))
    return msgspec.structs.replace(machine, own=own, fib=fib)


def _metric_of(way: Way) -> int:
    return way.metric


def _local_beside(address: Address) -> Iterator[Address]:
    """Yield the broadcast or anycast address that comes with one that is on link with others."""
    host_bits = BITS[address.ipv6] - address.length
    if host_bits <= 1:
        return
    first = address.number >> host_bits << host_bits
    if address.ipv6:
        yield address._replace(number=first, scope=Scope.ANYCAST)
    else:
        yield address._replace(number=first | (1 << host_bits) - 1, scope=Scope.BROADCAST)


_LEAST_MTU: Final = {False: 68, True: 1280}
"""Below it a device has no such family (``inetdev_valid_mtu``, ``addrconf_notify``)."""

_EMPTY: Final[tuple[LongestMatch[Way], LongestMatch[Way]]] = (
    LongestMatch((), ipv6=False),
    LongestMatch((), ipv6=True),
)


def _read_links(host: HostState, file: str) -> dict[InterfaceName, Link]:
    devices = (("wireguard", host.wireguard), ("bridge", host.bridge))
    return {
        device.interface: Link(device.interface, device.mtu, Place(file=file, path=(field, "mtu")))
        for field, device in devices
    }


def _read_addresses(host: HostState, file: str) -> tuple[Address, ...]:
    devices = (("wireguard", host.wireguard), ("bridge", host.bridge))
    return tuple(
        Address(
            alone.first,
            alone.ipv6,
            on_link.length,
            device.interface,
            Place(file=file, path=(field, "addresses", index)),
        )
        for field, device in devices
        for index, text in enumerate(device.addresses)
        if (read := read_interface_address(text)) is not None
        for alone, on_link in (read,)
    )


def _assume_addresses(reach: Reach | None) -> tuple[Address, ...]:
    """Give the underlay device the endpoint's address, and one of each family that is unknown."""
    known = {reach.ipv6: reach.address} if reach else {}
    return tuple(
        Address(known.get(ipv6, UNKNOWN[ipv6]), ipv6, BITS[ipv6], UNDERLAY, None)
        for ipv6 in (False, True)
    )


def _read_routes(host: HostState, file: str) -> tuple[Way, ...]:
    return tuple(
        Way(
            prefix,
            route.metric,
            route.device if route.type is RouteType.UNICAST else None,
            Place(file=file, path=("routes", index)),
        )
        for index, route in enumerate(host.routes)
        if (prefix := read_prefix(route.destination)) is not None
    )


def _connect(addresses: tuple[Address, ...]) -> tuple[Way, ...]:
    """Return the routes that the kernel adds for addresses that are on link with others.

    Metric 0 in IPv4 (``fib_add_ifaddr``), 256 in IPv6 (``IP6_RT_PRIO_ADDRCONF``).
    """
    ways = []
    for address in addresses:
        host_bits = BITS[address.ipv6] - address.length
        if host_bits:
            first = address.number >> host_bits << host_bits
            last = first | (1 << host_bits) - 1
            prefix = Range(address.ipv6, first, last, address.length)
            metric = 256 if address.ipv6 else 0
            ways.append(Way(prefix, metric, address.device, address.place, connected=True))
    return tuple(ways)


@lru_cache(maxsize=1)
def _assume_routes() -> tuple[Way, ...]:
    """Return a default route of each family by the underlay's device, behind all others."""
    return tuple(
        Way(Range(ipv6, 0, (1 << BITS[ipv6]) - 1, 0), 1024, UNDERLAY, None)
        for ipv6 in (False, True)
    )


def _find_reach(mesh: MeshState, host: HostState) -> tuple[Reach | None, Place | None]:
    """Return where the mesh's document says that a host is reached, and where it says so."""
    for group, peers in mesh.peer_groups.items():
        peer = peers.get(host.name)
        if peer is not None and peer.endpoint is not None:
            place = Place(file=MESH_FILE, path=("peerGroups", group, host.name, "endpoint"))
            return read_endpoint(peer.endpoint), place
    return None, None
