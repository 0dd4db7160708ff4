"""A packet on one host, from where it comes in to where it leaves or ends."""

from review.model.flight import Devices, Flight
from review.model.hooks import pass_hook, remember
from review.model.machine import LOOPBACK, UNDERLAY, Machine, Way
from review.model.packet import Entry
from review.model.routing import find_way, note_way
from review.model.sources import select_source
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings
from review.model.tunnel import encrypt
from schemas.state import Hook
from schemas.values import InterfaceName


def send(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Let a process of the host send it (``ip_route_output_flow``, then LOCAL_OUT)."""
    flight.known = machine.name in flight.memory
    own = machine.own[flight.ipv6].get(flight.destination)
    if own is not None:
        flight.source = flight.source or flight.destination
        decision = f"{flight.spell(own.number)} is this host's own ({own.device})"
        flight.trail.append((machine.name, Stage.ROUTE, decision, own.place))
        out, way = LOOPBACK, None
    else:
        way = find_way(machine, flight)
        note_way(machine, flight, way)
        if way is None or way.device is None:
            return Fate.UNREACHABLE
        out = way.device
        if flight.unbound:
            _choose_source(machine, flight, out)
    devices = Devices(None, out)
    return (
        pass_hook(machine, flight, Hook.OUTPUT, devices, around)
        or _fit(machine, flight, out, local=True)
        or _leave(machine, flight, devices, around)
    )


def _choose_source(machine: Machine, flight: Flight, out: InterfaceName) -> None:
    address = select_source(machine, flight.destination, out, ipv6=flight.ipv6)
    if address is None:
        return
    flight.source = address.number
    decision = f"{flight.spell(address.number)}, the address of {address.device}"
    flight.trail.append((machine.name, Stage.SOURCE, decision, address.place))


def receive(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    """Let it come in by a device (``ip_rcv``, ``ip_route_input_noref``)."""
    _recall(machine, flight)
    own = machine.own[flight.ipv6].get(flight.destination)
    if own is not None:
        decision = f"{flight.spell(own.number)} is this host's own ({own.device})"
        flight.trail.append((machine.name, Stage.ROUTE, decision, own.place))
        return _take(machine, flight, device, around)
    return _forward(machine, flight, device, around)


def _recall(machine: Machine, flight: Flight) -> None:
    """Give a reply back the destination that was translated (``nf_nat_manip_pkt``)."""
    connection = flight.memory.get(machine.name)
    flight.known = (
        connection is not None
        and connection.seen_source == flight.destination
        and connection.destination == flight.source
    )
    if connection is not None and flight.known and connection.source != flight.destination:
        flight.destination = connection.source
        decision = f"a reply: back to {flight.spell(connection.source)}, which asked"
        flight.trail.append((machine.name, Stage.NAT, decision, None))


def _take(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    fate = pass_hook(machine, flight, Hook.INPUT, Devices(device, None), around)
    if fate is None:
        flight.trail.append((machine.name, Stage.DELIVER, "reaches the host itself", None))
        remember(machine, flight, flight.source)
    return fate or Fate.DELIVERED


def _forward(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    setting = "net.ipv6.conf.all.forwarding" if flight.ipv6 else "net.ipv4.ip_forward"
    if machine.sysctls.get(setting, around.sysctls.get(setting, "0")) in ("0", ""):
        place = machine.at("sysctls", setting) if setting in machine.sysctls else None
        decision = f"dropped: {setting} is off, so it is not forwarded"
        flight.trail.append((machine.name, Stage.ROUTE, decision, place or machine.at("sysctls")))
        return Fate.DROPPED
    way = find_way(machine, flight)
    note_way(machine, flight, way)
    if way is None or way.device is None:
        return Fate.UNREACHABLE
    devices = Devices(device, way.device)
    return (
        _fit(machine, flight, way.device, local=False)
        or pass_hook(machine, flight, Hook.FORWARD, devices, around)
        or _leave(machine, flight, devices, around)
    )


def _fit(machine: Machine, flight: Flight, out: InterfaceName, *, local: bool) -> Fate | None:
    """Compare with the outgoing device's MTU; where it may be, cut it to pieces.

    ``ip_exceeds_mtu`` in net/ipv4/ip_forward.c and ``ip6_pkt_too_big`` stand before FORWARD. A
    process's own IPv6 packet is fragmented by its host (RFC 8200, 4.5).
    """
    link = machine.links.get(out)
    if link is None or flight.size <= link.mtu:
        return None
    may_cut = not flight.packet.dont_fragment if local else not flight.dont_fragment
    if may_cut:
        decision = f"cut to pieces: {flight.size} bytes, {out} carries {link.mtu}"
        flight.size, flight.fragmented = link.mtu, True
    else:
        decision = f"too big: {flight.size} bytes, {out} carries {link.mtu}"
    flight.trail.append((machine.name, Stage.MTU, decision, link.place))
    return None if may_cut else Fate.TOO_BIG


def _leave(machine: Machine, flight: Flight, devices: Devices, around: Surroundings) -> Fate | None:
    source, out = flight.source, devices.out
    fate = pass_hook(machine, flight, Hook.POSTROUTING, devices, around)
    if fate is not None:
        return fate
    remember(machine, flight, source)
    if out == LOOPBACK:
        return _take(machine, flight, LOOPBACK, around)
    if out == machine.tunnel:
        return encrypt(machine, flight)
    if out == machine.bridge:
        return deliver_to_pod(machine, flight)
    return _go_outside(machine, flight, around)


def deliver_to_pod(machine: Machine, flight: Flight) -> Fate:
    """Hand it to the pod that has its destination; nobody answers for addresses no pod gets."""
    address = flight.spell(flight.destination)
    for pods, place in machine.pods:
        if pods.ipv6 is flight.ipv6 and pods.first <= flight.destination <= pods.last:
            decision = f"reaches pod {address} by {machine.bridge}"
            flight.trail.append((machine.name, Stage.DELIVER, decision, place))
            return Fate.DELIVERED
    decision = f"unreachable: nobody on {machine.bridge} answers for {address}, no pod gets it"
    flight.trail.append((machine.name, Stage.DELIVER, decision, None))
    return Fate.UNREACHABLE


def _go_outside(machine: Machine, flight: Flight, around: Surroundings) -> Fate:
    if around.covers(flight.destination, ipv6=flight.ipv6):
        decision = f"leaves by {UNDERLAY} in clear, though it is for the overlay"
        flight.trail.append((machine.name, Stage.DELIVER, decision, None))
        return Fate.LEAKED
    flight.trail.append((machine.name, Stage.DELIVER, f"leaves by {UNDERLAY}", None))
    return Fate.LEFT


def send_from_pod(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Let a pod of the host send it, by the bridge or over it."""
    for way in _pod_links(machine):
        if (
            way.prefix.ipv6 is flight.ipv6
            and way.prefix.first <= flight.destination <= way.prefix.last
        ):
            if flight.destination not in machine.own[flight.ipv6]:
                return deliver_to_pod(machine, flight)
    return receive(machine, flight, machine.bridge, around)


def _pod_links(machine: Machine) -> tuple[Way, ...]:
    return tuple(way for way in machine.ways if way.connected and way.device == machine.bridge)


def start(machine: Machine, flight: Flight, entry: Entry, around: Surroundings) -> Fate | None:
    """Let a packet come into being on a host, by anything but the tunnel."""
    match entry:
        case Entry.POD:
            return send_from_pod(machine, flight, around)
        case Entry.HOST:
            return send(machine, flight, around)
        case _:
            return receive(machine, flight, UNDERLAY, around)
