"""One turn, on a host in memory: what it converges to, what it says, what it leaves alone."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from inventories import make_key
from scenes import PRIVATE, PUBLIC, WG, Scene, build_inventory, converged, resolve_host

from applier.converge import converge
from applier.errors import Locked, Unobservable
from applier.fake import FakeHost
from applier.host import DeviceUpdate, Host, PeerUpdate
from applier.keys import public_half
from applier.memory import load_applied
from applier.outcome import Result
from applier.paths import Paths
from applier.plan import Plan
from applier.vault import Vault
from schemas.document import digest
from schemas.problems import Problem, Problems
from schemas.state import ResolvedHost
from schemas.values import PublicKey
from wormhole.agent.desired import Cause, Desired, Wake
from wormhole.agent.turns.pace import FIGHT_ROUNDS, Fights
from wormhole.agent.turns.taker import Doors, TurnTaker
from wormhole.agent.turns.turn import Hindrance, Turn

NAMES = ("node-a", *(f"node-{number}" for number in range(30)))


class Told:
    """A source that says what it was told to say."""

    def __init__(self, desired: Desired) -> None:
        self.says = desired
        self.asked_for: list[PublicKey] = []
        self.applied: list[ResolvedHost | None] = []

    def start(self, wake: Wake) -> None:
        """Do nothing: nobody waits here."""

    def desired(self, public_key: PublicKey, applied: ResolvedHost | None = None) -> Desired:
        self.asked_for.append(public_key)
        self.applied.append(applied)
        return self.says

    def stop(self) -> None:
        """Do nothing."""


class Stage:
    """A scene, a source, and whoever takes turns between them."""

    def __init__(self, scene: Scene, desired: Desired) -> None:
        self.scene = scene
        self.source = Told(desired)
        self.now = 1000.0
        self.locked = False
        self.taker = TurnTaker(
            "node-a",
            self.source,
            source_kind="cluster",
            paths=scene.paths,
            fights=Fights(),
            tell_fight=lambda _: "",
            doors=Doors(open_host=self._open, hold_lock=self._hold),
            monotonic=lambda: self.now,
        )

    def take(self) -> Turn:
        self.turn, self.until = self.taker.take((Cause.TIMER,))
        return self.turn

    @contextmanager
    def _open(self, paths: Paths) -> Iterator[tuple[Host, Vault]]:
        assert paths == self.scene.paths
        yield self.scene.host, self.scene.vault

    @contextmanager
    def _hold(self, paths: Paths) -> Iterator[None]:
        if self.locked:
            raise Locked("lock", str(paths.run / "lock"), "held by process 7 (wormhole apply)")
        yield


def wanting(resolved: ResolvedHost, **more: object) -> Desired:
    return Desired(resolved=resolved, **more)  # type: ignore[arg-type] # whatever a test wants


def drop_route(host: FakeHost) -> None:
    ours = (one for one in host.routes() if one.device == WG)
    host.delete_route(next(one for one in ours if one.destination == "10.244.0.0/16"))


def test_a_turn_makes_the_host_what_the_source_says_and_the_next_writes_nothing() -> None:
    scene = Scene()
    stage = Stage(scene, wanting(scene.resolved))
    turn = stage.take()
    assert turn.verified
    assert not turn.from_memory
    assert stage.source.asked_for == [PUBLIC]
    assert turn.status is not None
    assert [peer.name for peer in turn.status.peers] == ["node-b", "node-c", "node-d"]
    scene.writes()
    assert stage.take().verified
    assert scene.writes() == []


def test_without_documents_the_host_is_left_alone() -> None:
    stage = Stage(Scene(), Desired(waiting_for="the Mesh object"))
    turn = stage.take()
    assert turn.hindrance is Hindrance.NO_DOCUMENTS
    assert turn.error == "there is nothing to converge to yet: waiting for the Mesh object"
    assert stage.scene.writes() == []


def test_without_documents_the_last_good_ones_are_kept_and_healed() -> None:
    scene = converged()
    stage = Stage(scene, Desired(problems=(Problem(rule="the Mesh makes no sense"),)))
    drop_route(scene.host)
    turn = stage.take()
    assert turn.from_memory
    assert turn.verified
    assert turn.resolved == scene.resolved
    assert turn.outcome is not None
    assert [change.kind for change in turn.outcome.done] == ["route"]


def test_the_source_is_told_what_the_host_converged_to_last() -> None:
    scene = Scene()
    stage = Stage(scene, wanting(scene.resolved))
    stage.take()
    stage.take()
    assert stage.source.applied == [None, scene.resolved]


def rotated() -> Stage:
    """Return a host whose key was rotated while its source is away."""
    scene = converged()
    private = bytes(reversed(PRIVATE))
    scene.host.files[scene.paths.private_key] = (b64encode(private) + b"\n", 0o600)
    scene.vault.put_as(public_half(private), private)
    return Stage(scene, Desired(waiting_for="MeshNode/node-a with this host's public key"))


def test_a_host_whose_key_was_rotated_heals_and_keeps_its_sessions() -> None:
    """No peer knows the new key before the source does; the device has the old one meanwhile."""
    stage = rotated()
    host = stage.scene.host
    assert stage.take().verified
    assert stage.scene.writes() == []
    drop_route(host)
    gone = PeerUpdate(public_key=make_key("node-b"), remove=True)
    host.wireguard(WG).configure(WG, DeviceUpdate(peers=(gone,)))
    turn = stage.take()
    assert turn.verified
    assert turn.outcome is not None
    assert {change.kind for change in turn.outcome.done} == {"peer", "route"}
    assert host.wireguard(WG).get(WG).public_key == PUBLIC
    assert load_applied(host, stage.scene.paths) == stage.scene.resolved


def test_a_device_that_is_made_anew_has_the_key_that_there_is() -> None:
    stage = rotated()
    host = stage.scene.host
    host.delete_link(WG)
    new = public_half(bytes(reversed(PRIVATE)))
    turn = stage.take()
    assert (turn.verified, turn.from_memory, turn.error) == (True, True, "")
    assert host.wireguard(WG).get(WG).public_key == new
    stage.scene.writes()
    assert stage.take().verified
    assert stage.scene.writes() == []


def test_what_another_host_with_another_key_remembers_is_of_no_use() -> None:
    """As in the image of a disk that was copied without its key."""
    stage = rotated()
    paths = stage.scene.paths
    content, mode = stage.scene.host.files[paths.applied]
    theirs = content.replace(b'"name":"node-a"', b'"name":"node-z"')
    assert theirs != content
    stage.scene.host.files[paths.applied] = (theirs, mode)
    turn = stage.take()
    assert turn.hindrance is Hindrance.NO_DOCUMENTS
    assert turn.error.endswith("waiting for MeshNode/node-a with this host's public key")
    assert stage.scene.writes() == []


def test_documents_for_a_key_that_nobody_has_any_more_are_refused_by_the_applier() -> None:
    """As when the device goes between the turn's look at it and the applier's."""
    stage = rotated()
    vault, paths, host = stage.scene.vault, stage.scene.paths, stage.scene.host
    host.delete_link(WG)
    with pytest.raises(Problems, match="is not this host's public key"):
        converge(host, stage.scene.resolved, vault=vault, paths=paths, keep_key=True)
    assert stage.take().verified


def test_a_lock_that_somebody_holds_is_said_and_nothing_is_written() -> None:
    scene = Scene()
    stage = Stage(scene, wanting(scene.resolved))
    stage.locked = True
    turn = stage.take()
    assert turn.hindrance is Hindrance.LOCKED
    assert turn.resolved == scene.resolved
    assert "held by process 7" in turn.error
    assert scene.writes() == []


def test_documents_for_another_key_are_said_and_nothing_is_written() -> None:
    scene = Scene()
    stage = Stage(scene, wanting(resolve_host(build_inventory(), "node-b")))
    turn = stage.take()
    assert turn.hindrance is Hindrance.UNFIT_DOCUMENTS
    assert "is not this host's public key" in turn.error
    assert scene.writes() == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (None, "has no private key"),
        ((b"nonsense", 0o600), "not a private key"),
        ((b64encode(PRIVATE), 0o644), "others may read"),
    ],
    ids=["lost", "damaged", "open to others"],
)
def test_a_key_that_is_of_no_use_is_no_fault_of_the_documents(
    file: tuple[bytes, int] | None, said: str
) -> None:
    scene = converged()
    stage = Stage(scene, wanting(scene.resolved))
    del scene.host.files[scene.paths.private_key]
    if file is not None:
        scene.host.files[scene.paths.private_key] = file
    turn = stage.take()
    assert turn.hindrance is Hindrance.NO_KEY
    assert (turn.error.partition(": ")[0], said in turn.error) == (
        str(scene.paths.private_key),
        True,
    )
    assert stage.source.asked_for == []
    assert scene.writes() == []


def test_an_unreadable_host_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    stage = Stage(scene, wanting(scene.resolved))

    def refuse() -> object:
        raise Unobservable("list", "links", "the dump was interrupted")

    monkeypatch.setattr(scene.host, "links", refuse)
    assert stage.take().hindrance is Hindrance.UNOBSERVABLE


def test_a_bug_is_said_and_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    stage = Stage(scene, wanting(scene.resolved))
    monkeypatch.setattr(scene.host, "links", lambda: 1 / 0)
    turn = stage.take()
    assert turn.hindrance is Hindrance.BUG
    assert turn.error == "ZeroDivisionError: division by zero"


def leaving(**more: object) -> Stage:
    """Return a stage on which 20 of 30 peers are to leave."""
    scene = converged(Scene(resolve_host(build_inventory(NAMES))))
    return Stage(scene, wanting(resolve_host(build_inventory(NAMES[:11])), **more))


def test_a_mass_deletion_is_refused() -> None:
    turn = leaving().take()
    assert turn.outcome is not None
    assert turn.outcome.refused.startswith("the plan removes 20 of ")


def test_what_is_refused_does_not_keep_a_host_from_being_mended() -> None:
    stage = leaving()
    drop_route(stage.scene.host)
    turn = stage.take()
    assert turn.outcome is not None
    assert (turn.outcome.result, turn.outcome.spared) == (Result.REFUSED, True)
    assert [change.kind for change in turn.outcome.done] == ["route"]


def test_peers_whose_nodes_were_deleted_may_leave() -> None:
    before = resolve_host(build_inventory(NAMES)).peers
    keys = frozenset(before[name].public_key for name in before if name not in NAMES[:11])  # type: ignore[comparison-overlap] # NodeName is a str
    assert leaving(departed=keys).take().verified


def test_an_operator_may_allow_a_mass_deletion_by_its_digest() -> None:
    wanted = digest(resolve_host(build_inventory(NAMES[:11])))
    assert leaving(allow_mass_delete=wanted[:12]).take().verified


@pytest.mark.parametrize("consent", ["0" * 12, "", "short"])
def test_other_consent_allows_nothing(consent: str) -> None:
    turn = leaving(allow_mass_delete=consent).take()
    assert turn.outcome is not None
    assert turn.outcome.refused


def test_consent_must_name_the_digest_well_enough() -> None:
    wanted = digest(resolve_host(build_inventory(NAMES[:11])))
    turn = leaving(allow_mass_delete=wanted[:11]).take()
    assert turn.outcome is not None
    assert turn.outcome.refused


def test_what_is_undone_again_and_again_is_mended_more_slowly() -> None:
    scene = converged()
    stage = Stage(scene, wanting(scene.resolved))
    for _ in range(FIGHT_ROUNDS):
        drop_route(scene.host)
        assert stage.take().verified
        stage.now += 1
    drop_route(scene.host)
    scene.writes()
    turn = stage.take()
    assert turn.hindrance is Hindrance.HELD_BACK
    assert stage.until == stage.now + 1
    assert scene.writes() == []
    stage.now += 1
    assert stage.take().verified


def test_plans_are_judged_before_anything_is_written() -> None:
    """A fight must not keep the host from what is newly wanted."""
    scene = converged()
    stage = Stage(scene, wanting(scene.resolved))
    for _ in range(FIGHT_ROUNDS):
        drop_route(scene.host)
        stage.take()
    drop_route(scene.host)
    stage.source.says = wanting(resolve_host(build_inventory(("node-a", "node-b", "node-c"))))
    turn = stage.take()
    assert turn.verified
    assert isinstance(turn.outcome.plan if turn.outcome else None, Plan)
