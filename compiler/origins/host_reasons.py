"""Why a host's document says what it says; its firewall and its CNI configuration apart."""

from collections.abc import Iterator
from typing import Final

from compiler.origins.marks import Mark
from compiler.origins.reason import (
    MTU,
    Find,
    Reason,
    Scene,
    Table,
    membership,
    mesh_name,
    mtu,
    node_key,
    nothing,
    of_all,
    of_mesh,
    of_node,
    pod_of_last,
    pods,
    reckon_division,
    reckon_mtu,
)
from schemas.marks import is_guard

_STATE: Final = "compiler/compile.py: _host_state"
_BRIDGE: Final = "compiler/bridge.py: project_bridge"
_ROUTES: Final = "compiler/routes.py: project_routes"
_SYSCTLS: Final = "compiler/sysctls.py: project_sysctls"
_WIREGUARD: Final = "compiler/wireguard.py: project_wireguard"

_IPV6_FORWARDING: Final = "net.ipv6.conf.all.forwarding"


def route(scene: Scene) -> Iterator[Mark]:
    """Find the overlay CIDR that a route is for."""
    _, index, *_ = scene.path
    return scene.evidence.overlay(scene.document["routes"][index]["destination"])


def families(*, keyed: bool) -> Find:
    """Find the overlay CIDRs of a setting's family, or of both."""
    wanted = (False, True)

    def find(scene: Scene) -> Iterator[Mark]:
        used = (scene.path[-1] == _IPV6_FORWARDING,) if keyed else wanted
        for ipv6 in used:
            yield from scene.evidence.overlays(ipv6=ipv6)

    return find


_BEFORE: Final[Table] = {
    "": Reason(
        "Each member of the mesh has a document of its own. A member is a MeshNode and, where the"
        " inventory has Nodes, the Node of its name.",
        "compiler/compile.py: compile_mesh",
        membership,
    ),
    "apiVersion": Reason("The version of this document's form.", _STATE, nothing),
    "bridge": Reason("The bridge that the node's pods are plugged into.", _BRIDGE, membership),
    "bridge.addresses": Reason(
        "The bridge is its pods' next hop in each of the node's pod CIDRs.", _BRIDGE, pods
    ),
    "bridge.addresses[*]": Reason(
        "The first address of a pod CIDR (network + 1) is the bridge's: the pods' next hop. It has"
        " the CIDR's length, so that the bridge is on link with its pods.",
        "compiler/addresses.py: divide",
        pod_of_last,
        reckon_division,
    ),
    "bridge.interface": Reason(
        "The bridge has the same name on every host.", _BRIDGE, of_mesh("bridge")
    ),
    "bridge.mac": Reason(
        "Made from the names of mesh and node (SHA-256, behind 02: locally administered), so that"
        " it is stable: a bridge without an address of its own takes one from its ports, and"
        " changes it when pods come and go.",
        "compiler/bridge.py: bridge_mac",
        of_all(mesh_name, membership),
    ),
    "bridge.mtu": Reason(
        f"The tunnel's, so that pods never build a packet that only fits half of the way. {MTU}",
        _BRIDGE,
        mtu,
        reckon_mtu,
    ),
}
_AFTER: Final[Table] = {
    "kind": Reason("The kind of this document.", _STATE, nothing),
    "mesh": Reason("The mesh that the node is a member of.", _STATE, mesh_name),
    "name": Reason("The name of the node's MeshNode.", _STATE, membership),
    "routes": Reason(
        "Each overlay CIDR has two routes: into the tunnel, and nowhere when the tunnel is gone.",
        _ROUTES,
        families(keyed=False),
    ),
    "sysctls": Reason(
        "Settings of the kernel, without which no packet is routed between pods.",
        _SYSCTLS,
        families(keyed=False),
    ),
    "sysctls.*": Reason(
        "A host that routes for its pods must forward packets, in each IP family of the overlay.",
        _SYSCTLS,
        families(keyed=True),
    ),
    "wireguard": Reason(
        "The node's WireGuard device, which peers with all others.", _WIREGUARD, membership
    ),
    "wireguard.addresses": Reason(
        "What the host itself sends to pods must have a source that its peers accept: the device"
        " has one address of each pod CIDR of the node.",
        _WIREGUARD,
        pods,
    ),
    "wireguard.addresses[*]": Reason(
        "The second address of a pod CIDR (network + 2) is the tunnel's: what the host itself sends"
        " to pods comes from there, inside what its peers accept. It stands alone (/32, /128), for"
        " the pods' CIDR is on the bridge.",
        "compiler/addresses.py: divide",
        pod_of_last,
        reckon_division,
    ),
    "wireguard.interface": Reason(
        "The device has the same name on every host.", _WIREGUARD, of_mesh("interface")
    ),
    "wireguard.listenPort": Reason(
        "The UDP port on which this node receives ciphertext.", _WIREGUARD, of_node("listenPort")
    ),
    "wireguard.mtu": Reason(MTU, "compiler/topology.py: tunnel_mtu", mtu, reckon_mtu),
    "wireguard.peerGroups": Reason(
        "The groups of mesh.json that the node joins, itself left out.", _WIREGUARD, nothing
    ),
    "wireguard.peerGroups[*]": Reason(
        "The one group that there is: everybody peers with everybody.", _WIREGUARD, nothing
    ),
    "wireguard.persistentKeepalive": Reason(
        "Every so many seconds the node sends each peer an empty packet, so that a NAT between them"
        " keeps the way open. It is off unless asked for.",
        _WIREGUARD,
        of_node("persistentKeepalive"),
    ),
    "wireguard.presharedKeyEpoch": Reason(
        "Names the master secret that pre-shared keys are derived from, on the host. No secret is"
        " in any document.",
        _WIREGUARD,
        of_mesh("presharedKeyEpoch"),
    ),
    "wireguard.publicKey": Reason(
        "The public half of the key that was made on the node, and never leaves it.",
        _WIREGUARD,
        node_key,
    ),
}
HOST_REASONS: Final[Table] = {**_BEFORE, **_AFTER}

_TUNNEL_ROUTE: Final = (
    "What is for the overlay goes into the tunnel. Metric 1024 is IPv6's default: with IPv4's,"
    " which is 0, the route would have the key of the bridge's own where a pod CIDR is the whole"
    " overlay."
)
_GUARD_ROUTE: Final = (
    "Fail closed: it is attached to no device, so it stays when the tunnel goes. Then packets for"
    " the overlay meet it and are refused, rather than leave in clear by the default route. Its"
    " metric is the worst there is: as long as the tunnel is there, the tunnel's route wins."
)


def find_route_reason(route_entry: object, field: str) -> Reason:
    """Return the reason of one of the two routes of an overlay CIDR, or of a field of it."""
    metric = route_entry.get("metric") if isinstance(route_entry, dict) else None
    says = _GUARD_ROUTE if isinstance(metric, int) and is_guard(metric) else _TUNNEL_ROUTE
    finds: dict[str, Find] = {"device": of_mesh("interface"), "": of_all(route, _device_of_route)}
    return Reason(says, _ROUTES, finds.get(field, route))


def _device_of_route(scene: Scene) -> Iterator[Mark]:
    _, index, *_ = scene.path
    if "device" in scene.document["routes"][index]:
        yield from scene.evidence.mesh_field("interface")
