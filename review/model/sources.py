"""Choose the source address that a host's process sends from, as the kernel does."""

from collections.abc import Iterator
from functools import partial

from review.model.machine import Address, Machine
from review.model.numbers import BITS, read_prefix
from schemas.values import InterfaceName

_LABELS = tuple(
    (prefix, label)
    for text, label in (
        ("::1/128", 0),
        ("::ffff:0.0.0.0/96", 4),
        ("2002::/16", 2),
        ("2001::/32", 6),
        ("fc00::/7", 5),
    )
    if (prefix := read_prefix(text)) is not None
)
"""``ip6addrlbl_init_table`` in net/ipv6/addrlabel.c, as far as addresses of ours can be in it."""
_OTHER_LABEL = 1


def select_source(
    machine: Machine,
    destination: int,
    device: InterfaceName,
    *,
    ipv6: bool,
    on_link: bool = False,
) -> Address | None:
    """Return the address that the kernel picks for a socket that is not bound to one.

    ``on_link``: the destination is a neighbour, and IPv4 prefers the address whose prefix it is in:
    the kernel's own route names it (``fib_add_ifaddr``), and so does ``inet_select_addr``.
    """
    candidates = [address for address in machine.addresses if address.ipv6 is ipv6]
    if ipv6:
        return max(reversed(candidates), key=partial(_rank, destination, device), default=None)
    ordered = list(_in_order(candidates, device))
    near = (address for address in ordered if on_link and _is_near(address, destination, device))
    return next(near, next(iter(ordered), None))


def _is_near(address: Address, destination: int, device: InterfaceName) -> bool:
    host_bits = BITS[False] - address.length
    return address.device == device and address.number >> host_bits == destination >> host_bits


def _in_order(candidates: list[Address], device: InterfaceName) -> Iterator[Address]:
    """Yield IPv4 addresses as ``inet_select_addr`` (net/ipv4/devinet.c) goes through them.

    The device's own in the order in which they were added, then those of others by index: the
    underlay's was there before ours.
    """
    yield from (address for address in candidates if address.device == device)
    yield from (address for address in reversed(candidates) if address.device != device)


def _rank(
    destination: int, device: InterfaceName, address: Address
) -> tuple[bool, bool, bool, int]:
    """Rank an address by RFC 6724, section 5, as far as addresses of ours differ.

    Rules 1 (the destination itself), 5 (the outgoing device), 6 (same label) and 8 (longest common
    prefix, at most the address's own: ``ipv6_get_saddr_eval`` in net/ipv6/addrconf.c). Of equals
    the one that was added last wins, as ``ipv6_link_dev_addr`` puts it first.
    """
    common = BITS[True] - (address.number ^ destination).bit_length()
    return (
        address.number == destination,
        address.device == device,
        _label(address.number) == _label(destination),
        min(common, address.length),
    )


def _label(number: int) -> int:
    for prefix, label in _LABELS:
        if prefix.first <= number <= prefix.last:
            return label
    return _OTHER_LABEL
