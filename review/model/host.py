"""A packet on one host, from where it comes in to where it leaves or ends."""

from review.model.arrival import is_for_many, is_link_local, refuse, validate_source
from review.model.flight import Devices, Flight
from review.model.hooks import pass_hook, recall, remember
from review.model.machine import LOOPBACK, UNDERLAY, Machine, Scope
from review.model.packet import Entry
from review.model.routing import find_way, note_own
from review.model.segment import deliver_to_pod, send_from_pod
from review.model.sources import select_source
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings
from review.model.tunnel import encrypt
from schemas.state import Hook
from schemas.values import InterfaceName


def start(machine: Machine, flight: Flight, entry: Entry, around: Surroundings) -> Fate | None:
    """Let a packet come into being on a host, by anything but the tunnel.

    Returns how it ended; None when it was encrypted, for ``flight.peer``.
    """
    match entry:
        case Entry.POD:
            fate = send_from_pod(machine, flight, around)
            return fate or receive(machine, flight, machine.bridge, around)
        case Entry.HOST:
            return send(machine, flight, around)
        case Entry.OUTSIDE | Entry.PEER:
            return receive(machine, flight, UNDERLAY, around)


def send(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Let a process of the host send it.

    The route is found, then the source, then LOCAL_OUT (``ip_route_output_key_hash``,
    ``__ip_local_out``). The lookup after LOCAL_OUT (``ip_route_me_harder``) is for a destination
    or mark that a rule changed; none of ours does.
    """
    recall(machine, flight)
    own = machine.own[flight.ipv6].get(flight.destination)
    if own is not None and own.scope is not Scope.BROADCAST:
        note_own(machine, flight, own)
        flight.source = flight.source or own.number
        out = LOOPBACK
    else:
        found = _find_exit(machine, flight)
        if found is None:
            return Fate.UNREACHABLE
        out = found
    devices = Devices(None, out)
    return (
        _fit(machine, flight, out, may_cut=not flight.packet.dont_fragment)
        or pass_hook(machine, flight, Hook.OUTPUT, devices, around)
        or _leave(machine, flight, devices, around)
    )


def receive(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    """Let it come in by a device (``ip_rcv``, PREROUTING, ``ip_route_input_noref``)."""
    recall(machine, flight)
    if fate := refuse(machine, flight, device):
        return fate
    own = machine.own[flight.ipv6].get(flight.destination)
    if own is not None:
        note_own(machine, flight, own)
        return validate_source(machine, flight, device, around) or _take(
            machine, flight, device, around
        )
    if is_for_many(machine, flight.destination, ipv6=flight.ipv6) or is_link_local(
        flight.destination, ipv6=flight.ipv6
    ):
        # Routers do not pass these on; whether the host itself listens is not in documents.
        decision = f"to this host: {flight.spell(flight.destination)} stays on its link"
        flight.trail.append((machine.name, Stage.ROUTE, decision, None))
        return validate_source(machine, flight, device, around) or _take(
            machine, flight, device, around
        )
    return _forward(machine, flight, device, around)


def _find_exit(machine: Machine, flight: Flight) -> InterfaceName | None:
    """Return the device that a process's packet leaves by; None when there is no way.

    What IPv4 sends to many goes by the device that has the source, whatever the routes say
    (``ip_route_output_key_hash_rcu``); RFC 1112 knew no other way to choose one. An IPv6 link-local
    destination says nothing without a device (``__ip6_datagram_connect``: EINVAL).
    """
    if is_link_local(flight.destination, ipv6=flight.ipv6):
        decision = f"unreachable: {flight.spell(flight.destination)} is on a link, but on which?"
        flight.trail.append((machine.name, Stage.ROUTE, decision, None))
        return None
    many = is_for_many(machine, flight.destination, ipv6=flight.ipv6)
    if many and not flight.ipv6 and not flight.unbound and _is_for_no_route(machine, flight):
        own = machine.own[False].get(flight.source)
        decision = f"unreachable: {flight.spell(flight.source)} is nobody's here"
        if own is not None:
            decision = f"by {own.device}: {flight.spell(flight.source)} is its address"
        flight.trail.append((machine.name, Stage.ROUTE, decision, own.place if own else None))
        return None if own is None else own.device
    way = find_way(machine, flight)
    if way is None or way.device is None:
        return None
    if flight.unbound:
        _choose_source(machine, flight, way.device, on_link=way.connected)
    return way.device


def _is_for_no_route(machine: Machine, flight: Flight) -> bool:
    """Whether it is multicast or the limited broadcast, which belong to no subnet."""
    return flight.destination not in machine.own[False]


def _choose_source(machine: Machine, flight: Flight, out: InterfaceName, *, on_link: bool) -> None:
    address = select_source(machine, flight.destination, out, ipv6=flight.ipv6, on_link=on_link)
    if address is None:
        return
    flight.source = address.number
    assumed = "" if address.place else ", assumed"
    decision = f"from {flight.spell(address.number)}, an address of {address.device}{assumed}"
    flight.trail.append((machine.name, Stage.SOURCE, decision, address.place))


def _take(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    if fate := pass_hook(machine, flight, Hook.INPUT, Devices(device, None), around):
        return fate
    flight.trail.append((machine.name, Stage.DELIVER, "reaches the host itself", None))
    remember(machine, flight, flight.source)
    return Fate.DELIVERED


def _forward(
    machine: Machine, flight: Flight, device: InterfaceName, around: Surroundings
) -> Fate | None:
    """Pass it on (``ip_forward``, ``ip6_forward``): allowed, routed, of a size, then FORWARD."""
    if fate := _may_forward(machine, flight, around):
        return fate
    way = find_way(machine, flight)
    if way is None or way.device is None:
        return Fate.UNREACHABLE
    devices = Devices(device, way.device)
    return (
        validate_source(machine, flight, device, around)
        or _fit(machine, flight, way.device, may_cut=not flight.dont_fragment)
        or pass_hook(machine, flight, Hook.FORWARD, devices, around)
        or _leave(machine, flight, devices, around)
    )


def _may_forward(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Drop what may not be forwarded: silently where forwarding is off (``ip_error``)."""
    setting = "net.ipv6.conf.all.forwarding" if flight.ipv6 else "net.ipv4.ip_forward"
    if machine.sysctls.get(setting, around.sysctls.get(setting, "0")) in ("0", ""):
        steps = ("sysctls", setting) if setting in machine.sysctls else ("sysctls",)
        decision = f"dropped: {setting} is not on, so the host forwards nothing"
        flight.trail.append((machine.name, Stage.ROUTE, decision, machine.at(*steps)))
        return Fate.DROPPED
    if is_link_local(flight.source, ipv6=flight.ipv6) or (flight.ipv6 and not flight.source):
        decision = f"unreachable: a packet from {flight.spell(flight.source)} stays on its link"
        flight.trail.append((machine.name, Stage.ROUTE, decision, None))
        return Fate.UNREACHABLE
    return None


def _fit(machine: Machine, flight: Flight, out: InterfaceName, *, may_cut: bool) -> Fate | None:
    """Compare with the outgoing device's MTU; cut it to pieces where that is allowed.

    ``ip_exceeds_mtu`` and ``ip6_pkt_too_big`` stand before FORWARD. Only who sends an IPv6 packet
    may cut it (RFC 8200, 4.5).
    """
    link = machine.links.get(out)
    if link is None or flight.size <= link.mtu:
        return None
    sizes = f"{flight.size} bytes, and {out} carries {link.mtu}"
    if may_cut:
        flight.size = link.mtu
        flight.trail.append((machine.name, Stage.MTU, f"cut to pieces: {sizes}", link.place))
        return None
    flight.trail.append((machine.name, Stage.MTU, f"too big: {sizes}", link.place))
    return Fate.TOO_BIG


def _leave(machine: Machine, flight: Flight, devices: Devices, around: Surroundings) -> Fate | None:
    source, out = flight.source, devices.out
    if fate := pass_hook(machine, flight, Hook.POSTROUTING, devices, around):
        return fate
    remember(machine, flight, source)
    if out == LOOPBACK:
        return _take(machine, flight, LOOPBACK, around)
    if out == machine.tunnel:
        return encrypt(machine, flight)
    if out == machine.bridge:
        return deliver_to_pod(machine, flight)
    return _go_outside(machine, flight, out or UNDERLAY, around)


def _go_outside(machine: Machine, flight: Flight, out: InterfaceName, around: Surroundings) -> Fate:
    if around.covers(flight.destination, ipv6=flight.ipv6):
        decision = f"leaves by {out} in clear, and it is for the overlay"
        flight.trail.append((machine.name, Stage.DELIVER, decision, machine.at("routes")))
        return Fate.LEAKED
    flight.trail.append((machine.name, Stage.DELIVER, f"leaves by {out}, unencrypted", None))
    return Fate.LEFT
