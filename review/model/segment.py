"""A packet on the bridge of a host: from pod to pod, to the gateway, to nobody."""

from review.model.arrival import is_for_many, is_link_local
from review.model.flight import Devices, Flight
from review.model.hooks import pass_hook, recall, remember
from review.model.machine import Machine, Scope
from review.model.pods import PodRange
from review.model.story import Fate, Place, Stage
from review.model.surroundings import Surroundings
from schemas.state import Hook

_NETFILTER = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")


def send_from_pod(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Let a pod of the host send it; None when it reaches the host by the bridge."""
    if fate := _fit_pod(machine, flight):
        return fate
    link = machine.links.get(machine.bridge)
    if link is None or not link.up:
        return _end(machine, flight, f"unreachable: {machine.bridge} is not there", None)
    if is_for_many(machine, flight.destination, ipv6=flight.ipv6):
        return _flood(machine, flight, around)
    if is_link_local(flight.destination, ipv6=flight.ipv6):
        return _keep_on_link(machine, flight, "whoever has this address")
    return _send_to_one(machine, flight, around)


def _flood(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Send to every port of the bridge, and up to the host."""
    if _pass_bridge(machine, flight, around):
        return None  # Other pods do not get it; the host hears it like any packet for itself.
    return _keep_on_link(machine, flight, "every pod and the host")


def _keep_on_link(machine: Machine, flight: Flight, whom: str) -> Fate:
    decision = f"stays on {machine.bridge}, where it reaches {whom}"
    place = machine.links[machine.bridge].place
    flight.trail.append((machine.name, Stage.DELIVER, decision, place))
    return Fate.DELIVERED


def _send_to_one(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    pod = _identify(machine, flight)
    if pod is None:
        family = "IPv6" if flight.ipv6 else "IPv4"
        return _end(machine, flight, f"unreachable: pods have no {family}", machine.at("cni"))
    if pod.subnet.first <= flight.destination <= pod.subnet.last:
        return _send_on_link(machine, flight, around)
    return _find_gateway(machine, flight, pod)


def _identify(machine: Machine, flight: Flight) -> PodRange | None:
    """Return the range that the sender's own address is from, whatever source it writes."""
    own = machine.pods.find(flight.source, ipv6=flight.ipv6)
    others = (each for each in machine.pods.ranges if each.addresses.ipv6 is flight.ipv6)
    return own or next(others, None)


def _fit_pod(machine: Machine, flight: Flight) -> Fate | None:
    """Compare with the pod's own device; its kernel cuts what may be cut."""
    pods = machine.pods
    if flight.size <= pods.mtu:
        return None
    sizes = f"{flight.size} bytes, and the pod's own device carries {pods.mtu}"
    if flight.packet.dont_fragment:
        flight.trail.append((machine.name, Stage.MTU, f"too big: {sizes}", pods.mtu_place))
        return Fate.TOO_BIG
    flight.size = pods.mtu
    flight.trail.append((machine.name, Stage.MTU, f"cut to pieces: {sizes}", pods.mtu_place))
    return None


def _send_on_link(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Send to a neighbour: a pod, or the host.

    IPv4 answers ARP for any address of the host on any device (``arp_ignore`` 0); IPv6 answers
    for those of the device that is asked (``ndisc_recv_ns``), so not for the tunnel's.
    """
    own = machine.own[flight.ipv6].get(flight.destination)
    if own is None:
        # Where nobody answers there is no packet yet that iptables could see.
        there = machine.pods.find(flight.destination, ipv6=flight.ipv6) is not None
        dropped = _pass_bridge(machine, flight, around) if there else None
        return dropped or deliver_to_pod(machine, flight)
    if flight.ipv6 and own.device != machine.bridge:
        address = flight.spell(own.number)
        decision = f"unreachable: {machine.bridge} does not answer for {address} of {own.device}"
        return _end(machine, flight, decision, own.place)
    return None


def _find_gateway(machine: Machine, flight: Flight, pod: PodRange) -> Fate | None:
    destination = flight.destination
    if not any(
        route.ipv6 is flight.ipv6 and route.first <= destination <= route.last
        for route in machine.pods.routes
    ):
        address = flight.spell(destination)
        return _end(machine, flight, f"unreachable: pods have no route to {address}", pod.place)
    gateway = None if pod.gateway is None else machine.own[flight.ipv6].get(pod.gateway)
    if gateway is None or gateway.device != machine.bridge or gateway.scope is not Scope.UNICAST:
        decision = f"unreachable: the pods' gateway is no address of {machine.bridge}"
        return _end(machine, flight, decision, pod.place)
    return None


def _pass_bridge(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Show a bridged packet to iptables where the host asks for it (``br_netfilter``)."""
    setting = _NETFILTER[flight.ipv6]
    if machine.sysctls.get(setting, around.sysctls.get(setting, "0")) in ("0", ""):
        return None
    recall(machine, flight)
    devices, source = Devices(machine.bridge, machine.bridge), flight.source
    fate = pass_hook(machine, flight, Hook.FORWARD, devices, around) or pass_hook(
        machine, flight, Hook.POSTROUTING, Devices(None, machine.bridge), around
    )
    if fate is None:
        fate = _put_together(machine, flight)
    if fate is None:
        remember(machine, flight, source)
    return fate


def _put_together(machine: Machine, flight: Flight) -> Fate | None:
    """Drop pieces that were larger than the bridge carries.

    conntrack puts pieces together to look at them, and cutting them again goes by the bridge's MTU
    (``br_nf_ip_fragment`` in net/bridge/br_netfilter_hooks.c; IPv6's by the port's).
    """
    link = machine.links[machine.bridge]
    whole = flight.size == flight.packet.size
    if flight.ipv6 or whole or flight.size <= link.mtu:
        return None
    sizes = f"pieces of {flight.size} bytes, and {link.name} carries {link.mtu}"
    flight.trail.append((machine.name, Stage.MTU, f"dropped: {sizes}", link.place))
    return Fate.DROPPED


def deliver_to_pod(machine: Machine, flight: Flight) -> Fate:
    """Hand it to the pod that has its destination; nobody answers for addresses no pod gets."""
    address = flight.spell(flight.destination)
    if is_for_many(machine, flight.destination, ipv6=flight.ipv6):
        decision = f"reaches every pod by {machine.bridge}"
        flight.trail.append((machine.name, Stage.DELIVER, decision, None))
        return Fate.DELIVERED
    pods = machine.pods.find(flight.destination, ipv6=flight.ipv6)
    if pods is None:
        decision = f"unreachable: no pod gets {address}, so nobody on {machine.bridge} answers"
        others = (each.place for each in machine.pods.ranges if each.addresses.ipv6 is flight.ipv6)
        return _end(machine, flight, decision, next(others, machine.at("cni")))
    decision = f"reaches pod {address} by {machine.bridge}"
    flight.trail.append((machine.name, Stage.DELIVER, decision, pods.place))
    return Fate.DELIVERED


def _end(machine: Machine, flight: Flight, decision: str, place: Place | None) -> Fate:
    flight.trail.append((machine.name, Stage.DELIVER, decision, place))
    return Fate.UNREACHABLE
