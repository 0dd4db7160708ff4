"""Read addresses and prefixes as whole numbers, and spell them again."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Final, NamedTuple

from schemas.ranges import find_range
from schemas.values import Endpoint

BITS: Final = {False: 32, True: 128}
"""Of an address, by whether it is IPv6."""


class Range(NamedTuple):
    """A prefix, or an address alone, as numbers."""

    ipv6: bool
    first: int
    last: int
    length: int


class Reach(NamedTuple):
    """An endpoint as numbers."""

    ipv6: bool
    address: int
    port: int


@lru_cache(maxsize=16384)
def read_address(text: str) -> tuple[bool, int]:
    """Return whether an address is IPv6, and its number.

    Raises:
        ValueError: it is no address in canonical spelling.

    """
    ipv6 = ":" in text
    found = find_range(f"{text}/{BITS[ipv6]}")
    if isinstance(found, str):
        raise ValueError(f"{text!r} is no IP address as documents spell it")  # noqa: TRY004 - a text is no type
    return ipv6, found[0]


def spell_address(number: int, *, ipv6: bool) -> str:
    """Return the canonical text of an address."""
    if ipv6:
        return _spell_ipv6(number)
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def spell_addresses(numbers: Iterable[int], *, ipv6: bool) -> tuple[str, ...]:
    """Return the canonical texts of addresses of one family."""
    return tuple(spell_address(number, ipv6=ipv6) for number in numbers)


@lru_cache(maxsize=16384)
def _spell_ipv6(number: int) -> str:
    return str(IPv6Address(number))


@lru_cache(maxsize=16384)
def spell_prefix(prefix: Range) -> str:
    """Return the canonical text of a prefix."""
    return f"{spell_address(prefix.first, ipv6=prefix.ipv6)}/{prefix.length}"


@lru_cache(maxsize=16384)
def read_prefix(text: str) -> Range | None:
    """Return a prefix as numbers; None for a text that no host would take."""
    ipv6, length = ":" in text, text.rpartition("/")[2]
    found = find_range(text)
    return None if isinstance(found, str) else Range(ipv6, *found, int(length))


def read_interface_address(text: str) -> tuple[Range, Range] | None:
    """Return an address alone, and the prefix that it is on link with; None for other text."""
    address, _, length = text.partition("/")
    try:
        ipv6, number = read_address(address)
        host_bits = BITS[ipv6] - int(length)
    except ValueError:
        return None
    if host_bits < 0:
        return None
    rest = (1 << host_bits) - 1
    first = number & ~rest
    return Range(ipv6, number, number, BITS[ipv6]), Range(ipv6, first, first | rest, int(length))


def read_endpoint(endpoint: Endpoint) -> Reach | None:
    """Return an endpoint as numbers; None for other text."""
    address, _, port = endpoint.rpartition(":")
    try:
        return Reach(*read_address(address.strip("[]")), int(port))
    except ValueError:
        return None
