"""What the clerk does at the API: publish the node, and hold the masters."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, Protocol

from applier.errors import HostError
from applier.keys import load_key
from applier.memory import load_applied
from applier.paths import Paths
from applier.psk import load_master
from schemas.problems import Problems
from schemas.state import ResolvedHost
from wormhole.agent.publishing.masters import Files, ensure_master, hold_masters
from wormhole.agent.publishing.publisher import Publisher
from wormhole.agent.turns.turn import Turn
from wormhole.cluster.api import PSK_SECRET, Api, Object
from wormhole.psk.store import read_rotation

_LOG: Final = logging.getLogger("wormhole.agent")

_ECHO: Final = 5.0
"""Seconds that a watch may take to show what was published."""
_LONGEST_PAUSE: Final = 60.0
"""Seconds between two publications at most: each costs every agent of the mesh a turn."""
_STALE: Final = 60.0
"""Seconds for which an answer about the Secret stands while the watch shows something older."""


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
    """Publishes this node's MeshNode whenever the API says something else.

    Each time in a row it waits twice as long before the next: another host may have the same name
    by mistake, and the two would outdo each other as fast as the server answers.
    """

    name = "publish this node"

    def __init__(  # noqa: PLR0913 - what an errand needs, by name
        self,
        publisher: Publisher,
        *,
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
        self._answered: tuple[Object | None, Object | None, str] | None = None
        self._until = 0.0
        self._pause = 0.0
        self._next = float("-inf")

    def run(self, now: float) -> None:
        """Publish, once both lists are known: what is missing from half a list may be there.

        What was answered to the same is not said again at once: its echo is on the way.
        """
        nodes, meshnodes = self._nodes(), self._meshnodes()
        if not (nodes.synced and meshnodes.synced):
            return
        key = load_key(self._files, self._paths)[0]
        known = meshnodes.objects.get(self._node), nodes.objects.get(self._node), key
        if now < self._next or (known == self._answered and now < self._until):
            return
        done = self._publisher.publish(*known)
        if done.changed:
            self._answered, self._until = known, now + _ECHO
            in_a_row = now < self._next + _LONGEST_PAUSE
            self._pause = min(_LONGEST_PAUSE, 2 * self._pause) if in_a_row else 1.0
            self._next = now + self._pause
        for remark in done.remarks:
            _LOG.warning("published MeshNode/%s: %s", self._node, remark)
        if done.changed:
            _LOG.info("published MeshNode/%s: %s", self._node, ", ".join(done.fields))

    def due(self, now: float) -> float | None:
        """Return when to look again, also whether the echo has come; else the watches poke."""
        return min((moment for moment in (self._next, self._until) if now < moment), default=None)


class HoldMasters:
    """Sees to the epoch's entry in the Secret, and to this host's files of those that it needs.

    Needed are the epoch that the Mesh names, what the host may have to come back to, and where a
    rotation leads. Whatever else somebody puts into the Secret comes to no host.
    """

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
        on_change: Callable[[], None],
    ) -> None:
        """Take ``on_change``, which is called when the files have changed."""
        self._api = api
        self._namespace = namespace
        self._files = files
        self._paths = paths
        self._meshes = meshes
        self._secret = secret
        self._on_change = on_change
        self._applied: set[str | None] = set()
        """What the host may have to come back to, should it reboot without the API."""
        with suppress(HostError):  # a memory that cannot be read is nothing to come back to
            self._applied = {_epoch_of(load_applied(files, paths))}
        self._told: tuple[str, ...] = ()
        self._answer: Mapping[str, str] = {}
        self._answered: tuple[str, Mapping[str, Object]] | None = None
        """The epoch that was asked for, and what the watch showed of the Secret then."""
        self._until = 0.0
        self.held: tuple[str, ...] = ()
        """The epochs whose master this host holds, as last seen: those that it needs first."""

    def take(self, turn: Turn) -> None:
        """Note which epochs the host's memory may name after a turn. From the loop's thread."""
        if turn.verified:
            self._applied = {_epoch_of(turn.resolved)}
        elif turn.outcome is not None:
            self._applied = {*self._applied, _epoch_of(turn.resolved)}

    def run(self, now: float) -> None:
        """Make sure of the Mesh's epoch, then of the files."""
        meshes, secret = self._meshes(), self._secret()
        if not meshes.synced:
            return
        epoch = _find_epoch(meshes)
        entries = _entries_of(secret)
        if epoch is not None and epoch not in entries and secret.synced:
            entries = self._ensure(epoch, secret.objects, now)
        rotating_to = read_rotation(secret.objects.get(PSK_SECRET) or {})
        needed = {each for each in (epoch, rotating_to, *self._applied) if each}
        wanted = {each: entries[each] for each in entries if each in needed}
        held = hold_masters(self._files, self._paths, wanted, needed)
        if held.remarks != self._told:
            self._told = held.remarks
            for remark in held.remarks:
                _LOG.warning("pre-shared keys: %s", remark)
        first = tuple(sorted(held.epochs, key=lambda each: (each not in needed, each)))
        changed = first != self.held or bool(held.changed)
        self.held = first
        if changed:
            self._on_change()

    def due(self, now: float) -> None:
        """Return None: the watches poke."""

    def _ensure(self, epoch: str, seen: Mapping[str, Object], now: float) -> Mapping[str, str]:
        """Let the Secret have the epoch's entry; return all entries.

        What was answered stands while the watch shows what it showed before: its echo is on the
        way, and whatever changes in the cluster meanwhile makes the clerk look here again.
        """
        asked = self._answered
        if asked is None or asked[0] != epoch or asked[1] is not seen or now >= self._until:
            held = _read_held(self._files, self._paths, epoch)
            self._answer = ensure_master(self._api, self._namespace, epoch, held=held)
            self._answered, self._until = (epoch, seen), now + _STALE
        return self._answer


def _epoch_of(resolved: ResolvedHost | None) -> str | None:
    return resolved.host.wireguard.preshared_key_epoch if resolved else None


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
