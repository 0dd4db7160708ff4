"""Change a mesh as the world around it might change it."""

from collections.abc import Collection

from msgspec.structs import replace

from schemas.state import Documents
from schemas.values import NodeName


def without_nodes(documents: Documents, names: Collection[NodeName]) -> Documents:
    """Return a mesh in which some hosts are gone, and the others have not heard of it."""
    hosts = {name: host for name, host in documents.hosts.items() if name not in names}
    return Documents(mesh=documents.mesh, hosts=hosts)


def behind_nat(documents: Documents, names: Collection[NodeName]) -> Documents:
    """Return a mesh in which nobody can speak first to some nodes: they have no endpoint."""
    groups = {
        group: {
            name: replace(peer, endpoint=None) if name in names else peer
            for name, peer in peers.items()
        }
        for group, peers in documents.mesh.peer_groups.items()
    }
    return Documents(mesh=replace(documents.mesh, peer_groups=groups), hosts=documents.hosts)
