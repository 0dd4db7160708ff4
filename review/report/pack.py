"""The documents of many hosts to JSON in which each value that hosts share stands once.

Hosts of a mesh are alike: of some 250 values in a document a dozen are the host's own, and those
stand in it many times. So documents of one shape (the same keys, lists of the same length) are told
as that shape and a row of values for each host. A thousand documents of 8 kB become one of 300 kB,
and a browser can put any of them together again, exactly.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.state import Documents, HostState


def pack(documents: Documents) -> dict[str, Any]:
    """Return what the page's script reads.

    ``shapes``: for each shape its ``tree`` and ``shared`` values. A leaf of the tree is a number:
    n stands for the row's value n, -n for the shared value n - 1. ``hosts``: by name the number of
    the shape and the row. ``peers``: by group and name the key, the endpoint or None, the prefixes.
    """
    shapes, hosts = _pack_hosts(documents.hosts.values())
    groups = sorted(documents.mesh.peer_groups.items())
    peers = {
        group: {
            name: [peer.public_key, peer.endpoint, *peer.allowed_ips]
            for name, peer in sorted(members.items())
        }
        for group, members in groups
    }
    return {"shapes": shapes, "hosts": hosts, "peers": peers}


def _pack_hosts(hosts: Iterable[HostState]) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    alike: dict[bytes, _Shape] = {}
    for host in hosts:
        leaves: list[object] = []
        tree = _flatten(msgspec.json.decode(msgspec.json.encode(host, order="sorted")), leaves)
        shape = alike.setdefault(msgspec.json.encode(tree), _Shape(tree))
        shape.names.append(host.name)
        shape.leaves.append(leaves)
    packed: dict[str, list[Any]] = {}
    shapes = []
    for number, shape in enumerate(alike.values()):
        described, rows = shape.pack()
        shapes.append(described)
        packed |= {name: [number, *row] for name, row in zip(shape.names, rows, strict=True)}
    return shapes, dict(sorted(packed.items()))


def _flatten(value: Any, leaves: list[object]) -> Any:  # noqa: ANN401 - JSON is anything
    """Return the value with each leaf replaced by its number in ``leaves``."""
    if isinstance(value, dict):
        return {key: _flatten(inner, leaves) for key, inner in value.items()}
    if isinstance(value, list):
        return [_flatten(inner, leaves) for inner in value]
    leaves.append(value)
    return len(leaves) - 1


class _Shape:
    """The documents of one shape: their names, and their leaves in the tree's order."""

    def __init__(self, tree: object) -> None:
        self.tree = tree
        self.names: list[str] = []
        self.leaves: list[list[object]] = []

    def pack(self) -> tuple[dict[str, Any], list[tuple[object, ...]]]:
        """Return the shape with its shared values, and each host's row.

        Values and columns are compared as JSON has them: to Python, 1 equals true.
        """
        shared: dict[bytes, int] = {}
        own: dict[bytes, int] = {}
        columns: list[tuple[object, ...]] = []
        places: list[int] = []
        for column in zip(*self.leaves, strict=True):
            if len({(type(value), value) for value in column}) == 1:
                places.append(-shared.setdefault(msgspec.json.encode(column[0]), len(shared) + 1))
                continue
            place = own.setdefault(msgspec.json.encode(column), len(own))
            if place == len(columns):
                columns.append(column)
            places.append(place)
        described = {
            "tree": _refer(self.tree, places),
            "shared": [msgspec.json.decode(value) for value in shared],
        }
        return described, [*zip(*columns, strict=True)] if columns else [()] * len(self.names)


def _refer(tree: Any, places: list[int]) -> Any:  # noqa: ANN401 - as above
    """Return the tree with each leaf's number replaced by where its value stands."""
    if isinstance(tree, dict):
        return {key: _refer(inner, places) for key, inner in tree.items()}
    if isinstance(tree, list):
        return [_refer(inner, places) for inner in tree]
    return places[tree]
