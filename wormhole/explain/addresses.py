"""Find every place in the documents that speaks of an address, or a prefix."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import convert

from review.model.pods import read_pods
from review.model.story import Place
from schemas.document import MESH_FILE
from schemas.lines import Path as Steps
from schemas.problems import Problems
from schemas.state import HostState
from wormhole.explain.asked import Network, read_network
from wormhole.explain.held import Held

Found = tuple[tuple[str, Place], ...]
"""What a place is to the address, and the place."""

INSIDE: Final = "inside it:"
_FAMILIES: Final = ("ipv4", "ipv6")
_IPV6: Final = 6


def find_places(held: Held, asked: Network, host: str | None) -> Found:
    """Return whose an address is, what it is there, and how a host speaks of it.

    Raises:
        Problems: nothing speaks of it; or there is no such host.

    """
    owned = [*_find_owners(held.read(MESH_FILE), asked)]
    files = {node: held.file_of(node) for node in (host,) if node}
    holders = {node for node, role, _ in owned if role == f"allowed IP of {node}"}
    own = {node: file for node in sorted(holders) if (file := _file_of(held, node))}
    found = [(role, Place(file=MESH_FILE, path=path)) for _, role, path in owned]
    for node, file in {**own, **files}.items():
        document = held.read(file)
        found += [
            (f"{role} {node}", Place(file=file, path=path))
            for role, path in _find_uses(document, asked)
        ]
    for file in files.values():
        document = held.read(file)
        ways = (*_find_routes(document, asked), *_find_rules(document, asked))
        found += [(role, Place(file=file, path=path)) for role, path in ways]
    if not found:
        raise Problems.one(_say_nothing(held, asked, host), value=_spell(asked))
    return tuple(found)


def _file_of(held: Held, node: str) -> str | None:
    """Return a node's document; None where a peer has none, which is another fault."""
    try:
        return held.file_of(node)
    except Problems:
        return None


def _find_owners(mesh: Any, asked: Network) -> Iterator[tuple[str, str, Steps]]:  # noqa: ANN401 - JSON is anything
    """Yield the node and the place of the longest allowed IP, of those inside, of endpoints."""
    allowed = [*_list_allowed(mesh)]
    holding = [each for each in allowed if _holds(each[1], asked)]
    longest = max((network.prefixlen for _, network, _ in holding), default=0)
    for node, network, path in holding:
        if network.prefixlen == longest:
            yield node, f"allowed IP of {node}", path
    for node, network, path in allowed:
        if network != asked and _holds(asked, network):
            yield node, f"{INSIDE} allowed IP of {node}", path
    for group, peers in mesh["peerGroups"].items():
        for node, peer in peers.items():
            if "endpoint" in peer and _holds(
                asked, read_network(peer["endpoint"].rpartition(":")[0].strip("[]"))
            ):
                yield node, f"endpoint of {node}", ("peerGroups", group, node, "endpoint")


def _list_allowed(mesh: Any) -> Iterator[tuple[str, Network, Steps]]:  # noqa: ANN401 - as above
    for group, peers in mesh["peerGroups"].items():
        for node, peer in peers.items():
            for index, prefix in enumerate(peer["allowedIPs"]):
                path = ("peerGroups", group, node, "allowedIPs", index)
                if (network := read_network(prefix)) is not None:
                    yield node, network, path


def _find_uses(host: Any, asked: Network) -> Iterator[tuple[str, Steps]]:  # noqa: ANN401 - as above
    """Yield what an address is on its host: the bridge's, the tunnel's, or a pod's."""
    for device, role in (
        ("bridge", "address of the bridge of"),
        ("wireguard", "address of the tunnel of"),
    ):
        for index, address in enumerate(host[device]["addresses"]):
            if _holds(asked, read_network(address.partition("/")[0])):
                yield role, (device, "addresses", index)
    # A CNI configuration may be any JSON: the model reads of it what is an address.
    for pods in read_pods(convert(host, HostState), "").ranges:
        given = pods.addresses
        if (
            given.ipv6 is (asked.version == _IPV6)
            and given.first <= int(asked.network_address)
            and int(asked.broadcast_address) <= given.last
        ):
            yield "address for a pod of", pods.place.path


def _find_routes(host: Any, asked: Network) -> Iterator[tuple[str, Steps]]:  # noqa: ANN401 - as above
    """Yield the routes that are for it, in the order in which the kernel prefers them."""
    best = "route to it"
    for index, address in enumerate(host["bridge"]["addresses"]):
        if _holds(read_network(address), asked):
            yield "on link, by the bridge", ("bridge", "addresses", index)
            best = "if that is gone"
    routes = [
        (-network.prefixlen, route["metric"], index)
        for index, route in enumerate(host["routes"])
        if (network := read_network(route["destination"])) is not None and _holds(network, asked)
    ]
    for *_, index in sorted(routes):
        yield best, ("routes", index)
        best = "if that is gone"


def _find_rules(host: Any, asked: Network) -> Iterator[tuple[str, Steps]]:  # noqa: ANN401 - as above
    """Yield the rules that name it, as a source or as a destination, in their order."""
    for family in _FAMILIES:
        for number, chain in enumerate(host["firewall"].get(family, ())):
            for index, rule in enumerate(chain["rules"]):
                words = [
                    word
                    for field, word in (("source", "from"), ("destination", "to"))
                    if field in rule and _holds(read_network(rule[field]), asked)
                ]
                if words:
                    role = f"{chain['name']}, {' and '.join(words)} it"
                    yield role, ("firewall", family, number, "rules", index)


def _holds(outer: Network | None, inner: Network | None) -> bool:
    return (
        outer is not None
        and inner is not None
        and outer.version == inner.version
        and outer.prefixlen <= inner.prefixlen
        and int(outer.network_address) <= int(inner.network_address) <= int(outer.broadcast_address)
    )


def _spell(asked: Network) -> str:
    return str(asked.network_address) if asked.prefixlen == asked.max_prefixlen else str(asked)


def _say_nothing(held: Held, asked: Network, host: str | None) -> str:
    """Say that nothing speaks of an address, and which allowed IP is nearest."""
    where = "no allowed IP and no endpoint" if host is None else "nothing in these documents"
    allowed = [
        (abs(int(network.network_address) - int(asked.network_address)), str(network), node)
        for node, network, _ in _list_allowed(held.read(MESH_FILE))
        if network.version == asked.version
    ]
    near = "; the nearest allowed IP is {1}, of {2}".format(*min(allowed)) if allowed else ""
    return f"{where} speaks of it{near}"
