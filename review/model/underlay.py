"""Ciphertext between two hosts: whether it gets there, and whether it is known there."""

from review.model.flight import Flight
from review.model.machine import Machine
from review.model.network import Network
from review.model.story import Fate, Stage
from schemas.values import NodeName


def carry(network: Network, machine: Machine, flight: Flight) -> Fate | tuple[Machine, NodeName]:
    """Carry what was encrypted to its peer: that host, and the name it knows the sender by."""
    name = flight.peer
    assert name is not None  # noqa: S101 - whoever calls this has encrypted it
    there = network.machines.get(name)
    if there is None:
        flight.trail.append((machine.name, Stage.UNDERLAY, f"lost: there is no {name}", None))
        return Fate.LOST
    sender = there.peers.find_by_key(machine.public_key, without=there.absent)
    if sender is None:
        return Fate.LOST
    flight.trail.append((machine.name, Stage.UNDERLAY, f"to {name}", None))
    return there, sender.name
