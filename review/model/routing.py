"""A packet and a host to the route that the kernel finds."""

from review.model.flight import Flight
from review.model.machine import Machine, Way
from review.model.numbers import BITS
from review.model.story import Stage


def is_usable(machine: Machine, way: Way) -> bool:
    """Whether a route's device is there; the kernel removes a device's routes with it."""
    link = machine.links.get(way.device) if way.device is not None else None
    return way.device is None or link is None or link.up


def find_way(machine: Machine, flight: Flight) -> Way | None:
    """Return the route of the main table: the longest prefix, then the least metric.

    ``fib_table_lookup`` (IPv4) and ``fib6_table_lookup`` both stop at an unreachable route.
    """
    for way in machine.fib[flight.ipv6].find(flight.destination):
        if is_usable(machine, way):
            return way
    return None


def note_way(machine: Machine, flight: Flight, way: Way | None) -> None:
    """Add what the lookup found to the story."""
    if way is None:
        flight.trail.append((machine.name, Stage.ROUTE, "unreachable: there is no route", None))
        return
    device = "unreachable" if way.device is None else f"by {way.device}"
    bits = BITS[flight.ipv6]
    prefix = f"{flight.spell(way.prefix.first)}/{way.prefix.length}"
    if not way.prefix.length:
        why = "the default route, assumed" if way.place is None else "the default route"
    elif way.connected:
        why = f"{prefix} is on link"
    else:
        why = f"{prefix if way.prefix.length < bits else flight.spell(way.prefix.first)} metric {way.metric}"
    flight.trail.append((machine.name, Stage.ROUTE, f"{device}: {why}", way.place))
