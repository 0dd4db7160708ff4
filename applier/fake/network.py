"""Links, addresses and routes in memory, with the kernel's habits.

Deleting a link takes its addresses and routes along; setting one down takes its routes, and IPv6
addresses; an address makes a connected route. A link has an IPv6 address once, whatever its length
(``ipv6_add_addr``, ``net/ipv6/addrconf.c``), and its last IPv4 address takes its IPv4 routes along
(``fib_disable_ip``, ``net/ipv4/fib_frontend.c``).
"""

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_interface
from typing import Final

from applier.errors import Exists, HostError, Missing
from applier.host import Link, LiveRoute
from schemas.values import InterfaceAddress, Prefix, is_ipv6

KERNEL: Final = 2
"""``RTPROT_KERNEL``."""


class FakeNetwork:
    """One network namespace."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self.addresses: dict[str, list[InterfaceAddress]] = {}
        self.routes: dict[tuple[str, int], LiveRoute] = {}
        """By destination and metric; connected routes are not here but follow from addresses."""

    def add_link(self, link: Link) -> None:
        """Add a link. Raises :class:`Exists`."""
        if link.name in self.links:
            raise Exists("create link", link.name, "File exists", 17)
        self.links[link.name] = link
        self.addresses[link.name] = []

    def link(self, name: str) -> Link:
        """Return a link. Raises :class:`Missing`."""
        if name not in self.links:
            raise Missing("find link", name, "No such device", 19)
        return self.links[name]

    def set_link(self, link: Link) -> None:
        """Put a changed link in place of the old one."""
        was_up = self.link(link.name).up
        self.links[link.name] = link
        if was_up and not link.up:
            self._drop_routes(link.name)
            kept = [address for address in self.addresses[link.name] if not is_ipv6(address)]
            self.addresses[link.name] = kept

    def delete_link(self, name: str) -> None:
        """Delete a link and all that hangs on it."""
        self.link(name)
        self._drop_routes(name)
        del self.links[name], self.addresses[name]

    def add_address(self, link: str, address: InterfaceAddress) -> None:
        """Add an address. Raises :class:`Exists`, :class:`Missing`."""
        self.link(link)
        bare = address.partition("/")[0]
        holds = [each.partition("/")[0] for each in self.addresses[link] if is_ipv6(each)]
        if address in self.addresses[link] or bare in holds:
            raise Exists("add address", f"{link} {address}", "File exists", 17)
        self.addresses[link].append(address)

    def delete_address(self, link: str, address: InterfaceAddress) -> None:
        """Delete exactly this address: the door keeps the kernel from taking others along."""
        self.link(link)
        if address not in self.addresses[link]:
            raise Missing("delete address", f"{link} {address}", "Cannot assign address", 99)
        self.addresses[link].remove(address)
        if not is_ipv6(address) and all(map(is_ipv6, self.addresses[link])):
            self._drop_routes(link, ipv6=False)

    def all_routes(self) -> tuple[LiveRoute, ...]:
        """Return every route, the connected ones too."""
        return (*self._connected(), *self.routes.values())

    def add_route(self, route: LiveRoute) -> None:
        """Add with ``NLM_F_EXCL``. Raises :class:`Exists` when the key is held by anybody."""
        self._check_device(route)
        if any(key_of(route) == key_of(other) for other in self.all_routes()):
            raise Exists("add route", f"{route.destination}", "File exists", 17)
        self.routes[key_of(route)] = route

    def replace_route(self, route: LiveRoute) -> None:
        """Replace whatever holds the key, as the kernel does: it does not look at the owner."""
        self._check_device(route)
        self.routes[key_of(route)] = route

    def delete_route(self, route: LiveRoute) -> None:
        """Delete exactly this route. Raises :class:`Missing`."""
        if self.routes.get(key_of(route)) != route:
            raise Missing("delete route", route.destination, "No such process", 3)
        del self.routes[key_of(route)]

    def _check_device(self, route: LiveRoute) -> None:
        if route.device and not self.link(route.device).up:
            raise HostError("add route", route.destination, "Network is down", 100)

    def _drop_routes(self, link: str, *, ipv6: bool | None = None) -> None:
        """Drop the routes by a link: of one family, or of both."""
        self.routes = {
            key: route
            for key, route in self.routes.items()
            if route.device != link or ipv6 not in {None, is_ipv6(route.destination)}
        }

    def _connected(self) -> Iterator[LiveRoute]:
        for link, addresses in self.addresses.items():
            for address in addresses if self.links[link].up else ():
                route = _connected_route(link, address)
                if route is not None:
                    yield route


@lru_cache
def _connected_route(link: str, address: str) -> LiveRoute | None:
    network = _network_of(address)
    if network.prefixlen == network.max_prefixlen:
        return None
    return LiveRoute(
        destination=Prefix(str(network)),
        metric=256 if network.version == 6 else 0,  # noqa: PLR2004 - IP6_RT_PRIO_ADDRCONF
        type="unicast",
        protocol=KERNEL,
        device=link,
    )


@lru_cache
def _network_of(address: str) -> IPv4Network | IPv6Network:
    return ip_interface(address).network


def key_of(route: LiveRoute) -> tuple[str, int]:
    """Return what the kernel tells routes apart by."""
    return route.destination, route.metric
