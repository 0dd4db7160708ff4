"""Follow a packet through a network to its end, and the answer to it."""

from collections.abc import Mapping

from msgspec.structs import replace

from review.model.arrival import is_for_many
from review.model.flight import Connection, Flight
from review.model.host import receive, start
from review.model.machine import UNDERLAY, Machine
from review.model.network import Network
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate, Stage, Story
from review.model.surroundings import Surroundings
from review.model.tunnel import decrypt
from review.model.underlay import carry
from schemas.values import NodeName

_HOPS = 64
"""IP's default time to live (``net.ipv4.ip_default_ttl``): no packet goes round for ever."""


def walk(network: Network, packet: Packet, begin: Start) -> Story:
    """Follow a packet to its end; it always has one.

    Raises:
        KeyError: the network has no host of this name.
        ValueError: the packet's addresses are none, or of two families.

    """
    return _follow(network, packet, begin, {})[0]


def walk_both_ways(network: Network, packet: Packet, begin: Start) -> tuple[Story, Story | None]:
    """Follow a packet, and the answer of whoever it reached; None when it reached nobody.

    The hosts on the way remember the connection (conntrack), so that what they translated is
    translated back, and who was spoken to by a peer knows where that peer is.
    """
    story, memory = _follow(network, packet, begin, {})
    back = find_answer(network, story)
    if back is None:
        return story, None
    return story, _follow(network, *back, memory)[0]


def find_answer(network: Network, story: Story) -> tuple[Packet, Start] | None:
    """Return the packet that answers one, and where it starts; None when nobody answers.

    Nobody does where it ended on its way, where nobody can have sent it (RFC 1122, 3.2.1.3;
    RFC 4291, 2.5.2), or as somebody whom it was for among others (RFC 1122, 3.2.1.3; RFC 4291,
    2.7): whoever answers that, does so with an address of its own.
    """
    flight, machine = Flight(story.arrived), network.machines[story.host]
    if flight.unbound or is_for_many(machine, flight.destination, ipv6=flight.ipv6):
        return None
    if story.fate is Fate.LEFT:
        entry = Entry.OUTSIDE
    elif story.fate is Fate.DELIVERED:
        own = machine.own[flight.ipv6].get(flight.destination)
        entry = Entry.POD if own is None else Entry.HOST
    else:
        return None
    sent = story.arrived
    answer = replace(
        sent,
        source=sent.destination,
        destination=sent.source,
        source_port=sent.destination_port,
        destination_port=sent.source_port,
    )
    return answer, Start(host=story.host, entry=entry)


def _follow(
    network: Network, packet: Packet, begin: Start, memory: Mapping[NodeName, Connection]
) -> tuple[Story, Mapping[NodeName, Connection]]:
    flight = Flight(packet, memory)
    fate, host = _move(network, flight, begin)
    story = Story(packet=packet, arrived=flight.land(), fate=fate, host=host, steps=flight.steps())
    return story, flight.connections


def _move(network: Network, flight: Flight, begin: Start) -> tuple[Fate, NodeName]:
    """Move a packet until it ends; return how, and on which host."""
    machine, around = network.machines[begin.host], network.surroundings
    if begin.entry is Entry.PEER:
        fate = _decrypt_of(network, machine, flight, begin.peer)
    else:
        fate = start(machine, flight, begin.entry, around)
    for _ in range(_HOPS):
        if fate is Fate.LEFT and (neighbour := _find_neighbour(network, machine, flight)):
            step = f"to {neighbour.name}, in clear: this is where it is on the underlay"
            flight.trail.append((machine.name, Stage.UNDERLAY, step, neighbour.reach_place))
            machine = neighbour
            fate = receive(machine, flight, UNDERLAY, around)
            continue
        if fate is not None:
            return fate, machine.name
        arrival = carry(network, machine, flight)
        if isinstance(arrival, Fate):
            return arrival, machine.name
        machine = arrival.machine
        fate = _take_from(machine, flight, arrival.sender, around)
    flight.trail.append((machine.name, Stage.ROUTE, f"dropped: {_HOPS} hops, in circles", None))
    return Fate.DROPPED, machine.name


def _decrypt_of(
    network: Network, machine: Machine, flight: Flight, peer: NodeName | None
) -> Fate | None:
    """Take a packet that a peer made up; it can only be encrypted with that peer's own key."""
    other = network.machines.get(peer) if peer is not None else None
    known = other and machine.peers.find_by_key(other.public_key, without=machine.absent)
    if known is None:
        step = f"lost: {machine.name} knows nobody with {peer}'s key"
        flight.trail.append((machine.name, Stage.DECRYPT, step, machine.at("wireguard")))
        return Fate.LOST
    return _take_from(machine, flight, known.name, network.surroundings)


def _take_from(
    machine: Machine, flight: Flight, sender: NodeName, around: Surroundings
) -> Fate | None:
    tunnel = machine.links.get(machine.tunnel)
    if tunnel is None or not tunnel.up:
        # A device that is down has closed its socket (``wg_stop``).
        lack = f"there is no {machine.tunnel}" if tunnel is None else f"{machine.tunnel} is not up"
        step = f"lost: {lack}"
        flight.trail.append((machine.name, Stage.DECRYPT, step, machine.at("wireguard")))
        return Fate.LOST
    return decrypt(machine, flight, sender) or receive(machine, flight, machine.tunnel, around)


def _find_neighbour(network: Network, machine: Machine, flight: Flight) -> Machine | None:
    """Return the other host that has a packet's destination on the underlay."""
    names = network.whereabouts.get((flight.ipv6, flight.destination), ())
    if len(names) != 1 or names[0] == machine.name:
        return None
    return network.machines.get(names[0])
