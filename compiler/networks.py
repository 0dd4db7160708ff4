"""Prefixes and endpoints: from what people write to canonical text and comparable numbers."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_network
from typing import Final, NamedTuple, TypeVar

from schemas.values import Endpoint, Prefix
from schemas.wording import show

Place = TypeVar("Place")
Overlap = tuple[tuple[tuple["Network", Place], ...], tuple["Network", Place]]

_BITS: Final = {4: 32, 6: 128}
_OCTETS: Final = {str(octet): octet for octet in range(256)}
_LAST_PORT: Final = 65535


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


class _Address(NamedTuple):
    version: int
    number: int
    text: str
    """Canonical: IPv6 as RFC 5952 has it."""


class Reach(NamedTuple):
    """Where a node can be reached: an endpoint as numbers."""

    version: int
    address: int
    endpoint: Endpoint

    def is_in(self, network: Network) -> bool:
        """Whether its address is inside a prefix."""
        return self.version == network.version and network.first <= self.address <= network.last


def parse_network(text: str) -> Network:
    """Parse a prefix such as ``10.244.0.0/16`` or ``fd00:244::/48``.

    Raises:
        InvalidTextError: it is none, or has host bits.

    """
    written, slash, digits = text.partition("/")
    address = _parse_address(written)
    if address is None:
        raise InvalidTextError("must be an IP prefix, such as 10.244.1.0/24 or fd00:244:0:1::/64")
    most = _BITS[address.version]
    if not slash:
        alone = f"{address.text}/{most}"
        raise InvalidTextError(f"must be a prefix with its length; one address alone is {alone}")
    length = _parse_decimal(digits, most)
    if length is None:
        raise InvalidTextError(f"the length after the '/' must be a number from 0 to {most}")
    size = 1 << (most - length)
    first = address.number // size * size
    if first != address.number:
        canonical = ip_network(f"{address.text}/{length}", strict=False)
        raise InvalidTextError(f"has host bits set: the prefix is {canonical}")
    last = first + size - 1
    return Network(address.version, first, -last, Prefix(f"{address.text}/{length}"))


def find_overlaps(placed: Iterable[tuple[Network, Place]]) -> Iterator[Overlap[Place]]:
    """Yield each prefix that lies inside others, after those that it lies in, the widest first.

    Prefixes overlap only so. Of equal ones the first given is taken for the outer one, and alone
    stands for all of them.
    """
    outers: list[tuple[Network, Place]] = []
    for each in sorted(placed, key=lambda each: each[0]):
        while outers and not outers[-1][0].contains(each[0]):
            outers.pop()
        if outers:
            yield tuple(outers), each
        if not outers or outers[-1][0] != each[0]:
            outers.append(each)


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
    for network, meaning in RESERVED:
        if address.version == network.version and network.first <= address.number <= network.last:
            rule = f"is in {network.prefix} ({meaning}): other nodes cannot reach this one there"
            raise InvalidTextError(rule)
    shown = address.text if address.version == 4 else f"[{address.text}]"  # noqa: PLR2004 - the IP version
    return Reach(address.version, address.number, Endpoint(f"{shown}:{port}"))


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
    port = _parse_decimal(text, _LAST_PORT)
    if not port:
        raise InvalidTextError(
            f"its port {show(text)!r} must be a number between 1 and {_LAST_PORT}"
        )
    return port


def _parse_decimal(text: str, most: int) -> int | None:
    """Parse a number from 0 to a bound; None for anything that is not just its digits."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if number <= most else None


def _parse_address(text: str) -> _Address | None:
    """Parse an address; None when it is none, has a zone, or hides IPv4 inside IPv6."""
    if ":" not in text:
        return _parse_ipv4(text)
    try:
        address = IPv6Address(text)
    except ValueError:
        return None
    number = int(address)
    mapped = number >> 32 == 0xFFFF  # noqa: PLR2004 - ::ffff:0:0/96, which only a host's own sockets see
    return None if address.scope_id is not None or mapped else _Address(6, number, str(address))


def _parse_ipv4(text: str) -> _Address | None:
    """Parse four octets without leading zeros; the standard library takes 15 times as long."""
    octets = text.split(".")
    if len(octets) != 4:  # noqa: PLR2004 - what IPv4 is
        return None
    number = 0
    for octet in octets:
        if octet not in _OCTETS:
            return None
        number = number << 8 | _OCTETS[octet]
    return _Address(4, number, text)


RESERVED: Final = tuple(
    (parse_network(prefix), what)
    for prefix, what in (
        ("0.0.0.0/8", "unspecified"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("::/127", "unspecified and loopback"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "multicast"),
    )
)
"""What no overlay and no endpoint may be in: every host has its own (RFC 6890)."""
