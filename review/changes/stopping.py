"""Judge whether a difference within one host's document may stop traffic.

The compiler makes such differences only where the overlay changes; people make them with an editor.
A difference that only opens a hole stops nothing.
"""

from typing import Final

from review.changes.delta import Delta
from review.changes.frame import Frame
from schemas.state import Chain, HostState, RouteType, Verdict
from schemas.values import NodeName, Prefix

_ROUTE: Final = 2
"""Steps to a whole route: ``routes``, its number."""
_FORWARDING: Final = frozenset({"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"})
_NEEDED: Final = frozenset({Verdict.ACCEPT, Verdict.MASQUERADE, Verdict.CLAMP_MSS})
"""Verdicts that traffic depends on: with the chain that gives them, it may stop."""


def may_stop(frame: Frame, name: NodeName, delta: Delta, *, explained: bool) -> bool:
    """Whether traffic may stop. Routes always count, all else only where nothing explains it."""
    if delta.path[:1] == ("routes",):
        return _loses_way(frame, frame.new.hosts[name], delta)
    return not explained and _may_stop_by_hand(delta)


def _may_stop_by_hand(delta: Delta) -> bool:
    match delta.path:
        case ("sysctls", str(key)):
            return key in _FORWARDING and delta.after != "1"
        case ("firewall", str(), int(), "rules", int()):
            return delta.comes is (delta.value.verdict is Verdict.DROP)
        case ("firewall", str(), int()):
            return _stops(delta.value, gone=delta.goes)
        case ("firewall", str(), int(), *_):
            return True  # another hook, stage or position: who knows what it meets there
        case _:
            return False


def _loses_way(frame: Frame, host: HostState, delta: Delta) -> bool:
    """Whether a route into the tunnel goes, and none leads to the pods behind it."""
    if not delta.goes or len(delta.path) > _ROUTE or delta.value.type is not RouteType.UNICAST:
        return False
    ways = (route for route in host.routes if route.type is RouteType.UNICAST)
    lost: Prefix = delta.value.destination
    return frame.strands(lost, frozenset(route.destination for route in ways))


def _stops(chain: Chain, *, gone: bool) -> bool:
    verdicts = {rule.verdict for rule in chain.rules}
    return not verdicts.isdisjoint(_NEEDED) if gone else Verdict.DROP in verdicts
