"""A packet at the WireGuard device: for which peer it is encrypted, from which it is taken."""

from review.model.flight import Flight
from review.model.machine import Machine
from review.model.story import Fate, Place, Stage
from schemas.document import MESH_FILE
from schemas.values import NodeName

_PEERS = Place(file=MESH_FILE, path=("peerGroups",))


def encrypt(machine: Machine, flight: Flight) -> Fate | None:
    """Choose the peer by destination (``wg_xmit`` in drivers/net/wireguard/device.c)."""
    claim = machine.peers.find_claim(flight.destination, ipv6=flight.ipv6, without=machine.absent)
    if claim is None:
        address = flight.spell(flight.destination)
        decision = f"unreachable: no peer has {address} in its allowed IPs"
        flight.trail.append((machine.name, Stage.ENCRYPT, decision, _PEERS))
        return Fate.UNREACHABLE
    flight.peer = claim.peer.name
    decision = f"for {claim.peer.name}: {claim.prefix} is its own"
    flight.trail.append((machine.name, Stage.ENCRYPT, decision, claim.place))
    return None


def decrypt(machine: Machine, flight: Flight, sender: NodeName) -> Fate | None:
    """Check that the source is one of the peer's (``wg_allowedips_lookup_src``, receive.c)."""
    flight.peer = None
    claim = machine.peers.find_claim(flight.source, ipv6=flight.ipv6, without=machine.absent)
    source = flight.spell(flight.source)
    if claim is not None and claim.peer.name == sender:
        decision = f"{source} is {sender}'s: {claim.prefix}"
        flight.trail.append((machine.name, Stage.DECRYPT, decision, claim.place))
        return None
    known = machine.peers.peers.get(sender)
    whose = f"{claim.peer.name}'s" if claim is not None else "no peer's"
    place = claim.place if claim is not None else known.at("allowedIPs") if known else None
    decision = f"dropped: {sender} sent it, and {source} is {whose}"
    flight.trail.append((machine.name, Stage.DECRYPT, decision, place))
    return Fate.DROPPED
