"""A network, a packet and where it starts to its whole story."""

from review.model.flight import Flight
from review.model.host import receive, start
from review.model.network import Network
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate, Stage, Story
from review.model.tunnel import decrypt
from review.model.underlay import carry
from schemas.values import NodeName

_HOPS = 64
"""IP's default time to live (``net.ipv4.ip_default_ttl``): no packet goes round for ever."""


def walk(network: Network, packet: Packet, begin: Start) -> Story:
    """Follow a packet to its end; it always has one."""
    flight = Flight(packet)
    fate, host = follow(network, flight, begin)
    return Story(packet=packet, arrived=flight.land(), fate=fate, host=host, steps=flight.steps())


def follow(network: Network, flight: Flight, begin: Start) -> tuple[Fate, NodeName]:
    """Move a packet until it ends; return how, and on which host."""
    machine, around = network.machines[begin.host], network.surroundings
    if begin.entry is Entry.PEER:
        sender = begin.peer or machine.name
        fate = decrypt(machine, flight, sender) or receive(machine, flight, machine.tunnel, around)
    else:
        fate = start(machine, flight, begin.entry, around)
    for _ in range(_HOPS):
        if fate is not None:
            return fate, machine.name
        arrival = carry(network, machine, flight)
        if isinstance(arrival, Fate):
            return arrival, machine.name
        machine, sender = arrival
        fate = decrypt(machine, flight, sender) or receive(machine, flight, machine.tunnel, around)
    flight.trail.append((machine.name, Stage.ROUTE, "dropped: it went round in circles", None))
    return Fate.DROPPED, machine.name
