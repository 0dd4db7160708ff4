"""The overlay's prefixes to routes: into the tunnel, or nowhere."""

from typing import Final

from compiler.topology import Topology
from schemas.marks import WORST_METRIC
from schemas.state import Route, RouteType

OVERLAY_METRIC: Final = 1024
"""IPv6's default (``IP6_RT_PRIO_USER``), and for IPv4 too: with IPv4's default of 0 the route
would have the key of the bridge's connected route where a pod CIDR equals an overlay CIDR."""


def project_routes(topology: Topology) -> tuple[Route, ...]:
    """Return each overlay CIDR twice: by the tunnel, and unreachable with the worst metric.

    The guard is attached to no device of ours. When the tunnel goes, its route goes with it, and
    the overlay's packets meet the guard instead of the host's default route.
    """
    overlay = [prefix for family in topology.families for prefix in family.overlay]
    return tuple(
        route
        for prefix in overlay
        for route in (
            Route(
                destination=prefix,
                type=RouteType.UNICAST,
                metric=OVERLAY_METRIC,
                device=topology.mesh.interface,
            ),
            Route(destination=prefix, type=RouteType.UNREACHABLE, metric=WORST_METRIC),
        )
    )
