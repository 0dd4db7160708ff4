"""Inventories as people write them: fields left out, supplied by Nodes, endpoints without ports."""

from typing import Any

from hypothesis import strategies as st
from inventories import inventories

from compiler.inventory import Inventory, Node
from schemas.state import API_VERSION

Object = dict[str, Any]


@st.composite
def written_inventories(draw: st.DrawFn) -> list[Object]:
    """Draw the objects of an inventory; with Nodes for all members, or without any."""
    inventory = draw(inventories())
    with_nodes = draw(st.booleans())
    objects = [_spell_mesh(draw, inventory)]
    for node in inventory.nodes:
        mesh_node = _spell_node(draw, node)
        objects.append(mesh_node)
        if with_nodes:
            objects.append(_move_to_node(draw, mesh_node))
    return objects


def _spell_mesh(draw: st.DrawFn, inventory: Inventory) -> Object:
    mesh = inventory.mesh
    optional = {
        "listenPort": 9806,
        "interface": "wormhole-wg0",
        "bridge": "wh-br",
        "underlayMTU": draw(st.integers(1400, 9000)),
        "persistentKeepalive": mesh.persistent_keepalive,
        "masquerade": mesh.masquerade,
        "nonMasqueradeCIDRs": list(mesh.non_masquerade_cidrs),
        "iptablesVariant": "nft",
        "presharedKeyEpoch": mesh.preshared_key_epoch or "e1",
        "cni": {"fileName": "05-mesh.conflist"},
    }
    spec = {"overlayCIDRs": list(mesh.overlay_cidrs)} | _some(draw, optional)
    return _object("Mesh", "demo", spec)


def _spell_node(draw: st.DrawFn, node: Node) -> Object:
    spec: Object = {"publicKey": node.public_key, "podCIDRs": list(node.pod_cidrs)}
    if node.endpoint:
        host = node.endpoint.rpartition(":")[0]
        spec["endpoint"] = draw(st.sampled_from([node.endpoint, host]))
    optional = {
        "listenPort": node.listen_port,
        "underlayMTU": node.underlay_mtu,
        "persistentKeepalive": node.persistent_keepalive,
    }
    return _object("MeshNode", node.name, spec | _some(draw, optional))


def _move_to_node(draw: st.DrawFn, mesh_node: Object) -> Object:
    """Make the Node of a MeshNode, and let it supply some of what the MeshNode said."""
    spec, node = mesh_node["spec"], {}
    cidrs = spec["podCIDRs"]
    match draw(st.sampled_from(["keep", "list", "one"])):
        case "list":
            node["podCIDRs"] = spec.pop("podCIDRs")
        case "one" if len(cidrs) == 1:
            [node["podCIDR"]] = spec.pop("podCIDRs")
    addresses = [{"type": "Hostname", "address": "somewhere"}]
    if "endpoint" in spec and draw(st.booleans()):
        address = spec.pop("endpoint")
        if address.startswith("["):
            address = address[1:].partition("]")[0]
        elif address.count(":") == 1:
            address = address.partition(":")[0]
        kind = draw(st.sampled_from(["InternalIP", "ExternalIP"]))
        addresses.insert(draw(st.integers(0, 1)), {"type": kind, "address": address})
    made = _object("Node", mesh_node["metadata"]["name"], node)
    return made | {"apiVersion": "v1", "status": {"addresses": addresses}}


def _some(draw: st.DrawFn, fields: Object) -> Object:
    kept = draw(st.sets(st.sampled_from(sorted(fields))))
    return {name: value for name, value in fields.items() if name in kept}


def _object(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
