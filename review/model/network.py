"""Build all hosts of a mesh, as packets meet them, from its documents."""

from collections.abc import Iterable

import msgspec

from review.model.machine import Machine, build_machine
from review.model.numbers import Range, read_prefix
from review.model.peers import PeerTable, build_peer_table
from review.model.surroundings import PLAIN, Surroundings
from schemas.state import Documents, Value
from schemas.values import NodeName


class Network(Value, frozen=True, kw_only=True):
    """All hosts, and what lies around them."""

    machines: dict[NodeName, Machine]
    whereabouts: dict[tuple[bool, int], tuple[NodeName, ...]]
    """Who is at an address of the underlay: the truth, whatever a host believes."""
    surroundings: Surroundings


def build_network(documents: Documents, surroundings: Surroundings = PLAIN) -> Network:
    """Return the network that hosts form which have converged to these documents.

    The overlay is everything that any document claims for it.
    """
    tables: dict[tuple[str, ...], PeerTable] = {}
    machines: dict[NodeName, Machine] = {}
    whereabouts: dict[tuple[bool, int], tuple[NodeName, ...]] = {}
    for name, host in documents.hosts.items():
        groups = host.wireguard.peer_groups
        if groups not in tables:
            tables[groups] = build_peer_table(documents.mesh, groups)
        machine = build_machine(documents.mesh, host, tables[groups])
        machines[name] = machine
        if machine.reach is not None:
            key = (machine.reach.ipv6, machine.reach.address)
            whereabouts[key] = (*whereabouts.get(key, ()), name)
    overlay = find_overlay(documents)
    around = msgspec.structs.replace(surroundings, overlay=overlay)
    return Network(machines=machines, whereabouts=whereabouts, surroundings=around)


def replace_machines(network: Network, machines: Iterable[Machine]) -> Network:
    """Return a network in which some hosts are as given; where they are stays."""
    changed = {machine.name: machine for machine in machines}
    return msgspec.structs.replace(network, machines=network.machines | changed)


def find_overlay(documents: Documents) -> tuple[tuple[Range, ...], tuple[Range, ...]]:
    """Return what any document claims for the overlay: routes, and peers' allowed IPs."""
    texts = {
        prefix
        for peers in documents.mesh.peer_groups.values()
        for peer in peers.values()
        for prefix in peer.allowed_ips
    }
    texts |= {route.destination for host in documents.hosts.values() for route in host.routes}
    ranges = sorted(read for text in texts if (read := read_prefix(text)) is not None)
    return _merge(ranges, ipv6=False), _merge(ranges, ipv6=True)


def _merge(ranges: list[Range], *, ipv6: bool) -> tuple[Range, ...]:
    """Leave out what lies in another; prefixes overlap only so."""
    merged: list[Range] = []
    for each in ranges:
        if each.ipv6 is ipv6 and not (merged and each.last <= merged[-1].last):
            merged.append(each)
    return tuple(merged)
