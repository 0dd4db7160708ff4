"""Many nodes to few groups: by the network that their endpoints are in."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from review.pictures.picture import Node
from schemas.state import Value

_GROUPS_AT_MOST: Final = 12
_LENGTHS: Final = {4: (24, 20, 16, 12, 8, 0), 6: (64, 56, 48, 40, 32, 0)}
_ALL: Final = {"0.0.0.0/0": "all IPv4 endpoints", "::/0": "all IPv6 endpoints"}
_Address = IPv4Address | IPv6Address


class Group(Value, frozen=True, kw_only=True):
    """Nodes that belong together."""

    label: str
    nodes: tuple[Node, ...]


def group_by_network(nodes: Iterable[Node]) -> tuple[Group, ...]:
    """Return the nodes by endpoint network, those without an endpoint last.

    Of each family the longest prefix length is taken that gives no more than a dozen networks.
    """
    families: dict[int, list[tuple[_Address, Node]]] = {4: [], 6: []}
    silent: list[Node] = []
    odd: list[Node] = []
    for node in nodes:
        if node.endpoint is None:
            silent.append(node)
        elif (address := _read_address(node.endpoint)) is None:
            odd.append(node)
        else:
            families[address.version].append((address, node))
    groups = [group for version in families for group in _split(version, families[version])]
    if odd:
        groups.append(Group(label="endpoints that are no addresses", nodes=tuple(odd)))
    if silent:
        groups.append(Group(label="no endpoint: speak first", nodes=tuple(silent)))
    return tuple(groups)


def _read_address(endpoint: str) -> _Address | None:
    """Return an endpoint's address; None where people wrote something else into a document."""
    try:
        return ip_address(endpoint.rpartition(":")[0].strip("[]"))
    except ValueError:
        return None


def _split(version: int, members: list[tuple[_Address, Node]]) -> list[Group]:
    networks: dict[tuple[int, str], list[Node]] = {}
    for length in _LENGTHS[version]:  # the last has one network, so this ends with few enough
        networks = {}
        for address, node in members:
            network = ip_network((address, length), strict=False)
            networks.setdefault((int(network.network_address), str(network)), []).append(node)
        if len(networks) <= _GROUPS_AT_MOST:
            break
    return [
        Group(label=_ALL.get(text, text), nodes=tuple(found))
        for (_, text), found in sorted(networks.items())
    ]
