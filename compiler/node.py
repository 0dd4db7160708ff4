"""A ``MeshNode`` and the core ``Node`` of its name to one member of the mesh.

What the MeshNode is silent about, the Node supplies: pod CIDRs, and the endpoint's address,
which is its first InternalIP in the Node's own order, or else its first ExternalIP.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from compiler.fields import Placed, Site, read_networks
from compiler.inventory import Mesh
from compiler.mesh import whole_number
from compiler.networks import InvalidTextError, Reach, parse_endpoint, parse_reach
from compiler.unfold import Complaint, Object
from schemas.state import Value
from schemas.values import PublicKey

_ADDRESS_TYPES: Final = ("InternalIP", "ExternalIP")


class Member(Value, frozen=True, kw_only=True):
    """One node of the mesh, as far as it could be read."""

    object: Object
    """Its MeshNode."""
    public_key: PublicKey
    """Empty when there is none, or none that is valid."""
    networks: tuple[Placed, ...]
    reach: tuple[Reach, Site] | None
    listen_port: int
    underlay_mtu: int
    persistent_keepalive: int
    complaints: tuple[Complaint, ...]


def join(
    mesh_nodes: Iterable[Object], nodes: Iterable[Object]
) -> tuple[tuple[tuple[Object, Object | None], ...], tuple[Complaint, ...]]:
    """Pair each MeshNode with its Node; warn about those left out because they lack the other.

    An inventory without any Node says nothing about which nodes exist: then every MeshNode is in.
    """
    mesh_nodes, nodes = tuple(mesh_nodes), tuple(nodes)
    by_name = {node.name: node for node in nodes if node.name}
    pairs = tuple(
        (mesh_node, by_name.get(mesh_node.name))
        for mesh_node in mesh_nodes
        if not nodes or mesh_node.name in by_name
    )
    return pairs, tuple(_warn_of_halves(mesh_nodes, by_name))


def _warn_of_halves(
    mesh_nodes: tuple[Object, ...], by_name: dict[str, Object]
) -> Iterator[Complaint]:
    published = {mesh_node.name for mesh_node in mesh_nodes}
    for name, node in by_name.items():
        if name not in published:
            rule = "left out: has no MeshNode of its name yet, so its public key is unknown"
            yield Complaint(object=node, rule=rule)
    for mesh_node in mesh_nodes:
        if by_name and mesh_node.name not in by_name:
            rule = "left out: the inventory has Nodes, but none of this name; was it removed?"
            yield Complaint(object=mesh_node, rule=rule)


def read_member(mesh_node: Object, node: Object | None, mesh: Mesh) -> Member:
    """Read one member; a field whose shape is wrong counts as absent."""
    networks, bad_networks = _read_pod_cidrs(mesh_node, node)
    port = _number(mesh_node, "listenPort", mesh.listen_port)
    reach, bad_reach = _read_reach(mesh_node, node, port)
    return Member(
        object=mesh_node,
        public_key=PublicKey(mesh_node.get("spec", "publicKey") or ""),
        networks=networks,
        reach=reach,
        listen_port=port,
        underlay_mtu=_number(mesh_node, "underlayMTU", mesh.underlay_mtu),
        persistent_keepalive=_number(mesh_node, "persistentKeepalive", mesh.persistent_keepalive),
        complaints=(*bad_networks, *bad_reach),
    )


def _number(entry: Object, field: str, default: int) -> int:
    value = whole_number(entry.get("spec", field))
    return value if isinstance(value, int) else default


def _read_pod_cidrs(
    mesh_node: Object, node: Object | None
) -> tuple[tuple[Placed, ...], tuple[Complaint, ...]]:
    """Read the MeshNode's own; else the Node's list; else its single one, of old clusters."""
    for entry, field in ((mesh_node, "podCIDRs"), (node, "podCIDRs"), (node, "podCIDR")):
        if entry is None:
            continue
        if entry.is_broken("spec", field):
            return (), ()
        if entry.get("spec", field):
            return read_networks(entry, "spec", field)
    missing = Site(mesh_node, ("spec", "podCIDRs"))
    if node is None:
        return (), (missing.complain("required field is missing, as no Node supplies it"),)
    return (), (missing.complain(f"required field is missing, and {node.title} has none either"),)


def _read_reach(
    mesh_node: Object, node: Object | None, port: int
) -> tuple[tuple[Reach, Site] | None, tuple[Complaint, ...]]:
    text, site = mesh_node.get("spec", "endpoint"), Site(mesh_node, ("spec", "endpoint"))
    try:
        if text is not None:
            return (parse_endpoint(text, port), site), ()
        if node is None or mesh_node.is_broken("spec", "endpoint"):
            return None, ()
        for text, site in _addresses_of(node):
            return (parse_reach(text, port), site), ()
    except InvalidTextError as error:
        return None, (site.complain(str(error), text),)
    return None, ()


def _addresses_of(node: Object) -> Iterator[tuple[str, Site]]:
    """Yield the Node's addresses in the order in which we would use them."""
    addresses = node.get("status", "addresses") or ()
    for wanted in _ADDRESS_TYPES:
        for index, address in enumerate(addresses):
            if address["type"] == wanted:
                yield address["address"], Site(node, ("status", "addresses", index, "address"))
