"""The API as the rest of Wormhole sees it: paths and plain objects, no client library.

:mod:`wormhole.cluster.connection` is the one implementation that speaks to a server; tests of pure
parts bring their own.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""

MESHES: Final = "/apis/wormhole.dev/v1alpha1/meshes"
MESH_NODES: Final = "/apis/wormhole.dev/v1alpha1/meshnodes"
NODES: Final = "/api/v1/nodes"
EVENTS: Final = "/api/v1/namespaces/default/events"
"""Events about objects that have no namespace live in ``default``, as the kubelet's about Nodes."""
KUBEADM_CONFIG: Final = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
PSK_SECRET: Final = "wormhole-psk"  # noqa: S105 - the name of the object, no secret
FIELD_MANAGER: Final = "wormhole-agent"
NAMESPACE: Final = "wormhole-system"
"""Where the shipped manifests put the agent and the Secret."""

APPLY: Final = "application/apply-patch+yaml"
"""Server-side apply. JSON is YAML, so the body is JSON."""
MERGE_PATCH: Final = "application/merge-patch+json"
"""RFC 7396."""


def secrets(namespace: str) -> str:
    """Return the path of a namespace's Secrets."""
    return f"/api/v1/namespaces/{namespace}/secrets"


class Api(Protocol):
    """Requests to one API server.

    Every method raises :class:`~wormhole.cluster.errors.ApiError` and nothing else, may be called
    from several threads, and waits for an answer half a minute at most.
    """

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        """Return one object, or one page of a list."""

    def create(self, path: str, body: Object) -> Object:
        """POST an object into a collection; return it as stored."""

    def replace(self, path: str, body: Object) -> Object:
        """PUT an object; its ``resourceVersion`` makes that conditional."""

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        """PATCH an object; ``kind`` is the patch's media type, as :data:`APPLY`."""

    def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AbstractContextManager[Iterator[Object]]:
        """Yield watch events (``{"type": ..., "object": ...}``) until the server ends the stream.

        An ``ERROR`` event raises, with its status. ``silence`` is how many seconds may pass
        without a byte before the connection counts as dead.
        """
