"""One pod CIDR to the addresses that a host takes from it."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from schemas.state import Value
from schemas.values import InterfaceAddress, Prefix

BRIDGE_OFFSET: Final = 1
TUNNEL_OFFSET: Final = 2
FIRST_POD_OFFSET: Final = 10
"""Offsets from the network address; those between tunnel and pods are kept for later."""


class PodNetwork(Value, frozen=True, kw_only=True):
    """One pod CIDR of a node, divided."""

    prefix: Prefix
    ipv6: bool
    gateway: str
    """The bridge's address, bare: what pods use as their next hop."""
    bridge: InterfaceAddress
    """The same with the CIDR's length, so that the bridge is on link with its pods."""
    tunnel: InterfaceAddress
    """The WireGuard device's address, alone (/32, /128): what this host speaks to pods with."""
    first_pod: str
    last_pod: str


def divide(prefix: Prefix) -> PodNetwork:
    """Divide a pod CIDR: network + 1 is the bridge, + 2 the tunnel, + 10 to the end are pods.

    IPv4's last address is the subnet broadcast (RFC 919) and no pod's; IPv6 has none. The
    network address itself is never used: in IPv6 it is the subnet-router anycast address
    (RFC 4291, 2.6.1). The inventory has been checked: a pod CIDR has room for a pod.
    """
    address, _, length = prefix.partition("/")
    ipv6 = ":" in address
    kind = IPv6Address if ipv6 else IPv4Address
    network = int(kind(address))
    last = network | (1 << kind(0).max_prefixlen - int(length)) - 1
    gateway = str(kind(network + BRIDGE_OFFSET))
    return PodNetwork(
        prefix=prefix,
        ipv6=ipv6,
        gateway=gateway,
        bridge=InterfaceAddress(f"{gateway}/{length}"),
        tunnel=InterfaceAddress(f"{kind(network + TUNNEL_OFFSET)}/{kind(0).max_prefixlen}"),
        first_pod=str(kind(network + FIRST_POD_OFFSET)),
        last_pod=str(kind(last if ipv6 else last - 1)),
    )
