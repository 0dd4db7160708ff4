"""A mesh to the small one that is walked for it: representatives, their addresses, their pairs."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import Final

import msgspec
from msgspec.structs import replace

from review.model.machine import UNKNOWN, Machine, Scope
from review.model.network import Network, build_network
from review.model.numbers import Range, read_address, spell_address, spell_addresses
from review.model.packet import Packet, Protocol, Start
from review.model.story import Story
from review.model.surroundings import Surroundings
from review.model.walk import walk
from review.proof.atlas import FAMILIES, Atlas, whole_space
from review.proof.belongings import Span, find_span, list_members, list_spans
from review.proof.classes import ADDRESS, HostClass, reduce_documents, sort_into_classes
from schemas.state import Documents, HostState, Verdict
from schemas.values import NodeName

STRICT: Final = Surroundings(
    forward_policy=Verdict.DROP,
    sysctls={
        "net.ipv4.conf.all.rp_filter": "1",
        "net.bridge.bridge-nf-call-iptables": "1",
        "net.bridge.bridge-nf-call-ip6tables": "1",
    },
)
"""A host that lets through as little as hosts do: what arrives here arrives on any other."""

LAX: Final = Surroundings(
    forward_policy=Verdict.ACCEPT,
    sysctls={
        "net.ipv4.ip_forward": "1",
        "net.ipv6.conf.all.forwarding": "1",
        "net.ipv4.conf.all.rp_filter": "0",
    },
)
"""A host that lets through whatever our rules do: what is stopped here is stopped on any other."""

_SPECIAL: Final = (
    *("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "0.0.0.0/32", "255.255.255.255/32"),
    *("::1/128", "::/128", "fe80::/10", "ff00::/8", "fc00::/7", "2002::/16", "2001::/32"),
)
"""What the kernel itself tells from other addresses."""


PACKETS: Final = 400_000
"""Walked for one claim at most: half a minute. A mesh of ten kinds of hosts takes a tenth of it."""


class ExhaustedError(Exception):
    """More packets would have to be walked than anybody waits for."""


class World:
    """The representatives of a mesh, walked for all its members."""

    def __init__(
        self,
        documents: Documents,
        classes: tuple[HostClass, ...] | None = None,
        path_mtus: Mapping[frozenset[NodeName], int] | None = None,
    ) -> None:
        mtus = dict(path_mtus or {})
        apart = frozenset[NodeName]().union(*mtus)
        self.whole = documents
        self.classes = sort_into_classes(documents, apart) if classes is None else classes
        names = [name for each in self.classes for name in each.representatives]
        self.documents = reduce_documents(documents, names)
        self.members = list_members(self.documents)
        self.strict = build_network(self.documents, replace(STRICT, path_mtus=mtus))
        self.lax = build_network(self.documents, LAX)
        self.atlas = Atlas(list_boundaries(self.documents))
        self.packets = 0
        """Walked so far."""
        self._most = PACKETS
        self.situations = 0
        """States of hosts walked so far."""

    def allow(self, packets: int) -> None:
        """Let so many packets be walked from now on."""
        self._most = self.packets + packets

    def walk(self, network: Network, packet: Packet, start: Start) -> Story:
        """Walk a packet, and count it.

        Raises:
            ExhaustedError: so many packets were walked as are allowed.

        """
        if self.packets >= self._most:
            raise ExhaustedError
        self.packets += 1
        return walk(network, packet, start)

    @cached_property
    def families(self) -> tuple[bool, ...]:
        """The families that the overlay uses, or pods have, by whether they are IPv6."""
        machines = self.lax.machines.values()
        pods = {each.addresses.ipv6 for machine in machines for each in machine.pods.ranges}
        overlay = self.lax.surroundings.overlay
        return tuple(ipv6 for ipv6 in FAMILIES if overlay[ipv6] or ipv6 in pods)

    @cached_property
    def hosts(self) -> tuple[HostClass, ...]:
        """The classes whose members have documents."""
        return tuple(each for each in self.classes if each.names[0] in self.whole.hosts)

    def list_pairs(self) -> Iterator[tuple[NodeName, NodeName, int]]:
        """Yield two hosts for every two classes, and how many ordered pairs they stand for."""
        for one, other in product(self.hosts, self.hosts):
            if one is not other:
                yield one.names[0], other.names[0], len(one.names) * len(other.names)
            elif len(one.names) > 1:
                yield one.names[0], one.names[1], len(one.names) * (len(one.names) - 1)

    def list_forgers(self) -> Iterator[tuple[NodeName, NodeName, int]]:
        """Yield a peer and a host for every two classes; a peer need not have a document."""
        yield from self.list_pairs()
        for one, other in product(self.classes, self.hosts):
            if one not in self.hosts:
                yield one.names[0], other.names[0], len(one.names) * len(other.names)

    def pods_of(self, machine: Machine, *, ipv6: bool) -> tuple[str, ...]:
        """Return addresses of pods: one for all that nothing tells apart."""
        spans = [_span_of(each.addresses) for each in machine.pods.ranges]
        return self._pick(spans, ipv6=ipv6)

    def overlay_addresses(
        self, machine: Machine, device: str = "", *, ipv6: bool
    ) -> tuple[str, ...]:
        """Return a host's own addresses that are in the overlay: of one device, or of both."""
        return tuple(
            address
            for address in own_addresses(machine, device, ipv6=ipv6)
            if self.lax.surroundings.covers(read_address(address)[1], ipv6=ipv6)
        )

    def overlay_of(self, *, ipv6: bool) -> tuple[str, ...]:
        """Return addresses of the overlay: pods', hosts', and nobody's."""
        return self._pick(self.overlay_spans(ipv6=ipv6), ipv6=ipv6)

    def overlay_spans(self, *, ipv6: bool) -> tuple[Span, ...]:
        """Return what is never to be sent in clear."""
        return tuple(map(_span_of, self.lax.surroundings.overlay[ipv6]))

    def all_of(self, *, ipv6: bool) -> tuple[str, ...]:
        """Return addresses of everywhere."""
        return self._pick([whole_space(ipv6=ipv6)], ipv6=ipv6)

    def _pick(self, spans: Iterable[Span], *, ipv6: bool) -> tuple[str, ...]:
        mine = [span for span in spans if span.ipv6 is ipv6 and span.first <= span.last]
        return spell_addresses(self.atlas.pick(*mine), ipv6=ipv6)


def list_kinds(hosts: Iterable[HostState]) -> tuple[Packet, ...]:
    """Return packets that rules tell apart, their ends left open: two where some ask for TCP."""
    chains = (chain for host in hosts for chain in (*host.firewall.ipv4, *host.firewall.ipv6))
    rules = (rule for chain in chains for rule in chain.rules)
    plain = Packet(source="", destination="")
    if not any(rule.tcp_syn and rule.verdict is not Verdict.CLAMP_MSS for rule in rules):
        return (plain,)
    return plain, replace(plain, protocol=Protocol.TCP, tcp_syn=True)


def list_aims(host: HostState) -> Iterator[str | None]:
    """Yield the destinations that the rules of a host tell apart."""
    for chain in (*host.firewall.ipv4, *host.firewall.ipv6):
        yield from (rule.destination for rule in chain.rules)


def make_atlas(texts: Iterable[str | None]) -> Atlas:
    """Cut the address space at the ends of what some texts speak of."""
    return Atlas(span for text in texts if text for span in list_spans(text))


def _span_of(prefix: Range) -> Span:
    return Span(prefix.ipv6, prefix.first, prefix.last)


def pods_of(machine: Machine, *, ipv6: bool) -> tuple[str, ...]:
    """Return the first address of each range that pods are given addresses from."""
    found = [each.addresses for each in machine.pods.ranges if each.addresses.ipv6 is ipv6]
    return tuple(spell_address(one.first, ipv6=ipv6) for one in found if one.first <= one.last)


def own_addresses(machine: Machine, device: str = "", *, ipv6: bool) -> tuple[str, ...]:
    """Return a host's addresses inside of the overlay: of one device, or of both."""
    return tuple(
        spell_address(each.number, ipv6=ipv6)
        for each in machine.addresses
        if each.ipv6 is ipv6 and each.place is not None and each.scope is Scope.UNICAST
        if device in ("", each.device)
    )


def list_boundaries(documents: Documents) -> Iterator[Span]:
    """Yield every prefix and address that a decision about a packet may compare with."""
    text = msgspec.json.encode(documents).decode()
    for token in {match[0].strip('"') for match in ADDRESS.finditer(text)}:
        for span in list_spans(token):
            # The ends of a subnet are addresses apart: broadcast, anycast.
            yield from (span, Span(span.ipv6, span.first, span.first))
            yield Span(span.ipv6, span.last, span.last)
    for member in list_members(documents).values():
        yield from member.endpoints
    for special in _SPECIAL:
        if found := find_span(special):
            yield found
    for ipv6, number in UNKNOWN.items():
        yield Span(ipv6, number, number)
