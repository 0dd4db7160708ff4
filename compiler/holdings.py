"""The last good documents of a host to what each member of its mesh has already."""

from bisect import bisect_right
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_interface

from compiler.networks import InvalidTextError, Network, parse_network
from compiler.node import Member
from schemas.state import Peer, ResolvedHost, ResolvedPeer
from schemas.values import NodeName, Prefix

Incumbents = Mapping[NodeName, Peer | ResolvedPeer]
"""By name, what documents say of each member."""


def list_incumbents(applied: ResolvedHost | None) -> Incumbents:
    """Return whom the documents that a host converged to last know: its peers, and itself.

    A host's own documents do not say at which endpoint others reach it.
    """
    if applied is None:
        return {}
    networks = []
    for address in applied.host.bridge.addresses:  # each has the length of its pod CIDR
        with suppress(ValueError):  # a memory that makes no sense is none
            networks.append(Prefix(str(ip_interface(address).network)))
    own = Peer(public_key=applied.host.wireguard.public_key, allowed_ips=tuple(networks))
    return {**applied.peers, applied.host.name: own}


class Holdings:
    """Answers who has what already. Only under the same name and key is it the same member."""

    def __init__(self, incumbents: Incumbents) -> None:
        self._incumbents = incumbents
        self._networks: dict[str, tuple[Network, ...]] = {}

    def has_key(self, member: Member) -> bool:
        """Whether the member was there, with this key."""
        return self._find(member) is not None

    def has_network(self, member: Member, network: Network) -> bool:
        """Whether all of a prefix was the member's already."""
        peer = self._find(member)
        if peer is None:
            return False
        return network.prefix in peer.allowed_ips or self._is_part(peer, member, network)

    def has_endpoint(self, member: Member) -> bool:
        """Whether the member was reached where it says now that it is."""
        peer = self._find(member)
        reach = member.reach
        return peer is not None and reach is not None and reach[0].endpoint == peer.endpoint

    def _find(self, member: Member) -> Peer | ResolvedPeer | None:
        peer = self._incumbents.get(NodeName(member.object.name))
        return peer if peer is not None and peer.public_key == member.public_key else None

    def _is_part(self, peer: Peer | ResolvedPeer, member: Member, network: Network) -> bool:
        """Whether a prefix lies in one that the peer had. Those did not overlap each other."""
        name = member.object.name
        if name not in self._networks:
            self._networks[name] = tuple(sorted(_parse(peer.allowed_ips)))
        held = self._networks[name]
        before = bisect_right(held, network)
        return before > 0 and held[before - 1].contains(network)


def _parse(prefixes: tuple[Prefix, ...]) -> list[Network]:
    """Parse what was remembered, as far as it makes sense."""
    networks = []
    for prefix in prefixes:
        with suppress(InvalidTextError):
            networks.append(parse_network(prefix))
    return networks
