"""A node to its WireGuard device."""

from compiler.addresses import PodNetwork
from compiler.inventory import Node
from compiler.topology import PEER_GROUP, Topology, tunnel_mtu
from schemas.state import WireGuard


def project_wireguard(topology: Topology, node: Node, pods: tuple[PodNetwork, ...]) -> WireGuard:
    """Return the device of one node, which peers with all others.

    It has one address of each pod CIDR, since that is inside the allowed IPs that every peer
    knows this node by: what the host itself sends to pods must have such a source.
    """
    mesh = topology.mesh
    return WireGuard(
        interface=mesh.interface,
        public_key=node.public_key,
        listen_port=node.listen_port,
        mtu=tunnel_mtu(node.underlay_mtu, topology.overhead),
        addresses=tuple(network.tunnel for network in pods),
        peer_groups=(PEER_GROUP,),
        persistent_keepalive=node.persistent_keepalive,
        preshared_key_epoch=mesh.preshared_key_epoch,
    )
