"""A cluster to the objects that its documents are compiled from, stripped of all else.

No Secret is read; nothing is asked for but lists of three kinds, and kubeadm's ConfigMap when the
Mesh leaves its overlay to it.
"""

from collections.abc import Iterator
from typing import Final

from schemas.problems import Problem, Problems
from schemas.state import API_VERSION, Value
from wormhole.cluster.api import MESH_NODES, MESHES, NODES, Api, Object
from wormhole.cluster.errors import ApiError
from wormhole.cluster.kubeadm import fetch_pod_subnet
from wormhole.cluster.listing import list_objects

_ADDRESSES: Final = ("InternalIP", "ExternalIP")
"""The types of a Node's addresses that the compiler reads (``compiler/node.py``)."""


class Pulled(Value, frozen=True, kw_only=True):
    """What a cluster has of a mesh."""

    mesh: Object
    mesh_nodes: tuple[Object, ...]
    """Sorted by name, as the next."""
    nodes: tuple[Object, ...]
    remarks: tuple[Problem, ...] = ()

    @property
    def objects(self) -> tuple[Object, ...]:
        """All of them: the Mesh, the MeshNodes, the Nodes."""
        return (self.mesh, *self.mesh_nodes, *self.nodes)


def collect_objects(api: Api) -> Pulled:
    """Read everything once.

    The three lists are of three moments. A node that joins between them has one half only, and
    compiling says so.

    Raises:
        ApiError: no answer, or a refusal.
        Problems: there is no mesh to pull, or what there is could not be written to files.

    """
    meshes = _list_ours(api, MESHES)
    mesh_nodes = _list_ours(api, MESH_NODES)
    nodes = list_objects(api, NODES)
    if len(meshes) != 1:
        names = ", ".join(sorted(map(_name, meshes)))
        rule = f"the cluster has {len(meshes)} Meshes ({names}), and a cluster has one"
        raise Problems.one(rule if meshes else "the cluster has no Mesh: there is nothing to pull")
    if not mesh_nodes:
        raise Problems.one("the cluster has no MeshNode: its agents have not published any yet")
    mesh, remarks = _complete(api, _strip(meshes[0], "Mesh"))
    return Pulled(
        mesh=mesh,
        mesh_nodes=_sorted(_strip(each, "MeshNode") for each in mesh_nodes),
        nodes=_sorted(map(_strip_node, nodes)),
        remarks=remarks,
    )


def _list_ours(api: Api, path: str) -> tuple[Object, ...]:
    try:
        return list_objects(api, path)
    except ApiError as error:
        if not error.missing:
            raise
        rule = "the cluster does not know Wormhole's kinds: kubectl apply -k deploy/base"
        raise Problems.one(rule) from error


def _strip(found: Object, kind: str) -> Object:
    """Keep the name and the spec of an object of ours."""
    kept = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": _name(found)}}
    return kept | ({"spec": found["spec"]} if "spec" in found else {})


def _strip_node(node: Object) -> Object:
    """Keep the name, the pod CIDRs and the addresses of a Node; ``podCIDR`` repeats the first."""
    kept: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": _name(node)}}
    spec = node.get("spec") or {}
    if cidrs := spec.get("podCIDRs") or spec.get("podCIDR"):
        kept["spec"] = {"podCIDRs" if isinstance(cidrs, list) else "podCIDR": cidrs}
    addresses = (node.get("status") or {}).get("addresses") or ()
    # Their order stays: of two of a type the first is the node's.
    if read := [each for each in addresses if each.get("type") in _ADDRESSES]:
        kept["status"] = {"addresses": read}
    return kept


def _complete(api: Api, mesh: Object) -> tuple[Object, tuple[Problem, ...]]:
    """Fill in the overlay of a Mesh that names none, as agents do; or say why not."""
    spec = mesh.get("spec")
    if not isinstance(spec, dict) or spec.get("overlayCIDRs") is not None:
        return mesh, ()
    title = f"Mesh/{_name(mesh)}"
    try:
        subnet = fetch_pod_subnet(api)
    except (ApiError, Problems) as error:
        rule = f"is not set, and compiling needs it; kubeadm's pod subnet is not known: {error}"
        return mesh, (Problem(object=title, path="spec.overlayCIDRs", rule=rule),)
    rule = "is not set in the cluster: taken from kubeadm's pod subnet"
    remark = Problem(object=title, path="spec.overlayCIDRs", value=", ".join(subnet), rule=rule)
    return mesh | {"spec": spec | {"overlayCIDRs": [*subnet]}}, (remark,)


def _sorted(objects: Iterator[Object]) -> tuple[Object, ...]:
    return tuple(sorted(objects, key=_name))


def _name(found: Object) -> str:
    """Return an object's name, which becomes a file's.

    Raises:
        Problems: no API server would have stored an object of this name.

    """
    name = (found.get("metadata") or {}).get("name")
    if not isinstance(name, str) or not name or "/" in name or name.startswith("."):
        raise Problems.one(
            "the cluster's answer has an object with no usable name", value=str(name)
        )
    return name
