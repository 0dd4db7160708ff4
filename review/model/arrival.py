"""A packet that comes in by a device: what a host refuses before it looks for a route."""

from review.model.flight import Flight
from review.model.machine import LOOPBACK, Machine, Scope
from review.model.numbers import Range, read_prefix
from review.model.routing import find_way_to
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings
from schemas.values import InterfaceName


def _prefix(text: str) -> Range:
    read = read_prefix(text)
    assert read is not None  # noqa: S101 - a constant of ours
    return read


_MARTIAN_SOURCES = (
    (
        (_prefix("0.0.0.0/8"), "this network"),
        (_prefix("127.0.0.0/8"), "loopback"),
        (_prefix("224.0.0.0/4"), "multicast"),
        (_prefix("255.255.255.255/32"), "broadcast"),
    ),
    ((_prefix("::1/128"), "loopback"), (_prefix("ff00::/8"), "multicast")),
)
"""``ip_route_input_slow`` in net/ipv4/route.c, ``ip6_rcv_core`` in net/ipv6/ip6_input.c."""
_MARTIAN_DESTINATIONS = (
    ((_prefix("0.0.0.0/8"), "this network"), (_prefix("127.0.0.0/8"), "loopback")),
    ((_prefix("::1/128"), "loopback"), (_prefix("::/128"), "unspecified")),
)


def refuse(machine: Machine, flight: Flight, device: InterfaceName) -> Fate | None:
    """Drop what cannot have come by a device; None for what may go on."""
    if device == LOOPBACK:
        return None
    for prefix, what in _MARTIAN_SOURCES[flight.ipv6]:
        if prefix.first <= flight.source <= prefix.last:
            return _drop(machine, flight, f"dropped: its source is a {what} address")
    for prefix, what in _MARTIAN_DESTINATIONS[flight.ipv6]:
        if prefix.first <= flight.destination <= prefix.last:
            return _drop(machine, flight, f"dropped: its destination is a {what} address")
    return None


def find_special(number: int, *, ipv6: bool) -> str:
    """Say what an address is that leads to no single host elsewhere; empty for any other."""
    for prefix, what in (*_MARTIAN_DESTINATIONS[ipv6], *_NOBODY[ipv6]):
        if prefix.first <= number <= prefix.last:
            return what
    return ""


def validate_source(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    """Check the way back (``fib_validate_source`` in net/ipv4/fib_frontend.c; IPv6 has none).

    Only once the packet's own way is known (``ip_route_input_slow``): what has none is refused.
    A source of the host's own is a martian whatever ``rp_filter`` says.
    """
    if flight.ipv6 or device == LOOPBACK:
        return None
    own = machine.own[False].get(flight.source)
    if own is not None:
        return _drop(machine, flight, f"dropped: {flight.spell(own.number)} is this host's own")
    mode = max(
        _read_setting(machine, around, f"net.ipv4.conf.{where}.rp_filter")
        for where in ("all", device)
    )
    if not mode:
        return None
    way = find_way_to(machine, flight.source, ipv6=False)
    strict = mode == 1
    if way is not None and way.device is not None and (way.device == device or not strict):
        return None
    back = "nowhere" if way is None or way.device is None else f"by {way.device}"
    flight.trail.append(
        (
            machine.name,
            Stage.REVERSE_PATH,
            f"dropped: it came by {device}, and the way back leads {back}",
            None if way is None else way.place,
        )
    )
    return Fate.DROPPED


def _read_setting(machine: Machine, around: Surroundings, name: str) -> int:
    text = machine.sysctls.get(name, around.sysctls.get(name, "0"))
    return int(text) if text.isdecimal() else 0


def _drop(machine: Machine, flight: Flight, decision: str) -> Fate:
    flight.trail.append((machine.name, Stage.REVERSE_PATH, decision, None))
    return Fate.DROPPED


_IPV4_MULTICAST, _IPV6_MULTICAST = _prefix("224.0.0.0/4"), _prefix("ff00::/8")
_LIMITED_BROADCAST = _prefix("255.255.255.255/32").first
_LINK_LOCAL = _prefix("fe80::/10")
_NOBODY = (
    ((_IPV4_MULTICAST, "multicast"), (_prefix("255.255.255.255/32"), "broadcast")),
    ((_IPV6_MULTICAST, "multicast"), (_LINK_LOCAL, "link-local")),
)
"""A link-local address says nothing without a device, which an endpoint has no word for."""


def is_link_local(number: int, *, ipv6: bool) -> bool:
    """Whether an address means something on one link only."""
    return ipv6 and _LINK_LOCAL.first <= number <= _LINK_LOCAL.last


def is_for_many(machine: Machine, number: int, *, ipv6: bool) -> bool:
    """Whether an address is multicast or broadcast."""
    many = _IPV6_MULTICAST if ipv6 else _IPV4_MULTICAST
    if many.first <= number <= many.last or (number == _LIMITED_BROADCAST and not ipv6):
        return True
    own = machine.own[ipv6].get(number)
    return own is not None and own.scope is Scope.BROADCAST
