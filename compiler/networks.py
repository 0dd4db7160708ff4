"""Prefixes and endpoints: from what people write to canonical text and comparable numbers."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final, NamedTuple, TypeVar

from schemas.values import Endpoint, Prefix

Place = TypeVar("Place")
Overlap = tuple[tuple["Network", Place], tuple["Network", Place]]


class InvalidTextError(ValueError):
    """A text is not what it should be; the message is the rule it breaks."""


class Network(NamedTuple):
    """A prefix as numbers. Sorts by family, address, then the widest first."""

    version: int
    first: int
    widest_first: int
    """The last address, negated for the sake of that order."""
    prefix: Prefix

    @property
    def last(self) -> int:
        """The last address, as a number."""
        return -self.widest_first

    def overlaps(self, other: "Network") -> bool:
        """Whether any address is in both."""
        return (
            self.version == other.version and self.first <= other.last and other.first <= self.last
        )

    def contains(self, other: "Network") -> bool:
        """Whether every address of the other is in this one."""
        return (
            self.version == other.version and self.first <= other.first and other.last <= self.last
        )


class Reach(NamedTuple):
    """Where a node can be reached: an endpoint as numbers."""

    version: int
    address: int
    port: int
    endpoint: Endpoint

    def is_in(self, network: Network) -> bool:
        """Whether its address is inside a prefix."""
        return self.version == network.version and network.first <= self.address <= network.last


def parse_network(text: str) -> Network:
    """Parse a prefix such as ``10.244.0.0/16`` or ``fd00:244::/48``.

    Raises:
        InvalidTextError: it is none, or has host bits.

    """
    written, slash, bits = text.partition("/")
    address = _parse_address(written)
    if address is None:
        raise InvalidTextError("must be an IP prefix, such as 10.244.1.0/24 or fd00:244:0:1::/64")
    most = address.max_prefixlen
    if not slash:
        raise InvalidTextError(
            f"must be a prefix with its length; one address alone is {address}/{most}"
        )
    if not (bits.isascii() and bits.isdecimal() and len(bits) <= 3 and int(bits) <= most):  # noqa: PLR2004 - digits of 128
        raise InvalidTextError(f"the length after the '/' must be a number from 0 to {most}")
    return _network(address, int(bits))


def _network(address: IPv4Address | IPv6Address, length: int) -> Network:
    size = 1 << (address.max_prefixlen - length)
    number = int(address)
    first = number // size * size
    canonical = f"{address if first == number else type(address)(first)}/{length}"
    if first != number:
        raise InvalidTextError(f"has host bits set: the prefix is {canonical}")
    return Network(address.version, first, -(first + size - 1), Prefix(canonical))


def find_overlaps(placed: Iterable[tuple[Network, Place]]) -> Iterator[Overlap[Place]]:
    """Yield each prefix that lies inside another, with the widest one that it lies in.

    Of equal prefixes the first given is taken for the outer one.
    """
    outer: tuple[Network, Place] | None = None
    for each in sorted(placed, key=lambda each: each[0]):
        if outer is not None and outer[0].contains(each[0]):
            yield outer, each
        else:
            outer = each


def parse_endpoint(text: str, default_port: int) -> Reach:
    """Parse ``IP``, ``IP:port`` or ``[IPv6]:port``.

    Raises:
        InvalidTextError: it is none of these, or an address that no other host can reach.

    """
    host, port = _split_endpoint(text, default_port)
    return parse_reach(host, _parse_port(port) if port else default_port)


def parse_reach(host: str, port: int) -> Reach:
    """Parse an address that other hosts send to, without a port.

    Raises:
        InvalidTextError: it is no address, or one that no other host can reach.

    """
    address = _parse_address(host)
    if address is None:
        raise InvalidTextError(_not_an_address(host))
    _refuse_unreachable(address)
    shown = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return Reach(address.version, int(address), port, Endpoint(f"{shown}:{port}"))


def _split_endpoint(text: str, default_port: int) -> tuple[str, str]:
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")) or port == ":" or ":" not in host:
            raise InvalidTextError("must be [IPv6]:port, such as [2001:db8::1]:9806")
        return host, port[1:]
    if text.count(":") > 1:
        if text.endswith(f":{default_port}"):
            host = text.rpartition(":")[0]
            rule = "could be an address, or an address and a port: write"
            raise InvalidTextError(f"{rule} [{host}]:{default_port} or [{text}]:{default_port}")
        return text, ""
    host, colon, port = text.partition(":")
    if colon and not port:
        raise InvalidTextError("ends in ':' without a port")
    return host, port


def _not_an_address(host: str) -> str:
    if any(character.isalpha() for character in host) and ":" not in host:
        return (
            "must be an IP address, not a name: a name may mean another address on each host, "
            "and another tomorrow"
        )
    return "must be an IP address, IP:port or [IPv6]:port, such as 192.0.2.1:9806"


def _parse_port(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535:  # noqa: PLR2004 - UDP's range
        return int(text)
    raise InvalidTextError(f"its port {text[:20]!r} must be a number between 1 and 65535")


def _refuse_unreachable(address: IPv4Address | IPv6Address) -> None:
    kinds = {
        "is unspecified": address.is_unspecified,
        "is a loopback address": address.is_loopback,
        "is a multicast address": address.is_multicast,
        "is a link-local address": address.is_link_local,
        "is the broadcast address": address == IPv4Address("255.255.255.255"),
    }
    for kind, applies in kinds.items():
        if applies:
            raise InvalidTextError(f"{kind}: other nodes cannot reach this one there")


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address; None when it is none, has a zone, or hides IPv4 inside IPv6."""
    try:
        if ":" not in text:
            return IPv4Address(text)
        address = IPv6Address(text)
    except ValueError:
        return None
    return None if address.scope_id is not None or address.ipv4_mapped is not None else address


RESERVED: Final = tuple(
    (parse_network(prefix), what)
    for prefix, what in (
        ("0.0.0.0/8", "'this network'"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("::/127", "the unspecified address and loopback"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)
"""What no overlay may hold, because hosts give it a meaning of its own (RFC 6890)."""
