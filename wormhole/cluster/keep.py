"""Turn an object of the API into what is read of it: all that a host keeps of thousands of nodes.

Every function takes any object, well formed or not, and never raises: a field that is not what
Kubernetes makes of it is kept as it is, for the compiler to complain about. Items of a list of
built-in kinds come without kind and version; here they get them.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.state import API_VERSION
from wormhole.cluster.api import Object

_OURS: Final = "wormhole.dev/"
_IDENTITY: Final = ("name", "uid", "creationTimestamp")
_OWNER: Final = ("apiVersion", "kind", "name", "uid")
_ADDRESSES: Final = ("InternalIP", "ExternalIP")


class Hidden(str):
    """A text that shows itself to nobody who prints what it is in."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


def keep_mesh(mesh: Object) -> Object:
    """Keep the identity, our annotations and the spec of a Mesh."""
    return _keep(API_VERSION, "Mesh", mesh) | _pick(mesh, ("spec",))


def keep_meshnode(meshnode: Object) -> Object:
    """Keep the identity, the owners, our annotations and the spec of a MeshNode; not its status.

    Neither ``resourceVersion`` nor ``managedFields``: every status that an agent writes changes
    them, and would wake all others.
    """
    kept = _keep(API_VERSION, "MeshNode", meshnode) | _pick(meshnode, ("spec",))
    owners = _section(meshnode, "metadata").get("ownerReferences")
    if isinstance(owners, list) and owners:
        kept["metadata"]["ownerReferences"] = [
            _pick(owner, _OWNER) if isinstance(owner, dict) else owner for owner in owners
        ]
    generation = _section(meshnode, "metadata").get("generation")
    if generation is not None:
        kept["metadata"]["generation"] = generation
    return kept


def keep_node(node: Object) -> Object:
    """Keep the identity, the pod CIDRs and the addresses of a Node; not its heartbeats."""
    kept = _keep("v1", "Node", node)
    spec = _pick(_section(node, "spec"), ("podCIDR", "podCIDRs"))
    if spec:
        kept["spec"] = spec
    addresses = _section(node, "status").get("addresses")
    if isinstance(addresses, list):
        addresses = [each for each in addresses if _is_address(each)]
        kept |= {"status": {"addresses": addresses}} if addresses else {}
    return kept


def keep_secret(secret: Object) -> Object:
    """Keep the identity and the entries of a Secret. The entries are :class:`Hidden`."""
    kept = _keep("v1", "Secret", secret)
    kept["data"] = {
        name: Hidden(value)
        for name, value in _section(secret, "data").items()
        if isinstance(value, str)
    }
    return kept


def _keep(version: str, kind: str, document: Object) -> Object:
    metadata = _section(document, "metadata")
    kept = _pick(metadata, _IDENTITY)
    annotations = {
        name: value
        for name, value in _section(metadata, "annotations").items()
        if name.startswith(_OURS)
    }
    if annotations:
        kept["annotations"] = annotations
    return {"apiVersion": version, "kind": kind, "metadata": kept}


def _is_address(address: object) -> bool:
    return not isinstance(address, dict) or address.get("type") in _ADDRESSES


def _pick(document: Mapping[str, Any], fields: tuple[str, ...]) -> Object:
    return {field: document[field] for field in fields if field in document}


def _section(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}
