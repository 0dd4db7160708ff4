"""The small values every document is made of: canonical text with a name for its meaning.

Each is a ``NewType`` over ``str``: documents hold the canonical spelling, so two values are
equal exactly when their bytes are. The functions that make them live where text enters the
program (the compiler); everything after that trusts the type.
"""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import NewType

NodeName = NewType("NodeName", str)
"""A Kubernetes node name: an RFC 1123 subdomain of 1 to 253 characters."""

PublicKey = NewType("PublicKey", str)
"""A Curve25519 public key: 32 bytes as 44 characters of base64, as ``wg pubkey`` prints it."""

Prefix = NewType("Prefix", str)
"""An IP prefix such as ``10.244.0.0/16``: host bits zero, IPv6 compressed (RFC 5952)."""

InterfaceAddress = NewType("InterfaceAddress", str)
"""An address with its on-link length, such as ``10.244.1.1/24``: host bits kept."""

Endpoint = NewType("Endpoint", str)
"""A UDP endpoint: ``192.0.2.1:9806`` or ``[2001:db8::1]:9806``; never a name."""

InterfaceName = NewType("InterfaceName", str)
"""A network interface's name: 1 to 15 bytes (``IFNAMSIZ`` less its NUL)."""


def is_ipv6(text: str) -> bool:
    """Whether a prefix, an address or an endpoint of ours is IPv6."""
    return text.count(":") > 1


def sorted_prefixes(prefixes: Iterable[str]) -> tuple[Prefix, ...]:
    """Sort prefixes by family, address, length: the one order that every list of them has."""
    families: tuple[list[str], list[str]] = ([], [])
    for prefix in prefixes:
        families[is_ipv6(prefix)].append(prefix)
    # Most nodes have one prefix of a family, and parsing it would only cost time.
    return tuple(
        Prefix(prefix)
        for family in families
        for prefix in (sorted(family, key=_order) if len(family) > 1 else family)
    )


def _order(prefix: str) -> tuple[int, int]:
    network = ip_network(prefix)
    return int(network.network_address), network.prefixlen
