"""A host's links, addresses and routes to one batch for ``ip``."""

from renderers.template import render_template
from schemas.marks import LINK_GROUP, ROUTE_PROTOCOL
from schemas.state import HostState, Route, RouteType
from schemas.values import InterfaceAddress, InterfaceName, is_ipv6


def render(host: HostState) -> dict[str, str]:
    """Write ``ip.batch``, for ``ip -force -batch``.

    The order is the applier's: guard routes, links, addresses, up, routes. After every line a
    packet for the overlay is encrypted or unreachable.
    """
    guards = [route for route in host.routes if route.type is RouteType.UNREACHABLE]
    others = [route for route in host.routes if route.type is not RouteType.UNREACHABLE]
    values = {
        "host": host,
        "group": LINK_GROUP,
        "guards": [_spell_route(route) for route in guards],
        "addresses": [
            _spell_address(link.interface, address)
            for link in (host.wireguard, host.bridge)
            for address in link.addresses
        ],
        "routes": [_spell_route(route) for route in others],
    }
    return {"ip.batch": render_template("ip.batch", values)}


def _spell_route(route: Route) -> str:
    kind = "" if route.type is RouteType.UNICAST else f"{route.type} "
    device = f" dev {route.device}" if route.device else ""
    return f"{kind}{route.destination}{device} metric {route.metric} proto {ROUTE_PROTOCOL}"


def _spell_address(interface: InterfaceName, address: InterfaceAddress) -> str:
    """Spell an address; IPv6 is usable at once: nobody else may have it (RFC 4862, 5.4)."""
    return f"{address} dev {interface}" + (" nodad" if is_ipv6(address) else "")
