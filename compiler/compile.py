"""The inventory to documents: one step over all nodes, then one projection per part and host."""

from compiler.addresses import divide
from compiler.bridge import project_bridge
from compiler.cni import project_cni
from compiler.firewall import project_firewall
from compiler.inventory import Inventory, Node
from compiler.routes import project_routes
from compiler.sysctls import project_sysctls
from compiler.topology import PEER_GROUP, Topology, build_topology
from compiler.wireguard import project_wireguard
from schemas.problems import Problem, Problems
from schemas.state import API_VERSION, Documents, HostState, MeshState
from schemas.values import NodeName, sorted_prefixes


def compile_mesh(inventory: Inventory) -> Documents:
    """Compile the documents of all hosts."""
    topology = build_topology(inventory)
    nodes = sorted(inventory.nodes, key=lambda node: node.name)
    return Documents(
        mesh=_mesh_state(topology),
        hosts={node.name: _host_state(topology, node) for node in nodes},
    )


def compile_host(inventory: Inventory, name: NodeName) -> tuple[MeshState, HostState]:
    """Compile the documents that one host needs, exactly as :func:`compile_mesh` does.

    Raises:
        Problems: the inventory has no such node.

    """
    for node in inventory.nodes:
        if node.name == name:
            topology = build_topology(inventory)
            return _mesh_state(topology), _host_state(topology, node)
    rule = f"no such node in mesh {inventory.mesh.name!r}, which has {len(inventory.nodes)}"
    raise Problems([Problem(object=f"MeshNode/{name}", rule=rule)])


def _mesh_state(topology: Topology) -> MeshState:
    return MeshState(
        api_version=API_VERSION,
        name=topology.mesh.name,
        peer_groups={PEER_GROUP: topology.peers},
    )


def _host_state(topology: Topology, node: Node) -> HostState:
    pods = tuple(divide(prefix) for prefix in sorted_prefixes(node.pod_cidrs))
    return HostState(
        api_version=API_VERSION,
        name=node.name,
        mesh=topology.mesh.name,
        wireguard=project_wireguard(topology, node, pods),
        bridge=project_bridge(topology, node, pods),
        routes=project_routes(topology),
        sysctls=project_sysctls(topology),
        firewall=project_firewall(topology, pods),
        cni=project_cni(topology, node, pods),
    )
