"""Routes of the main table: the guards, which make the overlay fail closed, and the others.

Two kinds, because guards come before everything else and go after everything else, and routes
through a device can only be made when the device is up.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar, Final

from applier.errors import HostError, Missing
from applier.host import Host, LiveRoute
from applier.kind import Difference, Kind, Need
from applier.ownership import owned_links
from applier.plan import Action, Change, Observed
from applier.view import View
from applier.wanted import Scope, Wanted
from schemas.marks import ROUTE_PROTOCOL, WORST_METRIC, is_guard

_KERNEL: Final = 2
"""``RTPROT_KERNEL``: connected routes, made with an address."""

_REJECTING: Final = frozenset({"unreachable", "blackhole", "prohibit"})

Network = IPv4Network | IPv6Network


class RouteKind(Kind[LiveRoute]):
    """Key: destination and metric, which is the kernel's own key (with TOS, which is 0)."""

    value_type: ClassVar[type] = LiveRoute
    guards: ClassVar[bool]

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, LiveRoute]:
        """Return the guards, or the routes that are not guards."""
        del scope
        routes = (
            LiveRoute(
                destination=route.destination,
                metric=route.metric,
                type=route.type,
                protocol=ROUTE_PROTOCOL,
                device=route.device or "",
            )
            for route in wanted.host.routes
        )
        return {key_of(route): route for route in routes if is_guard(route.metric) is self.guards}

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return our routes, and foreign ones that hold a part of the overlay."""
        owned = {}
        foreign = {}
        ours = owned_links(view, scope)
        overlays = tuple(map(ip_network, scope.names.overlays)) if scope.names else ()
        for route in view.routes:
            if is_guard(route.metric) is not self.guards:
                continue
            if route.protocol == ROUTE_PROTOCOL:
                owned[key_of(route)] = route
            elif not (route.protocol == _KERNEL and route.device in ours) and _is_in_way(
                route, overlays
            ):
                foreign[key_of(route)] = _describe(route)
        return Observed(owned=owned, foreign=foreign)

    def compare(
        self, desired: LiveRoute | None, observed: LiveRoute | None, last: LiveRoute | None
    ) -> Difference | None:
        """Compare whole routes; the kernel swaps one for another in a single step."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE)
        if observed is None:
            return Difference(action=Action.CREATE)
        return None if desired == observed else Difference(action=Action.UPDATE)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Make each change on its own: one that fails says nothing about the others."""
        del scope
        failures: dict[str, HostError] = {}
        for change in changes:
            try:
                _make(host, change)
            except Missing as error:
                if change.action is not Action.DELETE:
                    failures[change.key] = error
            except HostError as error:
                failures[change.key] = error
        return failures

    def dies_with(self, key: str, value: LiveRoute) -> tuple[Need, ...]:
        """Return the device: a route through it goes with it (``fib_disable_ip``)."""
        del key
        return (Need("link", value.device),) if value.device else ()


class GuardKind(RouteKind):
    """An unreachable route of worst metric for each overlay prefix."""

    name: ClassVar[str] = "guard"
    guards: ClassVar[bool] = True

    def outlives(self, key: str, value: LiveRoute) -> tuple[Need, ...]:
        """Return everything that carries traffic: first it goes, then what guards it."""
        del key, value
        return (Need("route"), Need("link"))


class OverlayRouteKind(RouteKind):
    """The overlay through the WireGuard device."""

    name: ClassVar[str] = "route"
    guards: ClassVar[bool] = False

    def needs(self, key: str, value: LiveRoute) -> tuple[Need, ...]:
        """Return the guard for the day when the device is gone, and the device, up."""
        del key
        guard = key_of(
            LiveRoute(destination=value.destination, metric=WORST_METRIC, type="", protocol=0)
        )
        device = (Need("link", value.device), Need("up", value.device)) if value.device else ()
        return (Need("guard", guard), *device)


GUARDS: Final = GuardKind()
ROUTES: Final = OverlayRouteKind()


def key_of(route: LiveRoute) -> str:
    """Return a route's key, as ``ip route`` would have it."""
    return f"{route.destination} metric {route.metric}"


def _is_in_way(route: LiveRoute, overlays: Sequence[Network]) -> bool:
    """Whether a foreign route sends a part of the overlay somewhere, or holds a key of ours."""
    network = ip_network(route.destination)
    inside = any(
        network.version == overlay.version and network.subnet_of(overlay)  # type: ignore[arg-type]
        for overlay in overlays  # one version on both sides, which the type cannot say
    )
    return inside and (route.type not in _REJECTING or is_guard(route.metric))


def _describe(route: LiveRoute) -> str:
    parts = (
        f"a {route.type} route of protocol {route.protocol}",
        f"via {route.gateway}" if route.gateway else "",
        f"on {route.device}" if route.device else "",
    )
    return f"{' '.join(filter(None, parts))} holds a part of the overlay and is not Wormhole's"


def _make(host: Host, change: Change) -> None:
    match change.action:
        case Action.CREATE:
            host.add_route(change.after)
        case Action.DELETE:
            host.delete_route(change.before)
        case _:
            host.replace_route(change.after)
