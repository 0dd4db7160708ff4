"""apply --confirm, confirm, and what the other commands say of a change on trial."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commandline import Wormhole
from msgspec.structs import replace

from applier.fake import FakeHost
from applier.paths import Paths
from applier.pending.note import Note, load_note
from applier.pending.verdict import Moment
from applier.situation import Situation
from applier.vault import Vault
from schemas.validate import violations

pytestmark = pytest.mark.usefixtures("state")
ON_A = ("state", "--host", "node-a")
MOMENT = Moment(boot_id="this boot", now=1000.0, watched=False)
AT = r" at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


class Watchdog:
    """Stands where the process would, and lets the test be the clock."""

    def __init__(self) -> None:
        self.moment = MOMENT
        self.armed: Note | None = None

    def arm(self, before: Situation, note: Note, vault: Vault, paths: Paths) -> None:
        del before, vault, paths
        self.armed = note
        self.moment = replace(self.moment, watched=True)

    def read(self, paths: Paths) -> Moment:
        del paths
        return self.moment

    def die(self) -> None:
        self.moment = replace(self.moment, watched=False)

    def pass_time(self, seconds: float) -> None:
        self.moment = replace(self.moment, now=self.moment.now + seconds)


@pytest.fixture
def watchdog(monkeypatch: pytest.MonkeyPatch) -> Watchdog:
    found = Watchdog()
    monkeypatch.setattr("wormhole.thishost.arm_watchdog", found.arm)
    monkeypatch.setattr("wormhole.thishost.read_moment", found.read)
    return found


@pytest.fixture
def trial(wormhole: Wormhole, watchdog: Watchdog, tmp_path: Path) -> Watchdog:
    """Apply one state for good, and then another MTU on trial; it is in ``state`` from then on."""
    assert wormhole("apply", *ON_A)[0] == 0
    path = tmp_path / "state/hosts/node-a.json"
    path.write_text(path.read_text().replace('"mtu": 1440', '"mtu": 1408'))
    assert wormhole("apply", *ON_A, "--confirm", "60")[0] == 0
    return watchdog


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def mtu(host: FakeHost) -> int:
    return host.network.links["wormhole-br0"].mtu


def test_an_apply_on_trial_says_what_is_to_be_typed_with_the_folders_of_this_host(
    wormhole: Wormhole, watchdog: Watchdog, host: FakeHost
) -> None:
    code, out, err = wormhole("apply", *ON_A, "--confirm", "60")
    assert (code, err) == (0, "")
    folders = host.paths
    assert last_line(out) == (
        f'Confirm within 60 s with "wormhole confirm --data-dir {folders.data} --cni-conf-dir'
        f' {folders.cni} --run-dir {folders.run}", or this host goes back.'
    )
    assert watchdog.armed is not None
    assert watchdog.armed.previous is None


@pytest.mark.parametrize("seconds", ["0", "-5", "86401", "1.5", "soon", "٣"])
def test_a_time_that_makes_no_sense_is_refused(wormhole: Wormhole, seconds: str) -> None:
    code, out, err = wormhole("apply", *ON_A, f"--confirm={seconds}")
    assert (code, out) == (2, "")
    assert f"argument --confirm: {seconds!r} is no whole number from 1 to 86400" in err


def test_a_change_that_is_confirmed_stays(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    assert mtu(host) == 1408
    code, out, err = wormhole("confirm")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"Confirmed: node-a keeps sha256:[0-9a-f]{12}\.\n", out)
    assert load_note(host, host.paths) is None
    trial.die()
    assert wormhole("plan", *ON_A)[0] == 0
    nothing = "wormhole: no change waits to be confirmed on this host\n"
    assert wormhole("confirm") == (2, "", nothing)
    assert wormhole("confirm", "--revert")[0] == 2


def test_others_wait_until_it_is_decided(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost, tmp_path: Path
) -> None:
    path = tmp_path / "state/hosts/node-a.json"
    path.write_text(path.read_text().replace('"mtu": 1408', '"mtu": 1392'))
    trial.pass_time(18)
    host.faults.writes.clear()
    for command in (("apply", *ON_A), ("apply", *ON_A, "--confirm", "9"), ("destroy",)):
        code, out, err = wormhole(*command)
        assert (code, out) == (75, "")
        assert re.fullmatch(
            r"wormhole: a change is on trial on this host: wait for sha256:[0-9a-f]{12}:"
            r" 42 s are left\n"
            r"nothing was changed: 'wormhole confirm' keeps it, 'wormhole confirm --revert' takes"
            r" it back\n",
            err,
        )
    assert host.faults.writes == []


def test_the_same_state_once_more_changes_neither_the_host_nor_the_time(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    trial.pass_time(18)
    host.faults.writes.clear()
    code, out, err = wormhole("apply", *ON_A, "--confirm", "60")
    assert (code, err) == (0, "")
    assert re.fullmatch(
        r"No changes: sha256:[0-9a-f]{12} is on trial: 42 s are left for 'wormhole confirm'\.\n",
        out,
    )
    assert host.faults.writes == []


def test_while_the_host_is_going_back_nobody_is_told_that_it_may_stay(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    trial.pass_time(61)
    host.faults.writes.clear()
    for command in (("apply", *ON_A), ("destroy",)):
        code, out, err = wormhole(*command)
        assert (code, out) == (75, "")
        assert re.fullmatch(
            r"wormhole: a change on this host is being taken back: wait for sha256:[0-9a-f]{12}:"
            r" its time is over\n"
            r"nothing was changed: run this again in a minute\n",
            err,
        )
    assert host.faults.writes == []
    code, out, err = wormhole("confirm", "--settle")
    assert (code, err) == (0, "")
    assert out.startswith("Left alone: its watchdog takes it back: wait for sha256:")


def test_an_apply_that_took_longer_than_its_time_is_no_success(
    wormhole: Wormhole, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def arm_late(*arguments: object) -> None:
        watchdog.arm(*arguments)  # type: ignore[arg-type] # handed on as they came
        watchdog.pass_time(61)

    monkeypatch.setattr("wormhole.thishost.arm_watchdog", arm_late)  # a slow host
    code, out, err = wormhole("apply", *ON_A, "--confirm", "60")
    assert code == 6
    assert "Confirm within" not in out
    assert err == (
        "wormhole: the time was over before the apply was done: this host goes back; --again, with"
        " more seconds, tries it once more\n"
    )


def test_the_time_that_planning_takes_does_not_count(
    wormhole: Wormhole, watchdog: Watchdog, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = host.links

    def look_slowly() -> object:
        watchdog.pass_time(5)
        return links()

    with monkeypatch.context() as patched:
        patched.setattr(host, "links", look_slowly)
        patched.setattr("wormhole.thishost.arm_watchdog", watchdog.arm)
        assert wormhole("apply", *ON_A, "--confirm", "86400")[0] == 0
    assert watchdog.armed is not None
    note = load_note(host, host.paths)
    assert note is not None
    assert note.deadline - 86400 >= MOMENT.now + 5


def test_what_was_left_behind_goes_first_and_is_not_tried_again(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    trial.die()
    code, out, err = wormhole("apply", *ON_A)
    assert code == 5
    assert out == (
        "Refused: this state was taken back, and has not changed since; nothing was changed.\n"
    )
    reason = "its watchdog was ended before anybody confirmed it"
    said = rf"wormhole: sha256:[0-9a-f]{{12}} was taken back{AT}: {reason}\n"
    assert re.fullmatch(said + "--again tries it all the same\n", err)
    assert mtu(host) == 1440

    assert wormhole("apply", *ON_A) == (5, out, err)
    code, planned, err = wormhole("plan", *ON_A)
    assert code == 1
    assert re.fullmatch(
        rf"note: sha256:[0-9a-f]{{12}} was taken back{AT}: {reason}; apply refuses it without"
        r" --again\n",
        err,
    )
    code, again, err = wormhole("apply", *ON_A, "--again")
    assert (code, err) == (0, "")
    assert again.startswith(planned)
    assert mtu(host) == 1408
    assert wormhole("plan", *ON_A)[2] == ""


def test_another_state_is_applied_after_what_was_left_behind(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost, tmp_path: Path
) -> None:
    trial.die()
    path = tmp_path / "state/hosts/node-a.json"
    path.write_text(path.read_text().replace('"mtu": 1408', '"mtu": 1392'))
    code, _, err = wormhole("apply", *ON_A)
    assert code == 0
    assert " was taken back at " in err
    assert mtu(host) == 1392
    assert wormhole("confirm")[0] == 2


def test_who_confirms_too_late_is_told_so(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    trial.pass_time(60)
    assert wormhole("confirm") == (6, "Too late: the change is taken back.\n", "")
    assert mtu(host) == 1408  # the watchdog is about to go back, and knows better how

    trial.die()
    code, out, err = wormhole("confirm")
    assert (code, out) == (6, "Too late: the change is taken back.\n")
    assert re.fullmatch(
        rf"wormhole: sha256:[0-9a-f]{{12}} was taken back{AT}: nobody confirmed it in time\n", err
    )
    assert mtu(host) == 1440

    code, out, err = wormhole("confirm")
    assert (code, err) == (6, "")
    assert re.fullmatch(
        rf"Too late: sha256:[0-9a-f]{{12}} was taken back{AT}: nobody confirmed it in time\.\n", out
    )


def test_a_change_is_taken_back_on_request_although_its_watchdog_is_gone(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    trial.die()
    code, out, _ = wormhole("confirm", "--revert")
    assert code == 0
    assert re.fullmatch(
        rf"Taken back: sha256:[0-9a-f]{{12}} was taken back{AT}: somebody took it back\.\n", out
    )
    assert mtu(host) == 1440


def test_who_takes_back_what_went_back_by_itself_has_what_he_wanted(
    wormhole: Wormhole, trial: Watchdog
) -> None:
    trial.pass_time(60)
    trial.die()
    wormhole("confirm", "--settle")
    code, out, err = wormhole("confirm", "--revert")
    assert (code, err) == (0, "")
    reason = "nobody confirmed it in time"
    assert re.fullmatch(
        rf"Nothing is left to take back: sha256:[0-9a-f]{{12}} was taken back{AT}: {reason}\.\n",
        out,
    )


def test_a_watchdog_that_does_not_go_back_is_told_of(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    del trial
    monkeypatch.setattr("wormhole.commands.confirm._BACK_PATIENCE", 0.2)
    host.files[host.paths.watchdog_lock] = (b"76 wormhole-watchdog", 0o600)
    expected = (
        "wormhole: could not go back yet: its watchdog does not get on; 'kill -KILL 76', and this"
        f" once more, does without it ({host.paths.watchdog_log} tells more)\n"
    )
    assert wormhole("confirm", "--revert") == (7, "", expected)


def test_settling_takes_back_what_was_left_and_leaves_alone_what_has_its_time(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    code, out, err = wormhole("confirm", "--settle")
    assert (code, err) == (0, "")
    assert out.startswith("Left alone: a change on trial has its time: wait for sha256:")
    assert mtu(host) == 1408

    trial.moment = Moment(boot_id="the next boot", now=9.0, watched=False)
    code, out, err = wormhole("confirm", "--settle")
    assert (code, out) == (0, "Settled: no change is on trial on this host.\n")
    assert err.endswith(": the host restarted before anybody confirmed it\n")
    assert mtu(host) == 1440
    assert wormhole("confirm", "--settle") == (0, out, "")


def test_destroy_takes_along_what_was_left_behind(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost
) -> None:
    trial.die()
    assert wormhole("destroy")[0] == 0
    assert {path.name for path in host.files} == {"private.key"}


def test_the_status_tells_of_it(wormhole: Wormhole, trial: Watchdog) -> None:
    trial.pass_time(18)
    code, out, _ = wormhole("status")
    assert code == 0
    assert re.search(r"^on trial: sha256:[0-9a-f]{12}, 42 s left to confirm it$", out, re.MULTILINE)
    assert last_line(out).endswith("; no drift.")
    code, out, _ = wormhole("status", "--json")
    document = json.loads(out)
    assert violations(document, "status") == ()
    pending = document["pending"]
    assert (pending["secondsLeft"], pending["applied"], pending["watched"]) == (42, True, True)
    assert document["reverted"] is None

    trial.die()
    assert "on trial: its watchdog is gone: the next apply takes it back\n" in wormhole("status")[1]
    wormhole("confirm", "--settle")
    code, out, _ = wormhole("status")
    assert re.search(rf"^sha256:[0-9a-f]{{12}} was taken back{AT}: ", out, re.MULTILINE)
    document = json.loads(wormhole("status", "--json")[1])
    assert violations(document, "status") == ()
    assert document["pending"] is None
    assert document["reverted"]["digest"] == pending["digest"]


def test_a_plan_tells_of_it(wormhole: Wormhole, trial: Watchdog) -> None:
    del trial
    code, _, err = wormhole("plan", *ON_A)
    assert code == 0
    assert re.fullmatch(
        r"note: sha256:[0-9a-f]{12} is on trial: 60 s are left for 'wormhole confirm'\n", err
    )


def test_what_could_not_be_taken_back_ends_with_7_and_nothing_else_is_done(
    wormhole: Wormhole, trial: Watchdog, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("wormhole.thishost.hold_lock", lambda *_: _nothing())
    trial.die()

    def refuse(*_: object, **__: object) -> None:
        from applier.errors import HostError  # noqa: PLC0415 - only here

        raise HostError("set link", "wormhole-br0", "Invalid argument", 22)

    monkeypatch.setattr(host, "set_link", refuse)
    code, out, err = wormhole("apply", *ON_A)
    assert (code, out) == (7, "")
    assert err.startswith("wormhole: go back to the state before: revert: link wormhole-")
    assert err.endswith("nothing else was done: the next run tries this again first\n")


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_a_saved_plan_is_applied_on_trial_too(
    wormhole: Wormhole, watchdog: Watchdog, host: FakeHost
) -> None:
    assert wormhole("plan", *ON_A, "--out", "saved.json")[0] == 1
    code, out, _ = wormhole("apply", "saved.json", "--confirm", "60")
    assert code == 0
    assert last_line(out).startswith('Confirm within 60 s with "wormhole confirm ')
    assert watchdog.armed is not None
    assert wormhole("confirm")[0] == 0
    assert load_note(host, host.paths) is None
