"""The text of a prefix to the range of its addresses, or to what is wrong with its spelling.

``ipaddress`` has the last word. It takes ten times as long as what is needed for a prefix that is
spelt right, and a mesh of 1,000 has thousands of these in what every host reads.
"""

import re
from functools import lru_cache
from ipaddress import ip_network
from typing import Final

Range = tuple[int, int]
"""The first and the last address of a prefix."""

_GROUPS: Final = 8
"""Of sixteen bits each in an IPv6 address (RFC 4291, section 2.2)."""
_LEAST_GAP: Final = 2
"""Groups that ``::`` stands for (RFC 5952, section 4.2.2)."""
_BYTE: Final = "(0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5])"
_IPV4: Final = re.compile(rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}").fullmatch
_GROUP: Final = "(?:0|[1-9a-f][0-9a-f]{0,3})"
_IPV6: Final = re.compile(f"{_GROUP}(?:::?{_GROUP})*(?:::)?").fullmatch
_LENGTH: Final = re.compile("0|[1-9][0-9]{0,2}").fullmatch


@lru_cache(maxsize=4096)
def find_range(prefix: str) -> Range | str:
    """Return the prefix's range, or what is wrong with its spelling."""
    if (plain := _read_plain(prefix)) is not None:
        return plain
    try:
        network = ip_network(prefix, strict=False)
    except ValueError:
        return "is not an IP prefix"
    if str(network) != prefix:
        return f"must be written {network}"
    return int(network.network_address), int(network.broadcast_address)


def prefix_rule(prefix: str) -> str:
    """Return what is wrong with a prefix's spelling; nothing when it is right."""
    found = find_range(prefix)
    return found if isinstance(found, str) else ""


def _read_plain(prefix: str) -> Range | None:
    """Return the range of a prefix in plain, right spelling; None when it takes a closer look."""
    address, _, length = prefix.partition("/")
    bits, read = (128, _read_ipv6) if ":" in address else (32, _read_ipv4)
    if not _LENGTH(length) or (host_bits := bits - int(length)) < 0:
        return None
    first, rest = read(address), (1 << host_bits) - 1
    return None if first is None or first & rest else (first, first | rest)


def _read_ipv4(address: str) -> int | None:
    if (found := _IPV4(address)) is None:
        return None
    first, second, third, fourth = map(int, found.groups())
    return first << 24 | second << 16 | third << 8 | fourth


def _read_ipv6(address: str) -> int | None:
    """Read an address whose only run of zeros is the one that ``::`` stands for.

    What begins with ``::`` may hold IPv4, which not every version of ipaddress writes alike.
    """
    fenced = f":{address}:"
    if not _IPV6(address) or ":0:0:" in fenced or ":0::" in fenced or "::0:" in fenced:
        return None
    head, gap, tail = address.partition("::")
    left, right = head.split(":"), tail.split(":") if tail else []
    missing = _GROUPS - len(left) - len(right)
    if "::" in tail or (missing < _LEAST_GAP if gap else missing):
        return None
    value = 0
    for group in left:
        value = value << 16 | int(group, 16)
    value <<= 16 * missing
    for group in right:
        value = value << 16 | int(group, 16)
    return value
