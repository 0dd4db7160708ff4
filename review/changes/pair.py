"""One host in both states, and what its document took over from the mesh and from its node."""

from functools import cached_property
from ipaddress import ip_interface, ip_network

from review.changes.delta import Delta
from review.changes.frame import Frame
from review.changes.pattern import Pattern, Values
from review.changes.reason import Reason
from review.changes.review import Cause
from schemas.marks import is_guard
from schemas.state import Chain, HostState, Route, Rule, Verdict
from schemas.values import InterfaceName, NodeName, Prefix, is_ipv6

MASQUERADING = "nat"
"""The chain that translates sources."""


class View:
    """What one document of a host says about the values that its rules are made of."""

    def __init__(self, host: HostState, pods: tuple[Prefix, ...]) -> None:
        self.host = host
        self.pods = frozenset(pods)
        self._patterns: dict[tuple[str, str], frozenset[Pattern]] = {}

    @cached_property
    def overlay(self) -> frozenset[Prefix]:
        """The overlay: what its guards stand for."""
        routes = self.host.routes
        return frozenset(route.destination for route in routes if is_guard(route.metric))

    @property
    def device(self) -> InterfaceName:
        """The WireGuard device."""
        return self.host.wireguard.interface

    @property
    def bridge(self) -> InterfaceName:
        """The bridge."""
        return self.host.bridge.interface

    def routes_like(self, route: Route, others: "View") -> bool:
        """Whether it has a route like another's, for whatever prefix; or no routes at all."""
        wanted = route.type, route.metric, route.device == others.device
        mine = {(one.type, one.metric, one.device == self.device) for one in self.host.routes}
        return wanted in mine or not mine

    def has_pods(self, *, ipv6: bool) -> bool:
        """Whether it has pods of an IP family."""
        return any(is_ipv6(prefix) is ipv6 for prefix in self.pods)

    def has_overlay(self, *, ipv6: bool) -> bool:
        """Whether the overlay uses an IP family."""
        return any(is_ipv6(prefix) is ipv6 for prefix in self.overlay)

    def chain(self, family: str, name: str) -> Chain | None:
        """Return a chain by name."""
        return next((chain for chain in self.chains(family) if chain.name == name), None)

    def chains(self, family: str) -> tuple[Chain, ...]:
        """Return the chains of ``ipv4`` or ``ipv6``."""
        firewall = self.host.firewall
        return firewall.ipv6 if family == "ipv6" else firewall.ipv4

    @cached_property
    def values(self) -> Values:
        """What its rules are made of."""
        return Values(self.pods, self.overlay, self.device, self.bridge)

    def patterns(self, family: str, name: str) -> frozenset[Pattern]:
        """Return the patterns of a chain's rules."""
        key = family, name
        if key not in self._patterns:
            chain = self.chain(family, name)
            self._patterns[key] = self.values.patterns(chain.rules if chain else ())
        return self._patterns[key]

    @cached_property
    def masquerades(self) -> bool:
        """Whether pods leave the overlay as their host."""
        return any(
            rule.verdict is Verdict.MASQUERADE and rule.source in self.pods
            for family in ("ipv4", "ipv6")
            for rule in self._translations(family)
        )

    @cached_property
    def exceptions(self) -> frozenset[Prefix]:
        """The destinations outside the overlay that see pods' own addresses."""
        return frozenset(
            rule.destination
            for family in ("ipv4", "ipv6")
            for rule in self._translations(family)
            if rule.verdict is Verdict.RETURN
            and rule.source in self.pods
            and rule.destination is not None
            and rule.destination not in self.overlay
        )

    def _translations(self, family: str) -> tuple[Rule, ...]:
        chain = self.chain(family, MASQUERADING)
        return chain.rules if chain else ()


class Pair:
    """A host that is in both states."""

    def __init__(self, frame: Frame, name: NodeName) -> None:
        self.name = name
        self.frame = frame
        self.old = View(frame.old.hosts[name], frame.old_pods.get(name, ()))
        self.new = View(frame.new.hosts[name], frame.new_pods.get(name, ()))

    @property
    def bridges(self) -> tuple[str, str]:
        """The bridge's name, before and now."""
        return self.old.bridge, self.new.bridge

    @cached_property
    def lost_pods(self) -> frozenset[Prefix]:
        """Pod CIDRs that it has no longer."""
        return self.old.pods - self.new.pods

    @cached_property
    def gained_pods(self) -> frozenset[Prefix]:
        """Pod CIDRs that it did not have."""
        return self.new.pods - self.old.pods

    @cached_property
    def lost_overlay(self) -> frozenset[Prefix]:
        """Overlay prefixes that are no longer routed."""
        return self.old.overlay - self.new.overlay

    @cached_property
    def gained_overlay(self) -> frozenset[Prefix]:
        """Overlay prefixes that were not routed."""
        return self.new.overlay - self.old.overlay

    @cached_property
    def overlay_reason(self) -> Reason:
        """How the overlay of this host differs, as a reason."""
        lost, gained = sorted(self.lost_overlay), sorted(self.gained_overlay)
        return Reason(Cause.OVERLAY, before=tuple(lost), after=tuple(gained))

    def find_pod_cidr(self, address: Delta) -> Prefix | None:
        """Return the pod CIDR, lost or gained, that an address which goes or comes is of."""
        prefixes = self.lost_pods if address.goes else self.gained_pods
        text: str = address.value
        return next((prefix for prefix in sorted(prefixes) if _is_of(text, prefix)), None)


def _is_of(text: str, prefix: Prefix) -> bool:
    if is_ipv6(text) is not is_ipv6(prefix):
        return False
    try:
        return ip_interface(text).ip in ip_network(prefix)
    except ValueError:
        return False
