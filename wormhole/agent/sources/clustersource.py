"""Copies of the API's collections to what one host should be.

The same compiler as offline, for one host, with two differences: objects that contradict others are
left out (:mod:`compiler.isolate`), and a Mesh without overlay takes kubeadm's. Of those who claim
the same it is told whom the host's last good documents give it to. Nothing is compiled
from what is incomplete: until each list has been had whole, this node and its own MeshNode are in
it, and that MeshNode has this host's key, the source says what it waits for, and the host keeps
its last good documents. The same while the Mesh, or this host's own MeshNode, is wrong.

A MeshNode that vanishes while its Node stays is taken to be there for :data:`GRACE` seconds more:
its agent publishes it again at once, and ``kubectl delete meshnodes --all`` costs nobody a session.
The keys of deleted Nodes are told apart, because such peers may leave, however many they are.

The result is kept until a collection, the key or the hour of a grace changes, or, where somebody
is left out, what the host converged to last: an idle turn costs a few comparisons.
"""

import math
import operator
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Final, NamedTuple, Protocol

from msgspec.structs import replace

from compiler.compile import compile_host
from compiler.holdings import Incumbents, list_incumbents
from compiler.isolate import isolate_objects
from schemas.problems import Problem, Problems
from schemas.resolve import resolve
from schemas.state import ResolvedHost
from schemas.values import NodeName, PublicKey
from wormhole.agent.desired import Cause, Desired, Wake
from wormhole.agent.sources.overlay import OverlayFinder
from wormhole.cluster.api import Object
from wormhole.cluster.content import Snapshot

GRACE: Final = 60.0
"""Seconds that a vanished MeshNode is kept for while its Node is there."""
ALLOW_MASS_DELETE: Final = "wormhole.dev/allow-mass-delete"
"""The annotation of this host's MeshNode by which an operator lets many peers go: the digest."""


class Collection(Protocol):
    """An up-to-date copy of a collection: a :class:`~wormhole.cluster.reflector.Reflector`."""

    def snapshot(self) -> Snapshot:
        """Return what there is now; the same value again until something changes."""


class _Seen(NamedTuple):
    """Everything that documents are made of, at one moment."""

    meshes: Snapshot
    mesh_nodes: Snapshot
    nodes: Snapshot
    public_key: PublicKey
    applied: ResolvedHost | None

    def is_same_as(self, other: "_Seen") -> bool:
        """Whether no collection was replaced by another, even if equal, and the key is the same."""
        return all(map(operator.is_, self[:3], other[:3])) and self.public_key == other.public_key


class ClusterSource:
    """What the cluster wants of one host. The collections are started and stopped by their owner.

    ``find_overlay`` is asked, in a thread, for the overlay of a Mesh that has none; it raises
    ApiError or Problems (:func:`wormhole.cluster.kubeadm.fetch_pod_subnet`).
    """

    def __init__(  # noqa: PLR0913 - three collections, and a clock for tests
        self,
        node: NodeName,
        *,
        meshes: Collection,
        mesh_nodes: Collection,
        nodes: Collection,
        find_overlay: Callable[[], tuple[str, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._meshes, self._mesh_nodes, self._nodes = meshes, mesh_nodes, nodes
        self._finder = OverlayFinder(find_overlay)
        self._clock = clock
        self._wake: Wake = lambda _cause: None
        self._seen: _Seen | None = None
        self._until = -math.inf
        self._desired = Desired()

    def start(self, wake: Wake) -> None:
        """Take whom to wake; collections wake the loop by :meth:`changed`."""
        self._wake = wake

    def stop(self) -> None:
        """Ask the cluster for nothing more."""
        self._finder.stop()

    def changed(self) -> None:
        """Say that a collection changed. From any thread."""
        self._wake(Cause.CLUSTER)

    def desired(self, public_key: PublicKey, applied: ResolvedHost | None = None) -> Desired:
        """Return what is wanted of the host with this key. Only the loop's thread calls this."""
        seen = _Seen(
            self._meshes.snapshot(),
            self._mesh_nodes.snapshot(),
            self._nodes.snapshot(),
            public_key,
            applied,
        )
        now = self._clock()
        if now >= self._until or not self._has_decided(seen):
            self._seen, self._until = seen, math.inf
            self._desired = self._decide(seen, now)
        return self._desired

    def _has_decided(self, seen: _Seen) -> bool:
        """Whether the last decision is still good. Memory decides only between contradictions."""
        if self._seen is None or not seen.is_same_as(self._seen):
            return False
        last = self._desired
        disputed = last.left_out or last.endpoints_left_out or last.own_left_out
        return not disputed or seen.applied == self._seen.applied

    def _decide(self, seen: _Seen, now: float) -> Desired:
        waiting = _find_missing(seen, self._node)
        if waiting:
            return Desired(waiting_for=waiting)
        if len(seen.meshes.objects) > 1:
            return Desired(problems=(_refuse_meshes(seen.meshes.objects),))
        members, self._until = _list_members(seen, now)
        facts = Desired(
            departed=_find_departed(seen, members),
            allow_mass_delete=_read_consent(members[self._node]),
        )
        (mesh,) = seen.meshes.objects.values()
        if _lacks_overlay(mesh):
            overlay = self._finder.find(self.changed)
            if not overlay.cidrs:
                self._until = -math.inf  # look again at the next turn
                return replace(facts, problems=overlay.problems, waiting_for=overlay.waiting_for)
            mesh = {**mesh, "spec": {**mesh["spec"], "overlayCIDRs": overlay.cidrs}}
        objects = [mesh, *members.values(), *seen.nodes.objects.values()]
        return _compile(facts, self._node, objects, list_incumbents(seen.applied))


def _find_missing(seen: _Seen, node: NodeName) -> str:
    """Say what is not there yet without which there is nothing to compile; empty when all is."""
    snapshots = {"meshes": seen.meshes, "meshnodes": seen.mesh_nodes, "nodes": seen.nodes}
    unread = [name for name, snapshot in snapshots.items() if not snapshot.synced]
    if unread:
        return f"the API's list of {' and of '.join(unread)}"
    if not seen.meshes.objects:
        return "a Mesh object"
    if node not in seen.nodes.objects:
        return f"Node/{node}"
    own = seen.mesh_nodes.objects.get(node)
    if own is None:
        return f"MeshNode/{node}, which this agent publishes"
    if _key_of(own) != seen.public_key:
        return f"MeshNode/{node} with this host's public key, which this agent publishes"
    return ""


def _refuse_meshes(meshes: Mapping[str, Object]) -> Problem:
    first, *others = sorted(meshes)
    rule = f"a cluster has exactly one Mesh, and here are {len(meshes)}: delete all but one"
    return Problem(object=f"Mesh/{first}", rule=f"{rule} (the others: {', '.join(others)})")


def _list_members(seen: _Seen, now: float) -> tuple[dict[str, Object], float]:
    """Return the MeshNodes to take for there, by name, and until when that stays so."""
    graced = {
        name: vanished
        for name, vanished in seen.mesh_nodes.deleted.items()
        if name in seen.nodes.objects and now < vanished.at + GRACE
    }
    until = min((vanished.at + GRACE for vanished in graced.values()), default=math.inf)
    kept = {name: vanished.object for name, vanished in graced.items()}
    return kept | dict(seen.mesh_nodes.objects), until


def _find_departed(seen: _Seen, members: Mapping[str, Object]) -> frozenset[PublicKey]:
    """Find the keys of deleted Nodes, but those that a Node which is there has too.

    Only what was seen to be deleted counts: a list that lacks Nodes may be an old backup's.
    """
    published = seen.mesh_nodes
    gone = {
        _key_of(published.objects.get(name)) or _key_of(_last_seen(published, name))
        for name, vanished in seen.nodes.deleted.items()
        if vanished.witnessed
    }
    here = {_key_of(found) for name, found in members.items() if name in seen.nodes.objects}
    return frozenset(PublicKey(key) for key in gone - here if key)


def _last_seen(snapshot: Snapshot, name: str) -> Object | None:
    vanished = snapshot.deleted.get(name)
    return vanished.object if vanished else None


def _key_of(mesh_node: Object | None) -> str:
    key = _section(mesh_node or {}, "spec").get("publicKey")
    return key if isinstance(key, str) else ""


def _read_consent(own: Object) -> str:
    consent = _section(_section(own, "metadata"), "annotations").get(ALLOW_MASS_DELETE)
    return consent if isinstance(consent, str) else ""


def _section(document: Object, name: str) -> Object:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _lacks_overlay(mesh: Object) -> bool:
    """Whether a Mesh leaves its overlay to the cluster. One without a spec is only wrong."""
    return isinstance(mesh.get("spec"), dict) and mesh["spec"].get("overlayCIDRs") is None


def _compile(
    facts: Desired, node: NodeName, objects: Iterable[Object], incumbents: Incumbents
) -> Desired:
    try:
        isolated = isolate_objects(objects, incumbents)
        left_out = {each.name: each.problems for each in isolated.left_out}
        own = left_out.pop(node, ())
        silent = (each.problems for each in isolated.endpoints_left_out)
        facts = replace(
            facts,
            left_out=tuple(chain(*left_out.values())),
            endpoints_left_out=tuple(chain(*silent)),
        )
        if own:
            return replace(facts, problems=own, own_left_out=True)
        resolved = resolve(*compile_host(isolated.inventory, node))
    except Problems as error:
        return replace(facts, problems=error.problems)
    return replace(facts, resolved=resolved)
