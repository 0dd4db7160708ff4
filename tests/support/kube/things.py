"""A kind of object that has no meaning, for tests of the way to the API itself."""

from dataclasses import dataclass
from typing import Final

from kube.server import ApiServer

from wormhole.cluster.api import MERGE_PATCH, Object
from wormhole.cluster.connection import Connection, connect

GROUP: Final = "cluster.test"


@dataclass(frozen=True)
class Things:
    """A collection of cluster-scoped objects on a real server."""

    server: ApiServer
    path: str = f"/apis/{GROUP}/v1/things"

    def connect(self) -> Connection:
        """Return a connection of one's own."""
        return connect(self.server.kubeconfig())

    def add(self, name: str, **spec: object) -> Object:
        """Create a thing."""
        return self.server.admin.create(self.path, spell_thing(name, **spec))

    def change(self, name: str, patch: Object) -> Object:
        """Change a thing by a merge patch."""
        return self.server.admin.patch(f"{self.path}/{name}", patch, MERGE_PATCH)

    def delete(self, name: str) -> None:
        """Delete a thing."""
        self.server.delete(f"{self.path}/{name}")


def spell_thing(name: str, **spec: object) -> Object:
    """Return a thing as one sends it."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Thing",
        "metadata": {"name": name},
        "spec": spec,
    }


def define_things(server: ApiServer) -> Things:
    """Let a server know things."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {
                        "type": "object",
                        "properties": {"size": {"type": "integer"}, "colour": {"type": "string"}},
                    },
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        },
    }
    server.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"things.{GROUP}"},
            "spec": {
                "group": GROUP,
                "scope": "Cluster",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [version],
            },
        }
    )
    return Things(server)
