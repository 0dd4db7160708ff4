"""Ciphertext between two hosts: whether it gets there, and whether it is understood there."""

from typing import NamedTuple

from review.model.arrival import find_special
from review.model.flight import Devices, Flight
from review.model.hooks import pass_hook
from review.model.machine import UNDERLAY, UNKNOWN, Machine
from review.model.network import Network
from review.model.numbers import Reach, spell_address
from review.model.packet import Packet, Protocol
from review.model.peers import KnownPeer
from review.model.routing import find_way_to
from review.model.story import Fate, Place, Stage
from schemas.state import Hook, Verdict
from schemas.values import NodeName

_OVERHEAD = {False: 60, True: 80}
"""Bytes around what is encrypted: IP 20 or 40, UDP 8, WireGuard's header 16 and tag 16."""
_PADDING = 16
"""``calculate_skb_padding`` in drivers/net/wireguard/send.c, which never exceeds the MTU."""


class _Failure(NamedTuple):
    """Why ciphertext gets lost, and what in the documents is to blame."""

    why: str
    place: Place | None


class Arrival(NamedTuple):
    """Where ciphertext is decrypted, and by which name the sender is known there."""

    machine: Machine
    sender: NodeName


def carry(network: Network, machine: Machine, flight: Flight) -> Arrival | Fate:
    """Carry what was encrypted to its peer."""
    name = flight.peer
    known = machine.peers.peers[name] if name is not None else None
    there = network.machines.get(name) if name is not None else None
    if known is None or there is None:
        why = f"lost: there is no host {name}"
        return _lose(machine, flight, _Failure(why, known.at() if known else None))
    sender = _agree(machine, known, there)
    if isinstance(sender, _Failure):
        return _lose(machine, flight, sender)
    path = _find_path(network, machine, known, there, flight)
    if isinstance(path, _Failure):
        return _lose(machine, flight, path)
    flight.trail.append((machine.name, Stage.UNDERLAY, path.decision, path.place))
    return _fit_path(network, machine, there, path, flight) or Arrival(there, sender)


def _lose(machine: Machine, flight: Flight, failure: _Failure) -> Fate:
    flight.trail.append((machine.name, Stage.UNDERLAY, failure.why, failure.place))
    return Fate.LOST


def _agree(machine: Machine, known: KnownPeer, there: Machine) -> NodeName | _Failure:
    """Return the name by which the other side knows the sender, if they can shake hands at all.

    Each must know the other's key, and both the same pre-shared key: Noise_IKpsk2
    (``wg_noise_handshake_consume_initiation``, ``..._response`` in noise.c).
    """
    if there.tunnel not in there.links or not there.links[there.tunnel].up:
        return _Failure(f"lost: {there.name} has no {there.tunnel}", there.at("wireguard"))
    if known.public_key != there.public_key:
        why = f"lost: {machine.name} knows {known.name} by a key that it does not have"
        return _Failure(why, known.at("publicKey"))
    sender = there.peers.find_by_key(machine.public_key, without=there.absent)
    if sender is None:
        mistaken = there.peers.peers.get(machine.name)
        if mistaken is not None and machine.name not in there.absent:
            place = mistaken.at("publicKey")
        else:
            place = there.at("wireguard", "peerGroups")
        return _Failure(f"lost: {there.name} knows nobody with {machine.name}'s key", place)
    if machine.epoch != there.epoch:
        ours, theirs = machine.epoch or "none", there.epoch or "none"
        why = f"lost: pre-shared keys differ: {ours} here, {theirs} on {there.name}"
        field = "presharedKeyEpoch"
        host = machine if machine.epoch else there
        return _Failure(why, host.at("wireguard", field))
    return sender.name


class _Path(NamedTuple):
    reach: Reach | None
    """Where it is sent to; None where only the kernel knows, from whom it heard."""
    decision: str
    place: Place | None


def _find_path(
    network: Network, machine: Machine, known: KnownPeer, there: Machine, flight: Flight
) -> _Path | _Failure:
    """Return the way to a peer: by its endpoint, or by where it spoke from last.

    A peer's endpoint is that of its last packet that could be decrypted
    (``wg_socket_set_peer_endpoint_from_skb``).
    """
    failure = _Failure(f"lost: {known.name} has no endpoint", known.at())
    if known.reach is not None:
        tried = _try_way(network, machine, known.reach, there)
        if tried is None:
            address = spell_address(known.reach.address, ipv6=known.reach.ipv6)
            decision = f"to {known.name} at {address}, port {known.reach.port}"
            return _Path(known.reach, decision, known.at("endpoint"))
        failure = tried
    back = there.peers.find_by_key(machine.public_key, without=there.absent)
    if back is None or back.reach is None:
        other = f"{there.name} has none of {machine.name} either"
        return failure._replace(why=f"{failure.why}, and {other}")
    if other_failure := _try_way(network, there, back.reach, machine):
        return failure._replace(why=f"{failure.why}; nor back: {other_failure.why}")
    spoke = there.keepalive or network.surroundings.everybody_spoke or there.name in flight.memory
    if not spoke:
        why = f"{failure.why}: it must speak first (no keepalive)"
        return failure._replace(why=why)
    if there.keepalive:
        place: Place | None = there.at("wireguard", "persistentKeepalive")
        decision = f"to {known.name}, where its keepalive came from last"
    else:
        place, decision = None, f"to {known.name}, where it spoke from last"
    return _Path(known.reach, decision, place)


def _try_way(network: Network, machine: Machine, reach: Reach, there: Machine) -> _Failure | None:
    """Return why ciphertext for an endpoint does not arrive at a host; None when it does."""
    address = spell_address(reach.address, ipv6=reach.ipv6)
    known = machine.peers.peers.get(there.name)
    endpoint = known.at("endpoint") if known else None
    if (where := _refuse_address(machine, reach, address)) is not None:
        return where._replace(place=where.place or endpoint)
    at = network.whereabouts.get((reach.ipv6, reach.address), ())
    if there.name not in at:
        who = f"that is {at[0]}" if at else "nobody is there"
        why = f"lost: it goes to {address}, and {who}"
        return _Failure(why, endpoint)
    rivals = [name for name in at if name != there.name and _is_reached_at(network, name, reach)]
    if rivals:
        why = f"lost: it goes to {address}, port {reach.port}, and so does {rivals[0]}'s"
        return _Failure(why, endpoint)
    if there.listen_port != reach.port:
        why = f"lost: it goes to port {reach.port}, and {there.name} listens on {there.listen_port}"
        return _Failure(why, there.at("wireguard", "listenPort"))
    way = find_way_to(machine, reach.address, ipv6=reach.ipv6)
    if way is None or way.device != UNDERLAY:
        # ``send4`` in socket.c refuses its own device with ELOOP.
        leads = (
            f"to {machine.bridge}" if way and way.device == machine.bridge else "into the overlay"
        )
        why = f"lost: the route to {address}, an endpoint, leads {leads}"
        return _Failure(why, way.place if way else None)
    return _filter_outer(network, machine, reach, there)


def _refuse_address(machine: Machine, reach: Reach, address: str) -> _Failure | None:
    """Say where else ciphertext for an address stays on its own host, or has no host at all."""
    if what := find_special(reach.address, ipv6=reach.ipv6):
        return _Failure(f"lost: {address} is {what}: no other host is there", None)
    own = machine.own[reach.ipv6].get(reach.address)
    if own is not None and own.place is not None:
        return _Failure(f"lost: it goes to {address}, which is {machine.name}'s own", own.place)
    return None


def _is_reached_at(network: Network, name: NodeName, reach: Reach) -> bool:
    machine = network.machines.get(name)
    return machine is not None and machine.reach == reach


def _filter_outer(
    network: Network, machine: Machine, reach: Reach, there: Machine
) -> _Failure | None:
    """Show the ciphertext to the chains of both hosts; few rules are about such packets."""
    own = machine.reach
    source = own.address if own and own.ipv6 is reach.ipv6 else UNKNOWN[reach.ipv6]
    passed = (
        (machine, Hook.OUTPUT, Devices(None, UNDERLAY)),
        (machine, Hook.POSTROUTING, Devices(None, UNDERLAY)),
        (there, Hook.INPUT, Devices(UNDERLAY, None)),
    )
    if not any(_may_drop(*each, source, reach) for each in passed):
        return None
    outer = Flight(
        Packet(
            source=spell_address(source, ipv6=reach.ipv6),
            destination=spell_address(reach.address, ipv6=reach.ipv6),
            protocol=Protocol.UDP,
            source_port=machine.listen_port,
            destination_port=reach.port,
        )
    )
    for host, hook, devices in passed:
        if pass_hook(host, outer, hook, devices, network.surroundings) is not None:
            last = outer.steps()[-1]
            why = f"lost: the ciphertext is {last.decision}, on {last.host}"
            return _Failure(why, last.by)
    return None


def _may_drop(host: Machine, hook: Hook, devices: Devices, source: int, reach: Reach) -> bool:
    """Whether any rule there would drop such a packet, if no other one came before it."""
    for _, chains in host.chains[reach.ipv6].get(hook, ()):
        for chain in chains:
            for first, last, least, most, _, _, verdict in chain.ask(*devices):
                if (
                    verdict is Verdict.DROP
                    and first <= source <= last
                    and least <= reach.address <= most
                ):
                    return True
    return False


def _fit_path(
    network: Network, machine: Machine, there: Machine, path: _Path, flight: Flight
) -> Fate | None:
    """Compare the padded ciphertext with what the underlay carries between two hosts."""
    most = network.surroundings.path_mtus.get(frozenset((machine.name, there.name)))
    if most is None:
        return None
    tunnel = machine.links[machine.tunnel]
    padded = min(-flight.size // _PADDING * -_PADDING, max(tunnel.mtu, flight.size))
    ipv6 = path.reach.ipv6 if path.reach else bool(machine.reach and machine.reach.ipv6)
    outer = padded + _OVERHEAD[ipv6]
    if outer <= most:
        return None
    sizes = f"{outer} bytes of ciphertext, and the underlay carries {most} to {there.name}"
    flight.trail.append((machine.name, Stage.MTU, f"too big: {sizes}", tunnel.place))
    return Fate.TOO_BIG
