"""Turn a Kubernetes object into the path under which the server keeps it."""

from collections.abc import Iterable
from typing import Final

from wormhole.cluster.api import Api, Object

_FIRST: Final = ("Namespace", "CustomResourceDefinition")
Known = dict[tuple[str, str], tuple[str, bool]]
"""API version and kind, to the plural and whether the kind lives in namespaces."""


def sort_for_creation(objects: Iterable[Object]) -> list[Object]:
    """Return the objects, those first that others live in."""
    order = {kind: place for place, kind in enumerate(_FIRST)}
    return sorted(objects, key=lambda found: order.get(found["kind"], len(order)))


def resource_path(api: Api, document: Object, known: Known) -> str:
    """Return an object's path; what the server tells about its API version is kept in ``known``."""
    version, kind = document["apiVersion"], document["kind"]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    if (version, kind) not in known:
        for found in api.get(prefix)["resources"]:
            if "/" not in found["name"]:
                known[version, found["kind"]] = (found["name"], found["namespaced"])
    plural, namespaced = known[version, kind]
    metadata = document["metadata"]
    if namespaced:
        prefix += f"/namespaces/{metadata.get('namespace', 'default')}"
    return f"{prefix}/{plural}/{metadata['name']}"
