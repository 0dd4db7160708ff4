"""A host in memory with a change on trial, its clock, and a watchdog that runs when told to."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec.structs import replace
from scenes import Scene, build_inventory, converged, resolve_host

from applier.converge import converge
from applier.errors import Locked
from applier.fake import FakeHost
from applier.host import Host
from applier.outcome import Outcome
from applier.pending.note import Note, Reverted
from applier.pending.settle import keep, settle
from applier.pending.trial import Trial
from applier.pending.verdict import Moment
from applier.pending.watchdog import Post, watch
from applier.situation import Situation
from applier.vault import Vault
from schemas.state import ResolvedHost

SECONDS = 60
CHANGED = resolve_host(
    build_inventory(("node-a", "node-b", "node-d", "node-e"), overlays=("10.244.0.0/16",))
)
"""Another state: a peer leaves, one joins, a family goes, with its chains, routes and addresses."""


class FakeApplier:
    """The process that applies."""

    def __init__(self) -> None:
        self.alive = True
        self.killed = False

    def runs(self) -> bool:
        return self.alive

    def kill(self) -> None:
        self.alive, self.killed = False, True


class Stage:
    """A scene whose state changes on trial; nothing here sleeps."""

    def __init__(self, scene: Scene | None = None, changed: ResolvedHost = CHANGED) -> None:
        self.scene = scene or converged()
        self.paths = self.scene.paths
        self.changed = changed
        self.moment = Moment(boot_id="this boot", now=1000.0, watched=False)
        self.applier = FakeApplier()
        self.holder = ""
        """Who holds the lock; empty: nobody."""
        self.dismissed = False
        self.said: list[str] = []
        self.armed: tuple[Situation, Note] | None = None
        self.every_tick: list[object] = []

    @property
    def host(self) -> FakeHost:
        return self.scene.host

    def apply(self, *, seconds: int = SECONDS) -> Outcome:
        """Apply the other state on trial, as the command does."""
        trial = Trial(
            self.host,
            self.changed,
            paths=self.paths,
            read_moment=lambda: self.moment,
            seconds=seconds,
            arm=self.arm,
        )
        outcome = converge(
            self.host,
            self.changed,
            vault=self.scene.vault,
            paths=self.paths,
            allow_mass_delete=True,
            trial=trial,
        )
        trial.end(outcome)
        self.applier.alive = False
        return outcome

    def arm(self, before: Situation, note: Note) -> None:
        self.armed = (before, note)
        self.moment = replace(self.moment, watched=True)

    def kill_watchdog(self) -> None:
        self.moment = replace(self.moment, watched=False)

    def restart(self) -> None:
        self.moment = Moment(boot_id="another boot", now=5.0, watched=False)

    def pass_time(self, seconds: float) -> None:
        self.moment = replace(self.moment, now=self.moment.now + seconds)

    def settle(self) -> Reverted | None:
        return settle(self.host, vault=self.scene.vault, paths=self.paths, moment=self.moment)

    def confirm(self) -> Note | None:
        return keep(self.host, paths=self.paths, moment=self.moment)

    def watch(self) -> bool:
        """Run the watchdog to its end."""
        assert self.armed is not None
        before, note = self.armed
        decided = watch(self._post(), note, before, self.paths)
        self.kill_watchdog()
        return decided

    def _post(self) -> Post:
        return Post(
            open_host=self._open,
            hold_lock=self._hold,
            read_moment=lambda: self.moment,
            sleep=self._sleep,
            applier=self.applier,
            is_dismissed=lambda: self.dismissed,
            say=self.said.append,
        )

    def _sleep(self, seconds: float) -> None:
        self.pass_time(seconds)
        for act in list(self.every_tick):
            act()  # type: ignore[operator] # tests put callables here

    @contextmanager
    def _open(self) -> Iterator[Host]:
        yield self.host

    @contextmanager
    def open_with_vault(self) -> Iterator[tuple[Host, Vault]]:
        yield self.host, self.scene.vault

    @contextmanager
    def _hold(self) -> Iterator[None]:
        if self.holder and not self.applier.killed:
            raise Locked("lock", "/run/wormhole/lock", f"held by {self.holder}")
        yield
