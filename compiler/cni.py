"""A node to its CNI configuration: bridge, host-local, portmap."""

from collections.abc import Sequence

from compiler.addresses import PodNetwork
from compiler.inventory import Node
from compiler.topology import Topology, tunnel_mtu
from schemas.marks import NETWORK_NAME
from schemas.state import Cni


def project_cni(topology: Topology, node: Node, pods: tuple[PodNetwork, ...]) -> Cni:
    """Return the configuration list (CNI specification 1.0.0, section 1) of one node."""
    mesh = topology.mesh
    bridge: dict[str, object] = {
        "type": "bridge",
        "bridge": mesh.bridge,
        "mtu": tunnel_mtu(node.underlay_mtu, topology.overhead),
        # The bridge is the pods' next hop. Its addresses are there before any pod; the plugin
        # compares them, and without forceAddress refuses rather than changes them.
        "isGateway": True,
        # A pod may reach itself through a Service. promiscMode would do that too, at the price
        # of a copy of every frame, and the plugin forbids both at once.
        "hairpinMode": True,
        # Our own firewall masquerades; the plugin's rules leak when a pod's namespace is gone.
        "ipMasq": False,
        "ipam": _host_local(pods),
    }
    # portmap keeps its default of translating sources where a reply would otherwise be lost
    # (127.0.0.1, and a pod that reaches its own host port): our chains return to its own there.
    portmap: dict[str, object] = {"type": "portmap", "capabilities": {"portMappings": True}}
    return Cni(
        file_name=mesh.cni_file_name,
        config={
            "cniVersion": mesh.cni_version,
            "name": NETWORK_NAME,
            "plugins": [bridge, portmap],
        },
    )


def _host_local(pods: tuple[PodNetwork, ...]) -> dict[str, object]:
    """Return the allocator's section: a pod gets one address of each range set.

    So a range set is an IP family, and several pod CIDRs of one family are alternatives in it.
    """
    families = [[network for network in pods if network.ipv6 is ipv6] for ipv6 in (False, True)]
    used = [family for family in families if family]
    return {
        "type": "host-local",
        "ranges": [_range_set(family) for family in used],
        "routes": [{"dst": "::/0" if family[0].ipv6 else "0.0.0.0/0"} for family in used],
    }


def _range_set(networks: Sequence[PodNetwork]) -> list[dict[str, str]]:
    return [
        {
            "subnet": network.prefix,
            "rangeStart": network.first_pod,
            "rangeEnd": network.last_pod,
            "gateway": network.gateway,
        }
        for network in networks
    ]
