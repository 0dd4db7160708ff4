"""What the clerk does at the API: publish the node, hold the masters, tell status and Events."""

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from applier.keys import load_key
from applier.paths import Paths
from applier.psk import load_master
from schemas.problems import Problems
from wormhole.agent.masters import Files, ensure_master, hold_masters
from wormhole.agent.publisher import Publisher
from wormhole.cluster.api import PSK_SECRET, Api, Object

_LOG: Final = logging.getLogger("wormhole.agent")


class Snapshot(Protocol):
    """What a watch has seen; see :class:`wormhole.cluster.reflector.Snapshot`."""

    @property
    def objects(self) -> Mapping[str, Object]:
        """Objects by name."""

    @property
    def synced(self) -> bool:
        """Whether a complete list has ever been had."""


See = Callable[[], Snapshot]


class Publish:
    """Publishes this node's MeshNode whenever the API says something else."""

    name = "publish this node"

    def __init__(
        self,
        publisher: Publisher,
        node: str,
        files: Files,
        paths: Paths,
        nodes: See,
        meshnodes: See,
    ) -> None:
        self._publisher = publisher
        self._node = node
        self._files = files
        self._paths = paths
        self._nodes = nodes
        self._meshnodes = meshnodes

    def run(self, now: float) -> None:
        """Publish, once both lists are known: what is missing from half a list may be there."""
        del now
        nodes, meshnodes = self._nodes(), self._meshnodes()
        if not (nodes.synced and meshnodes.synced):
            return
        key = load_key(self._files, self._paths)[0]
        published = meshnodes.objects.get(self._node)
        done = self._publisher.publish(published, nodes.objects.get(self._node), key)
        for remark in done.remarks:
            _LOG.warning("published MeshNode/%s: %s", self._node, remark)
        if done.changed:
            _LOG.info("published MeshNode/%s: %s", self._node, ", ".join(done.fields))

    def due(self, now: float) -> None:
        """Return None: the watches poke."""


class HoldMasters:
    """Sees to the epoch's entry in the Secret, and to this host's files of all entries."""

    name = "pre-shared keys"

    def __init__(  # noqa: PLR0913 - what an errand needs, by name
        self,
        api: Api,
        *,
        namespace: str,
        files: Files,
        paths: Paths,
        meshes: See,
        secret: See,
        epoch_in_use: Callable[[], str | None],
        on_change: Callable[[], None],
    ) -> None:
        """Take ``epoch_in_use``: what the host applied last. ``on_change``: the files changed."""
        self._api = api
        self._namespace = namespace
        self._files = files
        self._paths = paths
        self._meshes = meshes
        self._secret = secret
        self._epoch_in_use = epoch_in_use
        self._on_change = on_change
        self._told: tuple[str, ...] = ()
        self.held: tuple[str, ...] = ()
        """The epochs whose master this host holds, as last seen."""

    def run(self, now: float) -> None:
        """Make sure of the Mesh's epoch, then of the files."""
        del now
        meshes, secret = self._meshes(), self._secret()
        if not meshes.synced:
            return
        epoch = _find_epoch(meshes)
        entries = _entries_of(secret)
        if epoch is not None and epoch not in entries and secret.synced:
            entries = ensure_master(
                self._api, self._namespace, epoch, held=_read_held(self._files, self._paths, epoch)
            )
        in_use = {each for each in (epoch, self._epoch_in_use()) if each}
        held = hold_masters(self._files, self._paths, entries, in_use)
        if held.remarks != self._told:
            self._told = held.remarks
            for remark in held.remarks:
                _LOG.warning("pre-shared keys: %s", remark)
        changed = held.epochs != self.held or bool(held.changed)
        self.held = held.epochs
        if changed:
            self._on_change()

    def due(self, now: float) -> None:
        """Return None: the watches poke."""


def _find_epoch(meshes: Snapshot) -> str | None:
    """Return the Mesh's epoch; with no Mesh, or several, there is none to see to."""
    if len(meshes.objects) != 1:
        return None
    (mesh,) = meshes.objects.values()
    epoch = (mesh.get("spec") or {}).get("presharedKeyEpoch")
    return epoch if isinstance(epoch, str) else None


def _entries_of(secret: Snapshot) -> Mapping[str, str]:
    return (secret.objects.get(PSK_SECRET) or {}).get("data") or {}


def _read_held(files: Files, paths: Paths, epoch: str) -> bytes | None:
    """Return the master that this host holds for an epoch already, so that a lost Secret returns.

    A file that is missing or damaged is none: then the API decides.
    """
    try:
        return load_master(files, paths, epoch)
    except Problems:
        return None
