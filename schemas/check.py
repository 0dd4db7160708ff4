"""A whole desired state to what no schema can say is wrong with it: how its values fit together.

The compiler writes no such state. People do, with an editor or a merge.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_interface, ip_network
from typing import Final

from schemas.document import MESH_FILE, host_file_name, host_path
from schemas.keys import WEAK_KEYS, weak_key_rule
from schemas.marks import WORST_METRIC
from schemas.problems import Problem, spell_path
from schemas.ranges import find_range, prefix_rule
from schemas.state import Chain, HostState, MeshState, Peer, Route, RouteType, Value
from schemas.values import NodeName, is_ipv6, sorted_prefixes

_LEAST_IPV6_MTU: Final = 1280
"""RFC 8200, section 5: below it the kernel switches IPv6 off on the device."""
_LAST_PORT: Final = 65535


class _Claim(Value, frozen=True, kw_only=True, order=True):
    """A peer's allowed IPs as a range of one family, in the order of the sweep."""

    ipv6: bool
    first: int
    last: int
    prefix: str
    owner: str


def check_state(mesh: MeshState, hosts: Iterable[HostState]) -> tuple[Problem, ...]:
    """Return every contradiction within and between the documents of one mesh.

    ``hosts`` are all of its hosts. Files are named as they are called inside a state folder.
    """
    by_name: dict[NodeName, HostState] = {}
    problems = [*_check_mesh(mesh)]
    for host in hosts:
        if host.name in by_name:
            problems.append(_in_host(host, "name", host.name, "two documents for one host"))
        by_name[host.name] = host
        problems += _check_host(mesh, host)
    for group, peers in mesh.peer_groups.items():
        for name in sorted(peers.keys() - by_name.keys()):
            rule = f"a peer without a document {host_file_name(name)}"
            problems.append(_in_mesh(_place_of(group, name), "", rule))
    return tuple(sorted(problems))


def check_host(mesh: MeshState, host: HostState) -> tuple[Problem, ...]:
    """Return every contradiction in what one host is given: the mesh's document and its own.

    Files are named as they are called inside a state folder.
    """
    return tuple(sorted((*_check_mesh(mesh), *_check_host(mesh, host))))


def _check_mesh(mesh: MeshState) -> Iterator[Problem]:
    for group, peers in mesh.peer_groups.items():
        for name, peer in peers.items():
            yield from _check_peer(_place_of(group, name), peer)
        yield from _shared(group, peers, "publicKey", lambda peer: peer.public_key)
        yield from _shared(group, peers, "endpoint", lambda peer: peer.endpoint)
        yield from _overlaps(group, peers)


def _check_peer(place: str, peer: Peer) -> Iterator[Problem]:
    if peer.public_key in WEAK_KEYS:
        yield _in_mesh(f"{place}.publicKey", peer.public_key, weak_key_rule(peer.public_key))
    sound = True
    for index, prefix in enumerate(peer.allowed_ips):
        if rule := prefix_rule(prefix):
            sound = False
            yield _in_mesh(f"{place}.allowedIPs[{index}]", prefix, rule)
    if sound and peer.allowed_ips != (ordered := sorted_prefixes(peer.allowed_ips)):
        rule = f"must be sorted by family, address, length: {', '.join(ordered)}"
        yield _in_mesh(f"{place}.allowedIPs", ", ".join(peer.allowed_ips), rule)
    if peer.endpoint is not None and (rule := _endpoint_rule(peer.endpoint)):
        yield _in_mesh(f"{place}.endpoint", peer.endpoint, rule)


def _shared(
    group: str, peers: dict[NodeName, Peer], field: str, read: Callable[[Peer], str | None]
) -> Iterator[Problem]:
    """Yield the peers whose value an earlier one has: neither may share it."""
    first: dict[str, str] = {}
    for name, peer in sorted(peers.items()):
        value = read(peer)
        if value is None:
            continue
        if value in first:
            rule = f"peer {first[value]!r} has the same"
            yield _in_mesh(f"{_place_of(group, name)}.{field}", value, rule)
        first.setdefault(value, name)


def _overlaps(group: str, peers: dict[NodeName, Peer]) -> Iterator[Problem]:
    """Yield the allowed IPs that overlap others: the kernel would give them to one peer alone."""
    furthest: _Claim | None = None
    for claim in sorted(_claims(peers)):
        if furthest and furthest.ipv6 is claim.ipv6 and claim.first <= furthest.last:
            rule = f"overlaps {furthest.prefix} of peer {furthest.owner!r}"
            yield _in_mesh(f"{_place_of(group, claim.owner)}.allowedIPs", claim.prefix, rule)
        if not furthest or (furthest.ipv6, furthest.last) < (claim.ipv6, claim.last):
            furthest = claim


def _claims(peers: dict[NodeName, Peer]) -> Iterator[_Claim]:
    for owner, peer in peers.items():
        for prefix in peer.allowed_ips:
            if isinstance(found := find_range(prefix), str):
                continue
            first, last = found
            yield _Claim(ipv6=is_ipv6(prefix), first=first, last=last, prefix=prefix, owner=owner)


def _check_host(mesh: MeshState, host: HostState) -> Iterator[Problem]:
    if host.mesh != mesh.name:
        yield _in_host(host, "mesh", host.mesh, f"the mesh document is {mesh.name!r}")
    yield from _check_membership(mesh, host)
    yield from _check_links(host)
    yield from _check_routes(host)
    for family, chains in (("ipv4", host.firewall.ipv4), ("ipv6", host.firewall.ipv6)):
        yield from _check_chains(host, family, chains)


def _check_membership(mesh: MeshState, host: HostState) -> Iterator[Problem]:
    """Yield where a host and what its peers know of it differ."""
    known = ", ".join(sorted(mesh.peer_groups)) or "none"
    entries: list[Peer] = []
    for index, group in enumerate(host.wireguard.peer_groups):
        if group not in mesh.peer_groups:
            rule = f"no such peer group in mesh {mesh.name!r} (known: {known})"
            yield _in_host(host, f"wireguard.peerGroups[{index}]", group, rule)
        elif (entry := mesh.peer_groups[group].get(host.name)) is not None:
            entries.append(entry)
    if not entries:
        yield _in_host(host, "name", host.name, "no peer of this name in the groups it joins")
    for entry in entries:
        key = host.wireguard.public_key
        if entry.public_key != key:
            rule = f"its peers know it by another key, {entry.public_key}"
            yield _in_host(host, "wireguard.publicKey", key, rule)
        yield from _check_own_addresses(host, entry)


def _check_own_addresses(host: HostState, entry: Peer) -> Iterator[Problem]:
    """Yield the device's addresses that its peers would not take packets from."""
    if any(map(prefix_rule, entry.allowed_ips)):
        return  # what is misspelt there has been told, and would be the cause of this
    for index, address in enumerate(host.wireguard.addresses):
        if not _address_rule(address) and not _lies_in(address, entry.allowed_ips):
            rule = f"outside its own allowed IPs, {', '.join(entry.allowed_ips)}"
            yield _in_host(host, f"wireguard.addresses[{index}]", address, rule)


def _check_links(host: HostState) -> Iterator[Problem]:
    parts = (("wireguard", host.wireguard), ("bridge", host.bridge))
    for part, link in parts:
        for index, address in enumerate(link.addresses):
            if rule := _address_rule(address):
                yield _in_host(host, f"{part}.addresses[{index}]", address, rule)
        if link.mtu < _LEAST_IPV6_MTU and any(map(is_ipv6, link.addresses)):
            rule = f"must be at least {_LEAST_IPV6_MTU} for IPv6"
            yield _in_host(host, f"{part}.mtu", str(link.mtu), rule)
    if host.bridge.interface == host.wireguard.interface:
        rule = "must differ from the WireGuard device's name"
        yield _in_host(host, "bridge.interface", host.bridge.interface, rule)
    if host.bridge.mtu > host.wireguard.mtu:
        rule = f"must not exceed the WireGuard device's, {host.wireguard.mtu}"
        yield _in_host(host, "bridge.mtu", str(host.bridge.mtu), rule)


def _check_routes(host: HostState) -> Iterator[Problem]:
    keys: set[tuple[str, int]] = set()
    guarded = {
        route.destination: route.metric
        for route in host.routes
        if route.type is RouteType.UNREACHABLE
    }
    for index, route in enumerate(host.routes):
        place = f"routes[{index}]"
        if rule := prefix_rule(route.destination):
            yield _in_host(host, f"{place}.destination", route.destination, rule)
        if rule := _metric_rule(route):
            yield _in_host(host, f"{place}.metric", str(route.metric), rule)
        if rule := _device_rule(host, route):
            yield _in_host(host, f"{place}.device", route.device or "", rule)
        if (route.destination, route.metric) in keys:
            rule = f"a second route with metric {route.metric}"
            yield _in_host(host, f"{place}.destination", route.destination, rule)
        keys.add((route.destination, route.metric))
        if route.type is RouteType.UNICAST and guarded.get(route.destination, -1) < route.metric:
            rule = "needs an unreachable route of a worse metric, or it may leave in clear"
            yield _in_host(host, place, route.destination, rule)


def _metric_rule(route: Route) -> str:
    if route.type is not RouteType.UNREACHABLE or route.metric == WORST_METRIC:
        return ""
    return f"must be {WORST_METRIC}: a guard is known by it, and made first and removed last"


def _device_rule(host: HostState, route: Route) -> str:
    if route.type is RouteType.UNREACHABLE:
        return "an unreachable route has no device" if route.device else ""
    wanted = host.wireguard.interface
    return "" if route.device == wanted else f"must be the WireGuard device, {wanted!r}"


def _check_chains(host: HostState, family: str, chains: tuple[Chain, ...]) -> Iterator[Problem]:
    names: set[str] = set()
    for number, chain in enumerate(chains):
        place = f"firewall.{family}[{number}]"
        if chain.name in names:
            yield _in_host(host, f"{place}.name", chain.name, "a second chain of this name")
        names.add(chain.name)
        for index, rule in enumerate(chain.rules):
            for field, prefix in (("source", rule.source), ("destination", rule.destination)):
                if prefix is None:
                    continue
                fault = prefix_rule(prefix)
                if not fault and is_ipv6(prefix) is not (family == "ipv6"):
                    fault = f"is not {family.replace('ip', 'IP')}"
                if fault:
                    yield _in_host(host, f"{place}.rules[{index}].{field}", prefix, fault)


@lru_cache(maxsize=4096)
def _address_rule(address: str) -> str:
    try:
        interface = ip_interface(address)
    except ValueError:
        return "is not an IP address with a length"
    return "" if str(interface) == address else f"must be written {interface}"


def _lies_in(address: str, prefixes: Iterable[str]) -> bool:
    return any(ip_interface(address).ip in ip_network(prefix) for prefix in prefixes)


def _endpoint_rule(endpoint: str) -> str:
    address, _, port = endpoint.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    if int(port) > _LAST_PORT:
        return f"the port must be at most {_LAST_PORT}"
    rule = prefix_rule(f"{bare}/{128 if is_ipv6(bare) else 32}")
    return rule.replace("prefix", "address").removesuffix("/128").removesuffix("/32")


def _place_of(group: str, name: str) -> str:
    return spell_path(("peerGroups", group, name))


def _in_mesh(path: str, value: str, rule: str) -> Problem:
    return Problem(file=MESH_FILE, path=path, value=value, rule=rule)


def _in_host(host: HostState, path: str, value: str, rule: str) -> Problem:
    file = host_path(host.name)
    return Problem(file=file, path=path, value=value, rule=rule)
