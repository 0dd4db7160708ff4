"""What-if options of the command line to the mesh that they speak of."""

import argparse
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from review.proof.whatif import behind_nat, without_nodes
from schemas.problems import Problems
from schemas.state import Documents
from schemas.values import NodeName

_LEAST, _MOST = 576, 65535


class Imagined(NamedTuple):
    """A mesh as it would be, and what was changed, in words."""

    documents: Documents
    path_mtus: Mapping[frozenset[NodeName], int]
    words: tuple[str, ...]


def imagine(documents: Documents, arguments: argparse.Namespace) -> Imagined:
    """Return the mesh that ``--without``, ``--nat`` and ``--mtu`` ask about.

    Raises:
        Problems: an option names no host of this mesh, or no size.

    """
    gone = [_find_host(documents, name, "--without") for name in arguments.without]
    natted = [_find_host(documents, name, "--nat") for name in arguments.nat]
    mtus = {pair: mtu for text in arguments.mtu for pair, mtu in [_read_mtu(documents, text)]}
    words = [f"without {name}" for name in gone]
    words += [f"with {name} behind NAT" for name in natted]
    words += [f"with {mtu} bytes between {' and '.join(sorted(p))}" for p, mtu in mtus.items()]
    changed = without_nodes(behind_nat(documents, natted), gone)
    return Imagined(documents=changed, path_mtus=mtus, words=tuple(words))


def _find_host(documents: Documents, name: str, option: str) -> NodeName:
    found = NodeName(name)
    if found not in documents.hosts:
        raise Problems.one(f"{option}: no such host in mesh {documents.mesh.name!r}", value=name)
    return found


def _read_mtu(documents: Documents, text: str) -> tuple[frozenset[NodeName], int]:
    """Read ``node-a-node-b=1380``: names have dashes too, so every way to part them is tried."""
    names, _, size = text.rpartition("=")
    found = [pair for pair in _part(names) if all(name in documents.hosts for name in pair)]
    if len(found) != 1:
        rule = "--mtu: must be A-B=BYTES with two hosts of this mesh"
        parted = f"; these names can be parted in {len(found)} ways" if found else ""
        raise Problems.one(f"{rule}{parted}", value=text)
    if not (size.isascii() and size.isdecimal() and _LEAST <= int(size) <= _MOST):
        raise Problems.one(f"--mtu: the size must be from {_LEAST} to {_MOST}", value=text)
    return frozenset(found[0]), int(size)


def _part(names: str) -> Iterator[tuple[NodeName, NodeName]]:
    for index, char in enumerate(names):
        if char == "-" and names[:index] != names[index + 1 :]:
            yield NodeName(names[:index]), NodeName(names[index + 1 :])
