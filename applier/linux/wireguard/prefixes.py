"""Prefixes and endpoints: their one canonical text to and from the bytes that WireGuard speaks of.

The text is what :mod:`ipaddress` prints, since that is what documents hold; the C library's
``inet_ntop`` prints the same, several times faster, but for IPv6 addresses that embed IPv4.
"""

from collections.abc import Iterable
from ipaddress import IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from schemas.values import Endpoint, Prefix

PackedPrefix = tuple[int, bytes, int]
"""Family, address, length: sorts as :func:`schemas.values.sorted_prefixes` does."""


def address_text(family: int, address: bytes) -> str:
    """Return an address as documents write it."""
    text = inet_ntop(family, address)
    if family == AF_INET6 and "." in text:
        return str(IPv6Address(address))
    return text


def pack_prefix(prefix: str) -> PackedPrefix:
    """Return a prefix as sortable bytes. Raises ``OSError`` or ``ValueError`` when it is none."""
    address, _, length = prefix.partition("/")
    family = AF_INET6 if ":" in address else AF_INET
    return family, inet_pton(family, address), int(length)


def prefix_text(packed: PackedPrefix) -> Prefix:
    """Return the canonical text of a packed prefix."""
    family, address, length = packed
    return Prefix(f"{address_text(family, address)}/{length}")


def prefix_texts(packed: Iterable[PackedPrefix]) -> tuple[Prefix, ...]:
    """Return the canonical texts in their one order: family, address, length.

    Implementations keep prefixes in tries of their own and print them in different orders.
    """
    return tuple([prefix_text(prefix) for prefix in sorted(packed)])


def canonical_prefixes(texts: Iterable[str]) -> tuple[Prefix, ...]:
    """Return prefixes that another program wrote, in the canonical spelling and order."""
    return prefix_texts(map(pack_prefix, texts))


def pack_endpoint(endpoint: str) -> tuple[int, bytes, int]:
    """Return family, address and port of ``192.0.2.1:9806`` or ``[2001:db8::1]:9806``."""
    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    family = AF_INET6 if ":" in host else AF_INET
    return family, inet_pton(family, host), int(port)


def endpoint_text(family: int, address: bytes, port: int) -> Endpoint:
    """Return an endpoint as documents write it."""
    text = address_text(family, address)
    return Endpoint(f"[{text}]:{port}" if family == AF_INET6 else f"{text}:{port}")
