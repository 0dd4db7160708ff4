"""A change on trial on a host in memory: kept, or the host as it was, whoever is killed when."""

from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from damage import change_peer
from msgspec.structs import replace
from scenes import BRIDGE, PRIVATE, WG, Scene, converged, dump_all, dump_foreign
from trials import CHANGED, SECONDS, Stage

from applier.errors import Exists, HostError, NotGoneBack, Unconfirmed, Unobservable
from applier.fake.faults import Killed
from applier.keys import public_half
from applier.memory import load_applied
from applier.outcome import Result
from applier.pending.note import Phase, Reason, load_note, load_reverted, store_note
from applier.pending.settle import keep
from applier.pending.watchdog import KILL_AFTER
from schemas.document import digest
from schemas.problems import Problems
from schemas.values import Endpoint, InterfaceName, NodeName

NODE_B = NodeName("node-b")
MEMORY = ("pending.json", "reverted.json")


def dump(stage: Stage) -> str:
    """Print everything on the host but what is remembered of trials."""
    lines = dump_all(stage.host).splitlines()
    return "\n".join(line for line in lines if not any(name in line for name in MEMORY))


def dump_network(stage: Stage) -> str:
    """Print everything on the host but its memory."""
    memory = f"file {stage.paths.data}"
    return "\n".join(line for line in dump(stage).splitlines() if not line.startswith(memory))


def is_remembered(stage: Stage) -> bool:
    reverted = load_reverted(stage.host, stage.paths)
    return reverted is not None and reverted.digest == digest(CHANGED)


class TestTheApply:
    def test_the_watchdog_watches_before_the_first_write(self) -> None:
        stage = Stage()
        before = dump(stage)
        seen: list[str] = []
        arm = stage.arm

        def look_then_arm(*arguments: object) -> None:
            seen.append(dump(stage))
            note = load_note(stage.host, stage.paths)
            assert note is not None
            assert note.phase is Phase.APPLYING
            arm(*arguments)  # type: ignore[arg-type] # handed on as they came

        stage.arm = look_then_arm  # type: ignore[method-assign] # looks over its shoulder
        assert stage.apply().result is Result.CONVERGED
        assert seen == [before]
        assert dump(stage) != before

    def test_a_watchdog_that_does_not_start_stops_the_apply(self) -> None:
        stage = Stage()
        before = dump_all(stage.host)

        def refuse(*_: object) -> None:
            raise HostError("start", "wormhole-watchdog", "it did not get ready")

        stage.arm = refuse  # type: ignore[method-assign] # fails in its place
        with pytest.raises(HostError, match="did not get ready"):
            stage.apply()
        assert dump_all(stage.host) == before

    def test_nothing_is_on_trial_where_nothing_changes(self) -> None:
        stage = Stage(changed=converged().resolved)
        assert stage.apply().result is Result.CONVERGED
        assert stage.armed is None
        assert load_note(stage.host, stage.paths) is None

    def test_what_was_applied_before_is_remembered_until_the_change_is_confirmed(self) -> None:
        stage = Stage()
        previous = stage.scene.resolved
        stage.apply()
        assert load_applied(stage.host, stage.paths) == previous
        assert keep(stage.host, paths=stage.paths, moment=stage.moment) is not None
        assert load_applied(stage.host, stage.paths) == CHANGED
        assert load_note(stage.host, stage.paths) is None

    def test_a_host_that_does_not_know_what_it_was_is_not_tried_on(self) -> None:
        stage = Stage()
        del stage.host.files[stage.paths.applied]
        before = dump_all(stage.host)
        with pytest.raises(Problems, match="does not remember what was applied"):
            stage.apply()
        assert dump_all(stage.host) == before

    def test_a_change_that_failed_and_was_put_back_is_no_longer_on_trial(self) -> None:
        stage = Stage()
        stage.host.faults.fail("iptables_restore", 1, HostError("load", "iptables", "no"))
        assert stage.apply().result is Result.REVERTED
        assert load_note(stage.host, stage.paths) is None
        assert stage.watch()
        assert load_reverted(stage.host, stage.paths) is None


class TestTheWatchdog:
    def test_the_host_is_as_it_was_when_the_time_is_over(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.apply()
        assert stage.watch()
        assert dump(stage) == before
        assert is_remembered(stage)
        assert stage.moment.now >= 1000.0 + SECONDS
        assert stage.said == [
            "going back: nobody confirmed it in time",
            "the host is as it was before",
        ]

    def test_a_host_that_had_nothing_has_nothing_again(self) -> None:
        scene = Scene()
        before = dump_foreign(scene.host)
        stage = Stage(scene, scene.resolved)
        everything = dump(stage)
        stage.apply()
        assert stage.watch()
        assert dump(stage) == everything
        assert dump_foreign(scene.host) == before

    def test_what_had_drifted_before_is_as_drifted_again(self) -> None:
        stage = Stage()
        stage.host.set_link(BRIDGE, mtu=1300)
        before = dump(stage)
        stage.apply()
        assert stage.watch()
        assert dump(stage) == before

    def test_an_endpoint_goes_back_although_the_peer_is_heard(self) -> None:
        stage = Stage()
        before = dump(stage)
        peers = stage.changed.peers
        moved = replace(peers[NODE_B], endpoint=Endpoint("192.0.2.99:9806"))
        stage.changed = replace(stage.changed, peers=peers | {NODE_B: moved})
        stage.apply()
        change_peer(stage.scene, "node-b", last_handshake=stage.host.clock)
        assert stage.watch()
        change_peer(stage.scene, "node-b", last_handshake=0)
        assert dump(stage) == before

    def test_a_change_that_was_kept_stays(self) -> None:
        stage = Stage()
        stage.apply()
        after = dump_network(stage)
        stage.every_tick = [lambda: keep(stage.host, paths=stage.paths, moment=stage.moment)]
        assert stage.watch()
        assert dump_network(stage) == after
        assert stage.said == ["the change was kept, or taken back by somebody else"]
        assert load_applied(stage.host, stage.paths) == CHANGED

    def test_an_apply_that_ended_half_way_is_taken_back_at_once(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.host.faults.kill_after(9)
        with pytest.raises(Killed):
            stage.apply()
        stage.host.faults.calm()
        stage.applier.alive = False
        begin = stage.moment.now
        assert stage.watch()
        assert dump(stage) == before
        assert stage.moment.now == begin

    def test_while_the_apply_is_at_work_it_is_left_alone(self) -> None:
        stage = Stage()
        stage.host.faults.kill_after(9)
        with pytest.raises(Killed):
            stage.apply()
        stage.host.faults.calm()
        stage.every_tick = [lambda: setattr(stage.applier, "alive", stage.moment.now < 1010)]
        assert stage.watch()
        assert 1010 <= stage.moment.now < 1011

    def test_an_apply_that_does_not_end_is_killed(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.host.faults.kill_after(9)
        with pytest.raises(Killed):
            stage.apply()
        stage.host.faults.calm()
        stage.holder = "process 7 (wormhole apply)"
        assert stage.watch()
        assert stage.applier.killed
        assert dump(stage) == before
        assert stage.moment.now >= 1000.0 + SECONDS + KILL_AFTER

    def test_told_to_end_it_goes_back_first(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.apply()
        stage.dismissed = True
        assert stage.watch()
        assert dump(stage) == before
        assert stage.said[0] == "going back: this watchdog was told to end"

    def test_a_failure_is_tried_again_and_told(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.apply()
        for nth in (1, 2):
            stage.host.faults.fail("iptables_restore", nth, HostError("load", "iptables", "busy"))
        assert stage.watch()
        assert dump(stage) == before
        assert any("could not go back: revert: firewall" in line for line in stage.said)

    def test_what_it_cannot_do_is_in_the_note_for_the_next_start(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage = Stage()
        stage.apply()

        def refuse(*_: object, **__: object) -> None:
            raise HostError("load", "iptables", "no space left")

        with monkeypatch.context() as patched:
            patched.setattr(stage.host, "iptables_restore", refuse)
            assert not stage.watch()
        note = load_note(stage.host, stage.paths)
        assert note is not None
        assert any("no space left" in each for each in note.trouble)
        assert stage.said[-1].startswith("gave up: ")
        assert stage.settle() is not None
        assert load_note(stage.host, stage.paths) is None

    @pytest.mark.parametrize("error", ["damaged", "Too many open files in system"])
    def test_a_note_that_cannot_be_read_changes_neither_the_time_nor_the_end(
        self, error: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage = Stage()
        before = dump(stage)
        stage.apply()
        read = stage.host.read_file
        path = stage.paths.pending

        def fail(asked: Path) -> bytes | None:
            if asked == path and stage.moment.now < 1000.0 + SECONDS + 1:
                raise Unobservable("read file", str(path), error, 23)
            return read(asked)

        def damage() -> None:
            stage.host.files[path] = (stage.host.files[path][0][:500], 0o600)

        if error == "damaged":
            damage()
        else:
            monkeypatch.setattr(stage.host, "read_file", fail)
        assert stage.watch()
        assert stage.moment.now >= 1000.0 + SECONDS
        assert dump(stage) == before
        assert is_remembered(stage)
        assert stage.said[0] == "going back: nobody confirmed it in time"
        assert load_note(stage.host, stage.paths) is None

    def test_what_was_confirmed_stays_although_that_cannot_be_read_now(self) -> None:
        stage = Stage()
        stage.apply()
        after = dump_network(stage)
        early = stage.moment
        stage.pass_time(SECONDS)
        hold = stage._hold

        def confirm_first() -> object:
            if keep(stage.host, paths=stage.paths, moment=early):
                error = Unobservable("read file", "it", "Too many open files in system", 23)
                stage.host.faults.fail("read_file", 1, error)
            return hold()

        stage._hold = confirm_first  # type: ignore[method-assign, assignment] # comes first
        assert stage.watch()
        assert dump_network(stage) == after

    def test_of_what_it_cannot_do_the_cause_is_told_and_not_all_that_waits_for_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene = converged()
        bridge = replace(scene.resolved.host.bridge, interface=InterfaceName("wormhole-br1"))
        changed = replace(scene.resolved, host=replace(scene.resolved.host, bridge=bridge))
        stage = Stage(scene, changed)
        stage.apply()

        def refuse(*_: object, **__: object) -> None:
            raise Exists("create link", BRIDGE, "a link of that name is there")

        monkeypatch.setattr(stage.host, "create_bridge", refuse)
        assert not stage.watch()
        note = load_note(stage.host, stage.paths)
        assert note is not None
        cause = f"revert: link {BRIDGE}: create link {BRIDGE}: a link of that name is there"
        assert note.trouble == (cause,)
        assert stage.said[1] == f"could not go back: {cause}"

    def test_one_of_confirm_and_watchdog_wins(self) -> None:
        """Confirmed in the last instant: the watchdog has the time, and then not the note."""
        stage = Stage()
        stage.apply()
        early = stage.moment
        stage.pass_time(SECONDS)
        after = dump_network(stage)
        hold = stage._hold

        def confirm_first() -> object:
            keep(stage.host, paths=stage.paths, moment=early)
            return hold()

        stage._hold = confirm_first  # type: ignore[method-assign, assignment] # comes first
        assert stage.watch()
        assert stage.said[-1] == "somebody else decided it meanwhile"
        assert load_applied(stage.host, stage.paths) == CHANGED
        assert dump_network(stage) == after


class TestTheNextStart:
    def test_a_change_that_has_its_time_is_left_alone(self) -> None:
        stage = Stage()
        stage.apply()
        after = dump_all(stage.host)
        stage.pass_time(18)
        with pytest.raises(Unconfirmed, match="42 s are left"):
            stage.settle()
        assert dump_all(stage.host) == after

    def test_nothing_on_trial_is_nothing_to_settle(self) -> None:
        stage = Stage()
        assert stage.settle() is None
        assert stage.scene.writes() == []

    def test_without_a_watchdog_the_host_goes_back_to_what_it_had_converged_to(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.apply()
        stage.kill_watchdog()
        reverted = stage.settle()
        assert reverted is not None
        assert reverted.reason is Reason.UNWATCHED
        assert dump(stage) == before
        assert is_remembered(stage)
        assert stage.scene.plan().changes == ()

    def test_a_host_that_had_nothing_has_nothing_again(self) -> None:
        scene = Scene()
        stage = Stage(scene, scene.resolved)
        before = dump(stage)
        stage.apply()
        stage.kill_watchdog()
        assert stage.settle() is not None
        assert dump(stage) == before

    @pytest.mark.parametrize("restarted", [False, True])
    def test_a_key_that_was_rotated_meanwhile_does_not_keep_the_host_as_it_is(
        self, *, restarted: bool
    ) -> None:
        """A device goes on with the old one for as long as it has it; as under an agent."""
        stage = Stage()
        before = dump_network(stage)
        stage.apply()
        new = bytes(reversed(PRIVATE))
        stage.host.files[stage.paths.private_key] = (b64encode(new), 0o600)
        stage.scene.vault.put_as(public_half(new), new)
        stage.kill_watchdog()
        if restarted:
            stage.restart()
            stage.host.delete_link(WG)
        assert stage.settle() is not None
        key = public_half(new if restarted else PRIVATE)
        assert stage.host.wireguard(WG).get(WG).public_key == key
        if not restarted:
            assert dump_network(stage) == before
        assert load_applied(stage.host, stage.paths) == stage.scene.resolved

    def test_after_a_restart_the_host_becomes_what_it_was(self) -> None:
        stage = Stage()
        before = dump(stage)
        stage.apply()
        stage.restart()
        reverted = stage.settle()
        assert reverted is not None
        assert reverted.reason is Reason.RESTARTED
        assert dump(stage) == before

    def test_what_cannot_be_taken_back_is_told_and_stays_noted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        stage = Stage()
        stage.apply()
        stage.kill_watchdog()
        del stage.host.files[stage.paths.private_key]
        with pytest.raises(NotGoneBack, match="no private key"):
            stage.settle()
        note = load_note(stage.host, stage.paths)
        assert note is not None
        assert note.trouble

    def test_a_damaged_note_is_no_missing_one(self) -> None:
        stage = Stage()
        stage.host.files[stage.paths.pending] = (b'{"id": "on', 0o600)
        with pytest.raises(Unobservable, match="remove it to go on with the host as it is"):
            stage.settle()

    def test_a_note_of_a_trial_holds_no_secret(self) -> None:
        stage = Stage()
        stage.apply()
        content = stage.host.files[stage.paths.pending][0]
        for secret in stage.scene.vault._secrets.values():
            assert secret not in content
            assert secret.hex().encode() not in content
        assert stage.host.files[stage.paths.pending][1] == 0o600


def from_a_converged_host() -> Stage:
    return Stage()


def from_a_host_without_anything() -> Stage:
    scene = Scene()
    return Stage(scene, scene.resolved)


BEGINNINGS = pytest.mark.parametrize("begin", [from_a_converged_host, from_a_host_without_anything])


def count_steps(stage: Stage, act: Callable[[], object]) -> int:
    begin = stage.host.faults.steps
    act()
    return stage.host.faults.steps - begin


@BEGINNINGS
@pytest.mark.parametrize("watched", [True, False], ids=["by the watchdog", "by the next start"])
def test_killed_after_any_step_the_host_comes_back(
    begin: Callable[[], Stage], *, watched: bool
) -> None:
    """The crash matrix: every step of every door call of the apply, the note's own too."""
    probe = begin()
    steps = count_steps(probe, probe.apply)
    assert steps >= 18
    for step in range(1, steps + 1):
        stage = begin()
        before = dump(stage)
        stage.host.faults.kill_after(step)
        with suppress(Killed):
            stage.apply()
        stage.host.faults.calm()
        stage.applier.alive = False
        if watched and stage.armed is not None:
            assert stage.watch()
        else:
            stage.kill_watchdog()
            stage.settle()
        assert dump(stage) == before, f"killed after step {step}"
        assert load_note(stage.host, stage.paths) is None


@BEGINNINGS
def test_killed_while_it_settles_the_next_one_goes_on(begin: Callable[[], Stage]) -> None:
    probe = begin()
    before = dump(probe)
    probe.apply()
    probe.kill_watchdog()
    steps = count_steps(probe, probe.settle)
    assert steps >= 18
    for step in range(1, steps + 1):
        stage = begin()
        stage.apply()
        stage.kill_watchdog()
        stage.host.faults.kill_after(step)
        with suppress(Killed):
            stage.settle()
        stage.host.faults.calm()
        stage.settle()
        assert dump(stage) == before, f"killed after step {step}"
        reverted = load_reverted(stage.host, stage.paths)
        assert reverted is not None
        assert reverted.digest == digest(stage.changed)


def test_killed_while_it_confirms_the_change_is_kept_or_goes_back() -> None:
    for step in (1, 2, 3, 4):
        stage = Stage()
        before = dump(stage)
        stage.apply()
        stage.host.faults.kill_after(step)
        with suppress(Killed):
            keep(stage.host, paths=stage.paths, moment=stage.moment)
        stage.host.faults.calm()
        kept = load_note(stage.host, stage.paths) is None
        assert stage.watch()
        if kept:
            assert load_applied(stage.host, stage.paths) == CHANGED
        else:
            assert dump(stage) == before, f"killed after step {step}"


class TestWhatIsNotTriedAgain:
    def test_the_state_before_is_healed_without_forgetting_it(self) -> None:
        stage = Stage()
        stage.apply()
        stage.watch()
        stage.host.set_link(BRIDGE, mtu=1300)
        assert stage.scene.converge().result is Result.CONVERGED
        assert is_remembered(stage)

    @pytest.mark.parametrize("confirmed", [True, False])
    def test_a_repair_that_was_taken_back_is_forgotten_once_it_was_made(
        self, *, confirmed: bool
    ) -> None:
        """The state of before, and the one on trial, are the same then."""
        stage = Stage(changed=converged().resolved)
        stage.host.set_link(BRIDGE, mtu=1300)
        stage.apply()
        stage.watch()
        assert load_reverted(stage.host, stage.paths) is not None
        if confirmed:
            stage.apply()
            assert keep(stage.host, paths=stage.paths, moment=stage.moment) is not None
        else:
            assert stage.scene.converge().result is Result.CONVERGED
        assert load_reverted(stage.host, stage.paths) is None

    def test_another_state_that_converged_makes_it_forgotten(self) -> None:
        stage = Stage()
        stage.apply()
        stage.watch()
        stage.scene.resolved = CHANGED
        assert stage.scene.converge().result is Result.CONVERGED
        assert load_reverted(stage.host, stage.paths) is None

    def test_a_second_trial_that_is_confirmed_makes_it_forgotten(self) -> None:
        stage = Stage()
        stage.apply()
        stage.watch()
        stage.apply()
        assert is_remembered(stage)
        assert keep(stage.host, paths=stage.paths, moment=stage.moment) is not None
        assert load_reverted(stage.host, stage.paths) is None

    def test_destroy_forgets_all_of_it(self) -> None:
        stage = Stage()
        stage.apply()
        note = load_note(stage.host, stage.paths)
        stage.watch()
        assert note is not None
        store_note(stage.host, stage.paths, note)
        assert stage.scene.destroy().result is Result.CONVERGED
        assert not {path.name for path in stage.host.files} & {*MEMORY, "applied.json"}
