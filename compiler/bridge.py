"""A node to the bridge that its pods are plugged into."""

from hashlib import sha256

from compiler.addresses import PodNetwork
from compiler.inventory import Node
from compiler.topology import Topology, tunnel_mtu
from schemas.state import Bridge
from schemas.values import NodeName


def project_bridge(topology: Topology, node: Node, pods: tuple[PodNetwork, ...]) -> Bridge:
    """Return the bridge of one node: the gateway of each of its pod CIDRs.

    Its MTU is the tunnel's, so that pods never build a packet that only fits half of the way.
    """
    return Bridge(
        interface=topology.mesh.bridge,
        mac=bridge_mac(topology.mesh.name, node.name),
        mtu=tunnel_mtu(node.underlay_mtu, topology.overhead),
        addresses=tuple(network.bridge for network in pods),
    )


def bridge_mac(mesh: str, node: NodeName) -> str:
    """Derive a bridge's address from names that do not change: stable, and unlike any other's.

    The first byte 02 says locally administered and unicast (IEEE 802, 8.2.2).
    """
    digest = sha256(f"wormhole/bridge/{mesh}/{node}".encode()).digest()
    return "02:" + digest[:5].hex(":")
