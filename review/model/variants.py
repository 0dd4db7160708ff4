"""Take something from a host, as if it had failed, or had not been applied yet."""

from msgspec.structs import replace

from review.model.machine import Link, Machine, with_routing
from review.model.peers import NO_PEERS
from review.model.rules import Hooked, drop_chain
from schemas.values import InterfaceName, NodeName

_NO_CHAINS: tuple[Hooked, Hooked] = ({}, {})


def without_device(machine: Machine, device: InterfaceName) -> Machine:
    """Return the host after a device of ours was deleted.

    The kernel deletes its addresses and every route by it (``fib_sync_down_dev``,
    ``rt6_disable_ip``); with the tunnel go its peers.
    """
    links = {name: link for name, link in machine.links.items() if name != device}
    return with_routing(
        replace(
            machine,
            links=links,
            addresses=tuple(each for each in machine.addresses if each.device != device),
            ways=tuple(way for way in machine.ways if way.device != device),
            peers=NO_PEERS if device == machine.tunnel else machine.peers,
        )
    )


def with_device_down(machine: Machine, device: InterfaceName) -> Machine:
    """Return the host after ``ip link set down``: routes by the device go, IPv4 addresses stay.

    IPv6 addresses go too, unless ``keep_addr_on_down`` is set (``addrconf_ifdown``).
    """
    link = machine.links.get(device)
    if link is None:
        return machine
    down = Link(link.name, link.mtu, link.place, up=False)
    return with_routing(
        replace(
            machine,
            links=machine.links | {device: down},
            addresses=tuple(
                each for each in machine.addresses if each.device != device or not each.ipv6
            ),
            ways=tuple(way for way in machine.ways if way.device != device),
        )
    )


def without_peer(machine: Machine, peer: NodeName) -> Machine:
    """Return the host without one of its peers."""
    return replace(machine, absent=machine.absent | {peer})


def without_chains(machine: Machine) -> Machine:
    """Return the host after all of our chains were flushed."""
    return replace(machine, chains=_NO_CHAINS)


def without_chain(machine: Machine, name: str) -> Machine:
    """Return the host after one of our chains was flushed, in both families."""
    ipv4, ipv6 = (drop_chain(hooked, name) for hooked in machine.chains)
    return replace(machine, chains=(ipv4, ipv6))


def without_route(machine: Machine, index: int) -> Machine:
    """Return the host without one route, by its place: two may have one destination and metric."""
    place = machine.at("routes", index)
    kept = tuple(way for way in machine.ways if way.place != place)
    return with_routing(replace(machine, ways=kept))
