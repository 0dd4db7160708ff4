"""The inventory to what every host of the mesh shares: the one step that sees all nodes.

Everything after it is a function of the topology and one node.
"""

from collections.abc import Iterable
from typing import Final

from compiler.inventory import Inventory, Mesh, Node
from schemas.state import Peer, PeerGroup, Value
from schemas.values import Endpoint, Prefix, is_ipv6, sorted_prefixes

PEER_GROUP: Final = "mesh"
"""The one peer group there is: everybody peers with everybody."""

OVERHEAD_IPV4: Final = 60
"""Bytes that WireGuard adds over IPv4: 20 IP, 8 UDP, 16 header, 16 authentication tag."""
OVERHEAD_IPV6: Final = 80
"""The same over IPv6, whose header has 40 bytes."""
PADDING: Final = 16
"""WireGuard pads what it encrypts to a multiple of this (whitepaper, 5.4.6)."""


class Family(Value, frozen=True, kw_only=True):
    """One IP family of the overlay."""

    ipv6: bool
    overlay: tuple[Prefix, ...]
    """Never empty."""
    no_masquerade: tuple[Prefix, ...]
    """Outside destinations that see pods' own addresses."""


class Topology(Value, frozen=True, kw_only=True):
    """What is the same for every host."""

    mesh: Mesh
    families: tuple[Family, ...]
    """IPv4 before IPv6; only those that the overlay uses."""
    overhead: int
    """Bytes that encryption adds to a packet on the underlay, in the worst case."""
    peers: PeerGroup


def build_topology(inventory: Inventory) -> Topology:
    """Derive what all hosts share."""
    return Topology(
        mesh=inventory.mesh,
        families=_families(inventory.mesh),
        overhead=tunnel_overhead(node.endpoint for node in inventory.nodes),
        peers={node.name: _peer(node) for node in sorted(inventory.nodes, key=_name)},
    )


def tunnel_overhead(endpoints: Iterable[Endpoint | None]) -> int:
    """Return the bytes that WireGuard adds: IPv6's, as soon as one node is reached over IPv6.

    One figure for all, because both ends of a path must agree, and any node may have to
    reach that one.
    """
    over_ipv6 = any(endpoint is not None and is_ipv6(endpoint) for endpoint in endpoints)
    return OVERHEAD_IPV6 if over_ipv6 else OVERHEAD_IPV4


def tunnel_mtu(underlay_mtu: int, overhead: int) -> int:
    """Return the largest inner packet, in bytes, whose padded ciphertext fits the underlay."""
    return (underlay_mtu - overhead) // PADDING * PADDING


def _families(mesh: Mesh) -> tuple[Family, ...]:
    families = (
        Family(
            ipv6=ipv6,
            overlay=_of_family(mesh.overlay_cidrs, ipv6=ipv6),
            no_masquerade=_of_family(mesh.non_masquerade_cidrs, ipv6=ipv6),
        )
        for ipv6 in (False, True)
    )
    return tuple(family for family in families if family.overlay)


def _of_family(prefixes: tuple[Prefix, ...], *, ipv6: bool) -> tuple[Prefix, ...]:
    return sorted_prefixes(prefix for prefix in prefixes if is_ipv6(prefix) is ipv6)


def _peer(node: Node) -> Peer:
    return Peer(
        public_key=node.public_key,
        allowed_ips=sorted_prefixes(node.pod_cidrs),
        endpoint=node.endpoint,
    )


def _name(node: Node) -> str:
    return node.name
