"""List what is a member's own: prefixes, keys, endpoint addresses."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_interface
from typing import NamedTuple

from review.model.pods import read_pods
from schemas.ranges import find_range
from schemas.state import Documents, HostState, Peer, Value
from schemas.values import NodeName, PublicKey, is_ipv6


class Span(NamedTuple):
    """A range of addresses of one family, both ends included. Sorted, it is swept."""

    ipv6: bool
    first: int
    last: int

    def contains(self, other: "Span") -> bool:
        """Whether another range lies wholly inside."""
        same = self.ipv6 is other.ipv6
        return same and self.first <= other.first and other.last <= self.last


class Member(Value, frozen=True, kw_only=True):
    """Whoever a mesh knows by name: a host with a document, a peer in a group, or both."""

    name: NodeName
    host: HostState | None = None
    """None: peers know the name, and there is no document of it."""
    entries: tuple[tuple[str, Peer], ...] = ()
    """What each peer group says of it, by the group's name."""
    prefixes: tuple[Span, ...] = ()
    """Its own prefixes, sorted: allowed IPs, the bridge's networks, the device's addresses."""
    endpoints: tuple[Span, ...] = ()
    """The addresses of its endpoints, one address each."""

    @property
    def own_prefixes(self) -> tuple[Span, ...]:
        """The prefixes that it may speak from: by its own document, if it has one."""
        if self.host is None:
            return self.prefixes
        return _drop_inner({*_list_own_spans(self.host), *_list_pod_spans(self.host)})

    @property
    def keys(self) -> frozenset[PublicKey]:
        """The public keys that it is known by, to itself and to others."""
        own = [self.host.wireguard.public_key] if self.host else []
        return frozenset(own + [peer.public_key for _, peer in self.entries])


def list_members(documents: Documents) -> Mapping[NodeName, Member]:
    """Return everybody in a mesh, by name, sorted."""
    entries: dict[NodeName, list[tuple[str, Peer]]] = {name: [] for name in documents.hosts}
    for group, peers in documents.mesh.peer_groups.items():
        for name, peer in peers.items():
            entries.setdefault(name, []).append((group, peer))
    return {
        name: _describe(name, documents.hosts.get(name), tuple(entries[name]))
        for name in sorted(entries)
    }


def find_span(text: str) -> Span | None:
    """Return the addresses of a prefix, or of an address without a length; None for other text.

    Bits behind the length are let go: an interface's address stands for its network.
    """
    if isinstance(plain := find_range(text), tuple):
        return Span(":" in text, *plain)
    return _find_odd_span(text)


def find_address(text: str) -> Span | None:
    """Return the one address of ``10.244.0.1/24``; None for what is no address."""
    return find_span(text.partition("/")[0])


def list_spans(text: str) -> Iterator[Span]:
    """Yield the ranges that a text speaks of: a prefix, or an address and its network."""
    span, address = find_span(text), find_address(text)
    if span:
        yield span
    if span and address and address.first != span.first:
        yield address


def find_endpoint(endpoint: str) -> Span | None:
    """Return the one address of ``192.0.2.1:9806`` or ``[2001:db8::1]:9806``."""
    return find_span(endpoint.rpartition(":")[0].removeprefix("[").removesuffix("]"))


@lru_cache(maxsize=16384)
def _find_odd_span(text: str) -> Span | None:
    try:
        network = ip_interface(text).network
    except ValueError:
        return None
    return Span(is_ipv6(text), int(network[0]), int(network[-1]))


def _describe(
    name: NodeName, host: HostState | None, entries: tuple[tuple[str, Peer], ...]
) -> Member:
    spans = {find_span(prefix) for _, peer in entries for prefix in peer.allowed_ips}
    spans |= set(_list_own_spans(host)) if host else set()
    endpoints = {find_endpoint(peer.endpoint) for _, peer in entries if peer.endpoint}
    return Member(
        name=name,
        host=host,
        entries=entries,
        prefixes=_drop_inner(spans),
        endpoints=tuple(sorted(span for span in endpoints if span)),
    )


def _list_own_spans(host: HostState) -> Iterator[Span | None]:
    yield from map(find_span, host.bridge.addresses)
    yield from map(find_address, host.wireguard.addresses)


def _list_pod_spans(host: HostState) -> Iterator[Span | None]:
    """Yield what its CNI configuration gives to pods."""
    for each in read_pods(host, "").ranges:
        yield Span(each.subnet.ipv6, each.subnet.first, each.subnet.last)


def _drop_inner(spans: Iterable[Span | None]) -> tuple[Span, ...]:
    """Return the spans that lie in no other: a device's address is in its pod CIDR."""
    kept: list[Span] = []
    for span in sorted({span for span in spans if span}):
        if not kept or not kept[-1].contains(span):
            kept = [one for one in kept if not span.contains(one)] + [span]
    return tuple(kept)
