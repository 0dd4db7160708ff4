"""The agent and a change on trial: whose the host is until it is decided, and what follows."""

import pytest
from agentturns import make_blind_turn, make_turn
from scenes import BRIDGE, PUBLIC, Scene, build_inventory, converged, resolve_host
from trials import CHANGED, Stage

from applier.errors import HostError
from applier.memory import load_applied
from applier.pending.note import load_note, load_reverted
from applier.pending.verdict import GRACE
from schemas.state import ResolvedHost
from schemas.values import PublicKey
from wormhole.agent.desired import Cause, Desired, Wake
from wormhole.agent.pages.metrics import Metrics
from wormhole.agent.status.report import is_ready, make_report
from wormhole.agent.turns.loop import is_failure
from wormhole.agent.turns.pace import Fights
from wormhole.agent.turns.taker import Doors, TurnTaker
from wormhole.agent.turns.trouble import find_troubles
from wormhole.agent.turns.turn import Hindrance, Turn


class Told:
    """A source that says what it was told to say."""

    def __init__(self, resolved: ResolvedHost) -> None:
        self.resolved = resolved

    def start(self, wake: Wake) -> None:
        """Do nothing: nobody waits here."""

    def desired(self, public_key: PublicKey, applied: ResolvedHost | None = None) -> Desired:
        del applied
        assert public_key == PUBLIC
        return Desired(resolved=self.resolved)

    def stop(self) -> None:
        """Do nothing."""


class Kept:
    """A host on which something is on trial, and its agent."""

    def __init__(self, stage: Stage, wanted: ResolvedHost) -> None:
        self.stage = stage
        self.source = Told(wanted)
        self.taker = TurnTaker(
            "node-a",
            self.source,
            source_kind="folder",
            paths=stage.paths,
            fights=Fights(),
            tell_fight=lambda _: "",
            doors=Doors(
                open_host=lambda _: stage.open_with_vault(),
                hold_lock=lambda _: stage._hold(),
                read_moment=lambda _: stage.moment,
            ),
        )

    def take(self) -> Turn:
        return self.taker.take((Cause.TIMER,))[0]


@pytest.fixture
def kept() -> Kept:
    """A change is on trial that is not what the source says."""
    stage = Stage()
    stage.apply()
    stage.host.faults.writes.clear()
    return Kept(stage, stage.scene.resolved)


def test_until_it_is_decided_the_host_is_the_operators(kept: Kept) -> None:
    kept.stage.host.set_link(BRIDGE, mtu=1300)
    kept.stage.host.faults.writes.clear()
    turn = kept.take()
    assert turn.hindrance is Hindrance.ON_TRIAL
    assert turn.outcome is None
    assert turn.error == (
        "a change that an operator made is on trial: this host waits until it is confirmed or"
        " taken back ('wormhole status' says how long)"
    )
    assert kept.stage.host.faults.writes == []
    assert not is_failure(turn)
    assert is_ready(turn, before=True)
    assert [each.reason for each in find_troubles(turn)] == ["OnTrial"]


def test_what_an_operator_kept_the_source_may_change_again(kept: Kept) -> None:
    kept.stage.confirm()
    turn = kept.take()
    assert turn.verified
    assert load_applied(kept.stage.host, kept.stage.paths) == kept.source.resolved


@pytest.mark.parametrize("how", ["its watchdog died", "a restart", "its watchdog hangs"])
def test_what_was_left_behind_is_taken_back_before_anything_else(kept: Kept, how: str) -> None:
    stage = kept.stage
    match how:
        case "a restart":
            stage.restart()
        case "its watchdog died":
            stage.kill_watchdog()
        case _:
            stage.pass_time(60 + GRACE)
    kept.source.resolved = resolve_host(build_inventory(persistent_keepalive=25))
    turn = kept.take()
    assert turn.verified
    assert load_note(stage.host, stage.paths) is None
    assert load_applied(stage.host, stage.paths) == kept.source.resolved


def test_what_was_taken_back_is_not_tried_again_and_the_host_is_mended(kept: Kept) -> None:
    stage = kept.stage
    kept.source.resolved = CHANGED
    stage.kill_watchdog()
    stage.settle()
    stage.host.set_link(BRIDGE, mtu=1300)
    turn = kept.take()
    assert turn.verified
    assert turn.from_memory
    assert turn.resolved == stage.scene.resolved
    assert turn.hindrance is None
    assert turn.withheld.endswith(
        ": its watchdog was ended before anybody confirmed it; it is not tried again until it"
        " changes"
    )
    assert turn.outcome is not None
    assert [change.kind for change in turn.outcome.done] == ["link"]
    assert kept.take().verified
    assert load_reverted(stage.host, stage.paths) is not None


def test_it_goes_on_as_soon_as_the_source_says_something_else(kept: Kept) -> None:
    stage = kept.stage
    kept.source.resolved = CHANGED
    stage.kill_watchdog()
    stage.settle()
    assert kept.take().withheld
    kept.source.resolved = resolve_host(build_inventory(persistent_keepalive=25))
    turn = kept.take()
    assert (turn.withheld, turn.from_memory, turn.verified) == ("", False, True)
    assert load_reverted(stage.host, stage.paths) is None


def test_a_host_that_went_back_to_nothing_is_left_so() -> None:
    scene = Scene()
    stage = Stage(scene, scene.resolved)
    stage.apply()
    stage.kill_watchdog()
    stage.settle()
    stage.host.faults.writes.clear()
    turn = Kept(stage, scene.resolved).take()
    assert turn.hindrance is Hindrance.NOT_CONFIRMED
    assert turn.error.endswith("; it is not tried again until it changes")
    assert stage.host.faults.writes == []
    assert not is_failure(turn)
    assert [each.reason for each in find_troubles(turn)] == ["NotConfirmed"]


def test_what_could_not_be_taken_back_is_tried_again(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    kept.stage.kill_watchdog()

    def refuse(*_: object, **__: object) -> None:
        raise HostError("load", "iptables", "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(kept.stage.host, "iptables_restore", refuse)
        turn = kept.take()
    assert turn.hindrance is Hindrance.HOST_ERROR
    assert turn.error.startswith("go back to the state before: revert: firewall ")
    assert is_failure(turn)
    assert kept.take().verified


def test_the_status_and_the_metrics_tell_what_is_withheld() -> None:
    turn = make_turn(from_memory=True, withheld="sha256:abc was taken back", resolved=CHANGED)
    ready, degraded, _ = make_report(turn, {}, "1.2.3")["conditions"]
    assert (ready["status"], ready["reason"]) == ("True", "LastGoodDocuments")
    assert (degraded["status"], degraded["reason"], degraded["message"]) == (
        "True",
        "NotConfirmed",
        "sha256:abc was taken back; the last good documents stay",
    )
    metrics = Metrics("1.2.3")
    metrics.observe(turn)
    assert "wormhole_documents_withheld 1.0" in metrics.make_page("").body.decode()


def test_while_a_change_is_on_trial_readiness_stays_what_it_was() -> None:
    before = make_report(make_turn(), {}, "1.2.3")
    turn = make_blind_turn(hindrance=Hindrance.ON_TRIAL, error="a change is on trial")
    ready = make_report(turn, before, "1.2.3")["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("True", "Converged")
    first = make_report(turn, {}, "1.2.3")["conditions"][0]
    assert (first["status"], first["reason"]) == ("Unknown", "OnTrial")


def test_a_turn_without_anything_on_trial_writes_nothing() -> None:
    scene = converged()
    kept = Kept(Stage(scene), scene.resolved)
    assert kept.take().verified
    assert scene.writes() == []
