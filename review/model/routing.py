"""Find the route that the kernel takes for a packet on a host."""

from review.model.flight import Flight
from review.model.machine import Address, Machine, Scope, Way
from review.model.numbers import spell_prefix
from review.model.story import Stage


def find_way(machine: Machine, flight: Flight) -> Way | None:
    """Return the route of a packet's destination in the main table, and note it."""
    way = find_way_to(machine, flight.destination, ipv6=flight.ipv6)
    _note_way(machine, flight, way)
    return way


def find_way_to(machine: Machine, number: int, *, ipv6: bool) -> Way | None:
    """Return the route of the main table: the longest prefix, then the least metric.

    ``fib_table_lookup`` (IPv4) and ``fib6_table_lookup`` both stop at an unreachable route.
    """
    return machine.fib[ipv6].find_first(number)


def note_own(machine: Machine, flight: Flight, own: Address) -> None:
    """Note that the local table has a packet's destination; it is asked first (rule 0)."""
    what = "own" if own.scope is Scope.UNICAST else f"own {own.scope} address"
    decision = f"to this host: {flight.spell(own.number)} is its {what}, on {own.device}"
    flight.trail.append((machine.name, Stage.ROUTE, decision, own.place))


def _note_way(machine: Machine, flight: Flight, way: Way | None) -> None:
    if way is None:
        flight.trail.append((machine.name, Stage.ROUTE, "unreachable: there is no route", None))
        return
    device = "unreachable" if way.device is None else f"by {way.device}"
    flight.trail.append((machine.name, Stage.ROUTE, f"{device}: {_name_way(way)}", way.place))


def _name_way(way: Way) -> str:
    if way.connected:
        return f"{spell_prefix(way.prefix)} is on link there"
    if not way.prefix.length:
        return "the default route" if way.place else "the default route, assumed"
    return f"{spell_prefix(way.prefix)}, metric {way.metric}"
