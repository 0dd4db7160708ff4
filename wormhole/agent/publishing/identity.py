"""What a node says of itself to the others: its Node and its key to the MeshNode that is wanted."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from compiler.networks import InvalidTextError, parse_endpoint, parse_reach
from schemas.problems import Problem, Problems
from schemas.state import API_VERSION
from schemas.values import PublicKey, is_ipv6
from wormhole.cluster.api import Object

PUBLIC_KEY: Final = "spec.publicKey"
ENDPOINT: Final = "spec.endpoint"
POD_CIDRS: Final = "spec.podCIDRs"
OWNERS: Final = "metadata.ownerReferences"
FIELDS: Final = (PUBLIC_KEY, ENDPOINT, POD_CIDRS, OWNERS)
"""All that an agent publishes. Whatever else stands in its MeshNode is an operator's."""

_ADDRESS_TYPES: Final = ("InternalIP", "ExternalIP")
_ANY_PORT: Final = 9806
"""The mesh's own is not known here, and any will do to check an endpoint."""


def check_endpoint(endpoint: str) -> None:
    """Check an endpoint that an operator gives in place of the Node's addresses.

    Raises:
        Problems: it is no ``IP``, ``IP:port`` or ``[IPv6]:port``, or nobody can reach it there.

    """
    try:
        parse_endpoint(endpoint, _ANY_PORT)
    except InvalidTextError as error:
        problem = Problem(object="--endpoint", value=endpoint, rule=str(error))
        raise Problems([problem]) from error


def wanted_spec(
    node: Object | None, public_key: PublicKey, endpoint_override: str = ""
) -> dict[str, Any]:
    """Return the ``spec`` that a node publishes; what nobody knows is left out.

    The endpoint has no port unless the override has one: the mesh's listen port is the mesh's.
    """
    spec = {
        "publicKey": public_key,
        "endpoint": endpoint_override or _pick_endpoint(node or {}),
        "podCIDRs": _pod_cidrs(node or {}),
    }
    return {field: value for field, value in spec.items() if value}


def owner_reference(node: Object) -> dict[str, str]:
    """Return what makes the cluster's garbage collector remove a MeshNode with its Node.

    Without ``blockOwnerDeletion``: to set it one must be allowed to update the Node's finalizers
    (``OwnerReferencesPermissionEnforcement``), and no Node should wait for us.
    """
    metadata = node["metadata"]
    return {"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}


def wanted_object(node: Object, public_key: PublicKey, endpoint_override: str = "") -> Object:
    """Return the MeshNode that a node publishes, as server-side apply takes it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "MeshNode",
        "metadata": {
            "name": node["metadata"]["name"],
            "ownerReferences": [owner_reference(node)],
        },
        "spec": wanted_spec(node, public_key, endpoint_override),
    }


def differs(
    published: Object | None, wanted: Object, yielded: Collection[str] = ()
) -> tuple[str, ...]:
    """Return which of :data:`FIELDS` are not published as wanted; () is no difference.

    Fields that were yielded to an operator do not count. Owners that others added stay: only our
    own has to be among them.
    """
    return tuple(
        field
        for field in FIELDS
        if field not in yielded and not _is_published(field, published or {}, wanted)
    )


def read_field(meshnode: Object | None, field: str) -> Any:  # noqa: ANN401 - JSON
    """Return the value of one of :data:`FIELDS`; None when it is not there."""
    section, name = field.split(".")
    return ((meshnode or {}).get(section) or {}).get(name)


def without_fields(wanted: Object, left_out: Collection[str]) -> Object:
    """Return a MeshNode without some of :data:`FIELDS`: what is left out of an apply is let go."""
    return wanted | {
        section: {
            name: value
            for name, value in wanted[section].items()
            if f"{section}.{name}" not in left_out
        }
        for section in ("metadata", "spec")
    }


def _is_published(field: str, published: Object, wanted: Object) -> bool:
    found, meant = read_field(published, field), read_field(wanted, field)
    if field != OWNERS:
        return bool(found == meant)
    return all(any(_is_same(owner, one) for one in found or ()) for owner in meant or ())


def _is_same(wanted: dict[str, str], owner: dict[str, Any]) -> bool:
    return all(owner.get(key) == value for key, value in wanted.items())


def _pod_cidrs(node: Object) -> list[str]:
    """Return the Node's list, or its single one as old clusters have it."""
    spec = node.get("spec") or {}
    single = spec.get("podCIDR")
    return list(spec.get("podCIDRs") or ([single] if single else ()))


def _pick_endpoint(node: Object) -> str:
    """Return the first address that others can reach; empty when there is none.

    IPv6 is put in brackets: bare, ``2001:db8::9806`` could be an address, or one with a port.
    """
    address = next(_reachable(node), "")
    return f"[{address}]" if is_ipv6(address) else address


def _reachable(node: Object) -> Iterator[str]:
    """Yield addresses in the order in which the compiler would take them from the Node."""
    addresses = (node.get("status") or {}).get("addresses") or ()
    for wanted in _ADDRESS_TYPES:
        for entry in addresses:
            if entry.get("type") == wanted and _can_be_reached(entry.get("address", "")):
                yield entry["address"]


def _can_be_reached(address: str) -> bool:
    try:
        parse_reach(address, _ANY_PORT)
    except InvalidTextError:
        return False
    return True
