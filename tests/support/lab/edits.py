"""Turn the documents of a mesh into documents that are wrong somewhere: the model must know how."""

from collections.abc import Callable
from random import Random
from typing import Final

from inventories import make_key
from lab.ruleedits import (
    drop_rule,
    empty_chain,
    forget_match,
    hang_elsewhere,
    match_other_device,
    match_segments_only,
    move_chain,
    move_rule,
    on_a_host,
    swap_match,
    turn_position,
    turn_verdict,
)
from msgspec.structs import replace

from schemas.document import dump, load_resolved
from schemas.marks import WORST_METRIC
from schemas.problems import Problems
from schemas.resolve import resolve
from schemas.state import (
    Documents,
    HostState,
    Peer,
    Route,
    RouteType,
)
from schemas.values import NodeName, Prefix, sorted_prefixes

Edit = Callable[[Random, Documents], Documents | None]
"""None: there is nothing to edit in these documents, or iptables could not express the result."""


def damage(rng: Random, documents: Documents) -> tuple[Documents, tuple[str, ...]]:
    """Damage documents in one to three ways; return them, and the names of the edits."""
    done: list[str] = []
    wanted = rng.choice([1, 1, 2, 3])
    for _ in range(100):
        if len(done) == wanted:
            break
        edit = rng.choice(EDITS)
        edited = edit(rng, documents)
        if edited is not None and edited != documents and _is_valid(edited):
            documents = edited
            done.append(edit.__name__)
    return documents, tuple(done)


def _is_valid(documents: Documents) -> bool:
    """Whether each document is as its schema says: others reach no applier."""
    try:
        for host in documents.hosts.values():
            load_resolved(dump(resolve(documents.mesh, host)), "edited")
    except Problems:
        return False
    return True


def drop_route(rng: Random, documents: Documents) -> Documents | None:
    """Remove a route: an overlay's own, or its guard."""

    def edit(host: HostState) -> HostState:
        routes = list(host.routes)
        routes.pop(rng.randrange(len(routes)))
        return replace(host, routes=tuple(routes))

    return on_a_host(rng, documents, edit)


def turn_route(rng: Random, documents: Documents) -> Documents | None:
    """Lead an overlay to the bridge, or nowhere."""

    def edit(host: HostState) -> HostState:
        routes = list(host.routes)
        index = rng.randrange(len(routes))
        guard = (
            routes[index].metric == WORST_METRIC
        )  # The applier knows it by that: it has no device.
        if guard or rng.random() < 0.5:
            turned = replace(routes[index], type=RouteType.UNREACHABLE, device=None)
        else:
            device = host.bridge.interface
            turned = replace(routes[index], type=RouteType.UNICAST, device=device)
        routes[index] = turned
        return replace(host, routes=tuple(routes))

    return on_a_host(rng, documents, edit)


def add_route(rng: Random, documents: Documents) -> Documents | None:
    """Add a narrower route, by either device or to nowhere."""
    peers = next(iter(documents.mesh.peer_groups.values()))
    prefix = rng.choice(rng.choice(list(peers.values())).allowed_ips)

    def edit(host: HostState) -> HostState | None:
        device = rng.choice([None, host.bridge.interface, host.wireguard.interface])
        kind = RouteType.UNICAST if device else RouteType.UNREACHABLE
        metric = rng.choice([10, 1024, 2000])
        route = Route(destination=prefix, type=kind, metric=metric, device=device)
        keys = {(each.destination, each.metric) for each in host.routes}
        return None if (prefix, metric) in keys else replace(host, routes=(*host.routes, route))

    return on_a_host(rng, documents, edit)


def stop_forwarding(rng: Random, documents: Documents) -> Documents | None:
    """Switch forwarding off for a family."""

    def edit(host: HostState) -> HostState:
        key = rng.choice(sorted(host.sysctls))
        return replace(host, sysctls={**host.sysctls, key: "0"})

    return on_a_host(rng, documents, edit)


def lower_mtu(rng: Random, documents: Documents) -> Documents | None:
    """Lower the MTU of one device."""

    def edit(host: HostState) -> HostState:
        lower = rng.choice([1280, 1296])
        if rng.random() < 0.5:
            return replace(host, wireguard=replace(host.wireguard, mtu=lower))
        return replace(host, bridge=replace(host.bridge, mtu=lower))

    return on_a_host(rng, documents, edit)


def drop_address(rng: Random, documents: Documents) -> Documents | None:
    """Take an address from the WireGuard device."""

    def edit(host: HostState) -> HostState:
        addresses = list(host.wireguard.addresses)
        addresses.pop(rng.randrange(len(addresses)))
        return replace(host, wireguard=replace(host.wireguard, addresses=tuple(addresses)))

    return on_a_host(rng, documents, edit)


def _peers_otherwise(
    documents: Documents, name: NodeName, peers: dict[NodeName, Peer]
) -> Documents:
    """Give one host peers of its own."""
    group = f"seen-by-{name}"
    host = documents.hosts[name]
    wireguard = replace(host.wireguard, peer_groups=(group,))
    groups = {**documents.mesh.peer_groups, group: peers}
    return replace(
        documents,
        mesh=replace(documents.mesh, peer_groups=groups),
        hosts={**documents.hosts, name: replace(host, wireguard=wireguard)},
    )


def _peers_of(documents: Documents, name: NodeName) -> dict[NodeName, Peer]:
    groups = documents.hosts[name].wireguard.peer_groups
    return {
        other: peer for group in groups for other, peer in documents.mesh.peer_groups[group].items()
    }


def forget_peer(rng: Random, documents: Documents) -> Documents | None:
    """Let one side not know the other."""
    name, other = rng.sample(list(documents.hosts), 2)
    peers = {who: peer for who, peer in _peers_of(documents, name).items() if who != other}
    return _peers_otherwise(documents, name, peers)


def mistake_key(rng: Random, documents: Documents) -> Documents | None:
    """Let one side know the other by a key that nobody has."""
    name, other = rng.sample(list(documents.hosts), 2)
    peers = _peers_of(documents, name)
    if other not in peers:
        return None
    changed = {**peers, other: replace(peers[other], public_key=make_key(f"not {other}"))}
    return _peers_otherwise(documents, name, changed)


def swap_allowed_ips(rng: Random, documents: Documents) -> Documents | None:
    """Let one host take two others for each other."""
    name, *others = rng.sample(list(documents.hosts), 3)
    peers = _peers_of(documents, name)
    if not peers.keys() >= set(others):
        return None
    one, other = (peers[each] for each in others)
    swapped = {
        others[0]: replace(one, allowed_ips=other.allowed_ips),
        others[1]: replace(other, allowed_ips=one.allowed_ips),
    }
    return _peers_otherwise(documents, name, {**peers, **swapped})


def narrow_allowed_ips(rng: Random, documents: Documents) -> Documents | None:
    """Let one host know less of another's prefixes."""
    name, other = rng.sample(list(documents.hosts), 2)
    peers = _peers_of(documents, name)
    if other not in peers or not peers[other].allowed_ips:
        return None
    fewer = peers[other].allowed_ips[1:]
    return _peers_otherwise(
        documents, name, {**peers, other: replace(peers[other], allowed_ips=fewer)}
    )


def widen_allowed_ips(rng: Random, documents: Documents) -> Documents | None:
    """Let one host take another for the owner of the whole overlay."""
    name, other = rng.sample(list(documents.hosts), 2)
    peers, routes = _peers_of(documents, name), documents.hosts[name].routes
    if other not in peers or not routes:
        return None
    claimed = {each for peer in peers.values() for each in peer.allowed_ips}
    wide: Prefix = rng.choice(routes).destination
    if wide in claimed:
        return None
    widened = replace(
        peers[other], allowed_ips=tuple(sorted_prefixes((*peers[other].allowed_ips, wide)))
    )
    return _peers_otherwise(documents, name, {**peers, other: widened})


EDITS: Final[tuple[Edit, ...]] = (
    drop_rule,
    drop_rule,
    move_rule,
    move_rule,
    turn_verdict,
    turn_verdict,
    forget_match,
    swap_match,
    match_other_device,
    match_segments_only,
    hang_elsewhere,
    turn_position,
    empty_chain,
    move_chain,
    drop_route,
    turn_route,
    add_route,
    stop_forwarding,
    lower_mtu,
    drop_address,
    forget_peer,
    mistake_key,
    swap_allowed_ips,
    narrow_allowed_ips,
    widen_allowed_ips,
)
"""The firewall has more ways to be wrong than all else together."""
