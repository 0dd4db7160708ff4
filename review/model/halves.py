"""One host's part of a packet's way, for whoever puts the whole together himself."""

from review.model.flight import Flight
from review.model.host import receive, start
from review.model.machine import Machine
from review.model.packet import Entry, Packet
from review.model.story import Fate, Step
from review.model.surroundings import PLAIN, Surroundings
from review.model.tunnel import decrypt
from schemas.state import Value
from schemas.values import NodeName


class Half(Value, frozen=True, kw_only=True):
    """What one host did with a packet."""

    fate: Fate | None
    """How it ended there; None when the host encrypted it."""
    peer: NodeName | None
    """For whom it was encrypted."""
    packet: Packet
    """As it is after this host: addresses translated, cut to size."""
    steps: tuple[Step, ...]


def leave(
    machine: Machine, packet: Packet, entry: Entry, surroundings: Surroundings = PLAIN
) -> Half:
    """Let a packet come into being on a host, by anything but the tunnel.

    A packet for the overlay that leaves in clear is :attr:`Fate.LEAKED` only where
    ``surroundings`` tell what the overlay is; those of a network do.
    """
    flight = Flight(packet)
    return _halve(flight, start(machine, flight, entry, surroundings))


def enter(
    machine: Machine, packet: Packet, sender: NodeName, surroundings: Surroundings = PLAIN
) -> Half:
    """Let a packet come out of the tunnel, encrypted by a peer of this name in the host's table."""
    flight = Flight(packet)
    fate = decrypt(machine, flight, sender) or receive(
        machine, flight, machine.tunnel, surroundings
    )
    return _halve(flight, fate)


def _halve(flight: Flight, fate: Fate | None) -> Half:
    peer = flight.peer if fate is None else None
    return Half(fate=fate, peer=peer, packet=flight.land(), steps=flight.steps())
