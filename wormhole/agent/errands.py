"""What the clerk does at the API: publish the node, hold the masters, tell status and Events."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from applier.keys import load_key
from applier.memory import load_applied
from applier.paths import Paths
from applier.psk import load_master
from schemas.problems import Problems
from schemas.state import ResolvedHost
from wormhole import __version__
from wormhole.agent.events import EventTeller
from wormhole.agent.masters import Files, ensure_master, hold_masters
from wormhole.agent.publisher import Publisher
from wormhole.agent.report import make_report
from wormhole.agent.statuswriter import StatusWriter
from wormhole.agent.turn import Turn
from wormhole.cluster.api import MESH_NODES, PSK_SECRET, Api, Object

_LOG: Final = logging.getLogger("wormhole.agent")

_ECHO: Final = 5.0
"""Seconds that a watch may take to show what was published."""
_LONGEST_PAUSE: Final = 60.0
"""Seconds between two publications at most: each costs every agent of the mesh a turn."""
_STALE: Final = 60.0
"""Seconds for which an answer about the Secret stands while the watch shows something older."""
_TURNS: Final = 100
"""Turns that may wait to be told; older ones are superseded by what came after them."""


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
        self._applied = {_epoch_of(load_applied(files, paths))}
        """What the host may have to come back to, should it reboot without the API."""
        self._told: tuple[str, ...] = ()
        self._answer: Mapping[str, str] = {}
        self._answered: tuple[str, Mapping[str, Object]] | None = None
        """The epoch that was asked for, and what the watch showed of the Secret then."""
        self._until = 0.0
        self.held: tuple[str, ...] = ()
        """The epochs whose master this host holds, as last seen."""

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
        in_use = {each for each in (epoch, *self._applied) if each}
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


class Tell:
    """Tells the API what the turns came to: the node's status, and Events about what matters.

    Both pace and repeat themselves, so that what the API refuses here holds up nothing else.
    """

    name = "status"

    def __init__(
        self,
        api: Api,
        *,
        node: str,
        meshnodes: See,
        uid_of: Callable[[str], str],
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        """Take ``on_trouble``, which is called when :attr:`api_error` may have changed."""
        self._api = api
        self._on_trouble = on_trouble
        self._node = node
        self._meshnodes = meshnodes
        self._turns: deque[Turn] = deque(maxlen=_TURNS)
        self._teller = EventTeller(api, node, uid_of)
        self._writer: StatusWriter | None = None
        self._report: Object = {}
        self._uid = ""

    @property
    def api_error(self) -> str:
        """What the API last had against a status or an Event; empty when nothing."""
        told = (self._writer.api_error if self._writer else "", self._teller.api_error)
        return "; ".join(filter(None, told))

    def take(self, turn: Turn) -> None:
        """Leave word of a turn. From any thread."""
        self._turns.append(turn)

    def run(self, now: float) -> None:
        """Make reports of the turns since the last run, and send what is due.

        Raises:
            ApiError: the status that the API has cannot be read, so nobody knows what is news.

        """
        published = self._meshnodes().objects.get(self._node)
        if published is None:
            return  # a status needs an object; turns wait
        writer = self._open_writer(str(published["metadata"].get("uid", "")), now)
        while self._turns:
            turn = self._turns.popleft()
            self._report = make_report(turn, self._report, __version__)
            writer.offer(self._report, now)
            self._teller.observe(turn, now)
        writer.flush(now)
        self._teller.flush(now)
        self._on_trouble()

    def due(self, now: float) -> float | None:
        """Return when something that was put off may be sent."""
        if self._writer is None:
            return None
        moments = (self._writer.due(now), self._teller.due(now))
        return min((moment for moment in moments if moment is not None), default=None)

    def _open_writer(self, uid: str, now: float) -> StatusWriter:
        """Begin with what the API has; begin anew when the object is another one."""
        if self._writer is None:
            self._report = self._read_status()
            self._writer = StatusWriter(self._api, self._node, self._report)
        elif uid != self._uid:
            self._writer.forget(now)
        self._uid = uid
        return self._writer

    def _read_status(self) -> Object:
        """Read the node's own status: a list of one, which needs no right beside that to list."""
        page = self._api.get(MESH_NODES, {"fieldSelector": f"metadata.name={self._node}"})
        found = page.get("items") or [{}]
        status: Object = found[0].get("status") or {}
        return status
