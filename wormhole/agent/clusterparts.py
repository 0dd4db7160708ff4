"""The half of the agent that knows the API: four watches, the source over them, and the clerk."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from applier.linux.files import Files
from applier.paths import Paths
from schemas.problems import neutralise
from schemas.values import NodeName
from wormhole.agent.desired import Cause, Wake
from wormhole.agent.publishing.clerk import Clerk
from wormhole.agent.publishing.errands import HoldMasters, Publish
from wormhole.agent.publishing.publisher import Publisher
from wormhole.agent.sources.clustersource import ClusterSource
from wormhole.agent.status.ownstatus import OwnStatus
from wormhole.agent.status.telling import Tell
from wormhole.agent.turns.taker import Facts
from wormhole.agent.turns.turn import Turn
from wormhole.cluster.api import MESH_NODES, MESHES, NODES, PSK_SECRET, secrets
from wormhole.cluster.content import Keep
from wormhole.cluster.errors import ApiError
from wormhole.cluster.keep import keep_mesh, keep_meshnode, keep_node, keep_secret
from wormhole.cluster.kubeadm import fetch_pod_subnet
from wormhole.cluster.patience import PatientConnection
from wormhole.cluster.reflector import Reflector

_ENDING: Final = 2.0
"""Seconds that a thread may take to end; it is no thread of the host's network."""


class ClusterParts:
    """Joined to one API server from :meth:`start` to :meth:`stop`."""

    def __init__(  # noqa: PLR0913 - what the parts need, by name
        self,
        *,
        node: str,
        endpoint: str,
        kubeconfig: Path | None,
        namespace: str,
        paths: Paths,
        wake: Wake,
        count_error: Callable[[ApiError], None],
        chance: Callable[[], float],
    ) -> None:
        """Put the parts together; nothing is sent yet.

        Raises:
            Problems: the endpoint is none.

        """
        self._node = node
        self._wake = wake
        self._api = PatientConnection(kubeconfig, count_error)
        self._told_error = ""

        def watch(path: str, keep: Keep, only: str = "") -> Reflector:
            return Reflector(
                self._api,
                path,
                keep=keep,
                on_change=self._notice,
                on_error=lambda _error: self._notice_trouble(),
                on_return=self._hurry,
                field_selector=f"metadata.name={only}" if only else "",
            )

        self._meshes = watch(MESHES, keep_mesh)
        own_status = OwnStatus(node, keep_meshnode, self._poke)
        self._meshnodes = watch(MESH_NODES, own_status.keep)
        self._nodes = watch(NODES, keep_node)
        self._secret = watch(secrets(namespace), keep_secret, PSK_SECRET)
        self._masters = HoldMasters(
            self._api,
            namespace=namespace,
            files=Files(),
            paths=paths,
            meshes=self._meshes.snapshot,
            secret=self._secret.snapshot,
            on_change=lambda: wake(Cause.FILE),
        )
        self._tell = Tell(
            self._api,
            node=node,
            meshnodes=self._meshnodes.snapshot,
            own_status=own_status,
            uid_of=self._find_uid,
            on_trouble=self._notice_trouble,
        )
        publish = Publish(
            Publisher(self._api, node, endpoint),
            node=node,
            files=Files(),
            paths=paths,
            nodes=self._nodes.snapshot,
            meshnodes=self._meshnodes.snapshot,
        )
        self._clerk = Clerk(
            [publish, self._masters, self._tell],
            chance=chance,
            on_trouble=self._notice_trouble,
        )
        self.source = ClusterSource(
            NodeName(node),
            meshes=self._meshes,
            mesh_nodes=self._meshnodes,
            nodes=self._nodes,
            find_overlay=lambda: fetch_pod_subnet(self._api),
        )

    def start(self) -> None:
        """Begin to watch and to do errands."""
        for reflector in self._reflectors():
            reflector.start()
        self._clerk.start()

    def stop(self) -> None:
        """End. What was read and written stays as it is."""
        for reflector in self._reflectors():
            reflector.stop()
        self._clerk.stop(_ENDING)
        self._api.close()

    def take(self, turn: Turn) -> None:
        """Note what a turn came to, to tell the API."""
        self._masters.take(turn)
        self._tell.take(turn)
        self._clerk.poke()

    def tell(self) -> Facts:
        """Return how it stands with the API, for a turn."""
        own = self._meshnodes.snapshot().objects.get(self._node, {})
        self._told_error = self._find_error()
        return {
            "held_epochs": self._masters.held,
            "api_error": self._told_error,
            "generation": own.get("metadata", {}).get("generation", 0),
        }

    def _find_error(self) -> str:
        errors = [str(error) for each in self._reflectors() if (error := each.last_error)]
        told = (self._clerk.tell_error(), self._tell.api_error, *dict.fromkeys(errors))
        return neutralise("; ".join(error for error in told if error))

    def _reflectors(self) -> tuple[Reflector, ...]:
        return (self._meshes, self._meshnodes, self._nodes, self._secret)

    def _notice(self) -> None:
        self._wake(Cause.CLUSTER)
        self._clerk.poke()

    def _poke(self) -> None:
        self._clerk.poke()

    def _notice_trouble(self) -> None:
        """Call for a turn when there is more, less or something else to tell of the API."""
        if self._find_error() != self._told_error:
            self._wake(Cause.RETRY)

    def _hurry(self) -> None:
        """Let all that wait for the server know that it is back."""
        for reflector in self._reflectors():
            reflector.hurry()
        self._clerk.poke()

    def _find_uid(self, about: str) -> str:
        """Return the uid of ``MeshNode/name``, by which ``kubectl describe`` finds its Events."""
        kind, _, name = about.partition("/")
        watched = {"MeshNode": self._meshnodes, "Mesh": self._meshes, "Node": self._nodes}
        if kind not in watched:
            return ""
        found = watched[kind].snapshot().objects.get(name, {})
        return str(found.get("metadata", {}).get("uid", ""))
