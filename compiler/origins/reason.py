"""Why the compiler writes what it writes: a sentence or two, and the fields that it comes from."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any, Final, NamedTuple

from compiler.addresses import divide
from compiler.origins.marks import Evidence, Mark
from compiler.reading import Path
from compiler.topology import PADDING, tunnel_mtu
from schemas.values import NodeName, Prefix


class Scene(NamedTuple):
    """A place, in a document that was compiled from an inventory."""

    evidence: Evidence
    node: NodeName
    """Whom it is about; empty where it is about all."""
    document: Any
    """The whole document, as JSON has it."""
    path: Path


Find = Callable[[Scene], Iterator[Mark]]


class Reason(NamedTuple):
    """A rule of the compiler."""

    says: str
    """What stands there, and why: whole sentences."""
    made_by: str
    """The function: ``compiler/routes.py: project_routes``."""
    find: Find
    """Which fields of the inventory it was made from."""
    reckon: Callable[[Scene], str] | None = None
    """The arithmetic, with this inventory's numbers."""
    within: str = ""
    """Why there is the chain that a firewall's rule is in."""


Table = Mapping[str, Reason]
"""By the pattern of a place: ``wireguard.addresses[*]``. In the order of the document."""


def nothing(_scene: Scene) -> Iterator[Mark]:
    """Find no field: it is the compiler's own."""
    return iter(())


def of_all(*finds: Find) -> Find:
    """Find what each of these finds."""
    return lambda scene: chain.from_iterable(find(scene) for find in finds)


def of_mesh(field: str) -> Find:
    """Find a field of the mesh's."""
    return lambda scene: scene.evidence.mesh_field(field)


def of_node(field: str) -> Find:
    """Find a number of the node's, or the mesh's for want of it."""
    return lambda scene: scene.evidence.node_field(scene.node, field)


def mesh_name(scene: Scene) -> Iterator[Mark]:
    """Find the mesh's name."""
    return scene.evidence.mesh_name()


def membership(scene: Scene) -> Iterator[Mark]:
    """Find what makes the node a member."""
    return scene.evidence.membership(scene.node)


def node_key(scene: Scene) -> Iterator[Mark]:
    """Find the node's key."""
    return scene.evidence.node_key(scene.node)


def endpoint(scene: Scene) -> Iterator[Mark]:
    """Find what the node's endpoint was made from."""
    return scene.evidence.endpoint(scene.node)


def mtu(scene: Scene) -> Iterator[Mark]:
    """Find what the MTU inside the tunnel was made from."""
    return scene.evidence.tunnel_mtu(scene.node)


def pods(scene: Scene) -> Iterator[Mark]:
    """Find all pod CIDRs of the node."""
    return scene.evidence.pod_cidrs(scene.node)


def pod_of_last(scene: Scene) -> Iterator[Mark]:
    """Find the pod CIDR that the item of a list belongs to: there is one for each, in order."""
    index = scene.path[-1]
    return scene.evidence.pod_cidr(scene.node, index) if isinstance(index, int) else iter(())


def reckon_mtu(scene: Scene) -> str:
    """Say how the MTU is reckoned."""
    underlay, overhead = scene.evidence.underlay_mtu(scene.node), scene.evidence.overhead()
    room, rounded = underlay - overhead, tunnel_mtu(underlay, overhead)
    tail = f", rounded down to {rounded}" if room != rounded else f", a multiple of {PADDING}"
    return f"{underlay} - {overhead} = {room}{tail}"


MTU: Final = (
    "The MTU of the node's underlay less what WireGuard adds (60 bytes; 80 as soon as any endpoint"
    " of the mesh is IPv6, since both ends of a path must agree), rounded down to a multiple of 16,"
    " to which WireGuard pads."
)


def reckon_division(scene: Scene) -> str:
    """Say how a pod CIDR is divided, where one is meant."""
    marks = [mark for mark in pod_of_last(scene) if mark.value is not None]
    if not marks:
        return ""
    network = divide(Prefix(str(marks[0].value)))
    return (
        f"of {network.prefix}: {network.bridge} for the bridge, {network.tunnel} for the tunnel,"
        f" {network.first_pod} to {network.last_pod} for pods"
    )
