"""A process that outlives whoever started it, on this machine's own kernel; needs no rights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from trials import Stage

from applier.errors import Unobservable
from applier.linux import guard, moment
from applier.linux.lock import hold, is_held
from applier.linux.moment import read_moment
from applier.paths import Paths

ROOT = Path(__file__).parents[3]
BEGIN = """
import json, os, signal, sys, time
from pathlib import Path
from applier.linux.detach import detach
from applier.linux.lock import hold, is_held
folder = Path(sys.argv[1])
log = folder / "log"

def tell(**facts):
    (folder / "new").write_text(json.dumps(facts))
    (folder / "new").rename(folder / "facts")

def wait_for(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
"""


def start(folder: Path, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + script, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_facts(folder: Path, seconds: float = 10) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while not (folder / "facts").exists():
        assert time.monotonic() < until, (folder / "log").read_text()
        time.sleep(0.02)
    facts: dict[str, Any] = json.loads((folder / "facts").read_text())
    return facts


def test_it_has_nothing_of_who_started_it_but_memory(tmp_path: Path) -> None:
    script = """
secret = "in memory"
def work(detached):
    detached.tell_ready()
    print("to the log", flush=True)
    wait_for(lambda: not detached.runs())
    files = {os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{n}")}
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    tell(secret=secret, runs=detached.runs(), session=os.getsid(0), pid=os.getpid(),
         cwd=os.getcwd(), terminal=int(stat[4]), files=sorted(files),
         locked=is_held(folder / "lock"))
with hold(folder / "lock"), open(folder / "open", "w") as kept:
    os.set_inheritable(kept.fileno(), True)
    detach(work, "a watchdog", log)
    print(is_held(folder / "lock"))
"""
    process = start(tmp_path, script)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "True\n", "")

    facts = read_facts(tmp_path)
    assert facts.pop("session") not in {facts.pop("pid"), process.pid}
    files = [name for name in facts.pop("files") if not name.startswith(("anon_inode:", "/proc/"))]
    assert files == ["/dev/null", str(tmp_path / "log")]
    assert facts == {
        "secret": "in memory",
        "runs": False,
        "cwd": "/",
        "terminal": 0,
        "locked": False,
    }
    assert (tmp_path / "log").read_text() == "to the log\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
def test_the_end_of_the_whole_group_is_not_its_own(tmp_path: Path, number: signal.Signals) -> None:
    script = """
def work(detached):
    alive = detached.runs()
    detached.tell_ready()
    wait_for(lambda: not detached.runs())
    time.sleep(0.3)
    tell(before=alive, after=detached.runs())
detach(work, "a watchdog", log)
print("ready", flush=True)
time.sleep(60)
"""
    process = start(tmp_path, script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, number)
    process.communicate(timeout=10)
    assert read_facts(tmp_path) == {"before": True, "after": False}


def test_it_goes_by_its_own_name(tmp_path: Path) -> None:
    script = """
def work(detached):
    detached.tell_ready()
    with hold(folder / "lock"):
        tell(holder=(folder / "lock").read_text().partition(" ")[2],
             name=Path("/proc/self/comm").read_text())
detach(work, "wormhole-watchdog", log)
"""
    start(tmp_path, script).communicate(timeout=20)
    assert read_facts(tmp_path) == {"holder": "wormhole-watchdog", "name": "wormhole-watchd\n"}


def test_a_process_that_is_stopped_can_be_ended(tmp_path: Path) -> None:
    script = """
def work(detached):
    detached.tell_ready()
    wait_for((folder / "stopped").exists)
    detached.kill()
    wait_for(lambda: not detached.runs())
    detached.kill()
    tell(runs=detached.runs())
detach(work, "a watchdog", log)
os.kill(os.getpid(), signal.SIGSTOP)
"""
    process = start(tmp_path, script)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    (tmp_path / "stopped").touch()
    assert process.wait(10) == -signal.SIGKILL
    process.communicate(timeout=10)
    assert read_facts(tmp_path) == {"runs": False}


def test_sigterm_dismisses_it_and_the_hangup_does_not(tmp_path: Path) -> None:
    script = """
def work(detached):
    detached.tell_ready()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTSTP, signal.SIGPIPE):
        os.kill(os.getpid(), number)
    before = detached.is_dismissed()
    os.kill(os.getpid(), signal.SIGTERM)
    tell(before=before, after=detached.is_dismissed())
detach(work, "a watchdog", log)
"""
    start(tmp_path, script).communicate(timeout=20)
    assert read_facts(tmp_path) == {"before": False, "after": True}


def test_one_that_does_not_get_ready_is_told_and_the_log_says_why(tmp_path: Path) -> None:
    script = """
from applier.errors import HostError
def work(detached):
    raise ValueError("no use")
try:
    detach(work, "a watchdog", log)
except HostError as error:
    print(error)
"""
    out, err = start(tmp_path, script).communicate(timeout=20)
    said = f"start a watchdog: it did not get ready: see {tmp_path / 'log'}\n"
    assert (out, err) == (said, "")
    assert (tmp_path / "log").read_text().endswith("ValueError: no use\n")


@pytest.mark.parametrize("end", ["raise ValueError", "print('done')"], ids=["failed", "done"])
def test_with_a_log_that_takes_nothing_it_ends_where_it_is(tmp_path: Path, end: str) -> None:
    """What is above it on the stack belongs to whoever started it: it would end a trial."""
    script = f"""
def work(detached):
    detached.tell_ready()
    (folder / "worked").touch()
    {end}
try:
    detach(work, "a watchdog", Path("/dev/full"))
finally:
    with open(folder / "returned", "a") as returned:
        print("here", file=returned)
wait_for((folder / "worked").exists)
time.sleep(0.3)
"""
    assert start(tmp_path, script).communicate(timeout=20) == ("", "")
    assert (tmp_path / "worked").exists()
    assert (tmp_path / "returned").read_text() == "here\n"


def test_who_started_it_may_ignore_the_end_of_its_children(tmp_path: Path) -> None:
    script = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
def work(detached):
    detached.tell_ready()
    tell(pid=os.getpid())
detach(work, "a watchdog", log)
"""
    assert start(tmp_path, script).communicate(timeout=20) == ("", "")
    assert read_facts(tmp_path)["pid"]


def test_a_fact_about_the_host_that_hinders_it_is_told_at_once(tmp_path: Path) -> None:
    script = """
from applier.errors import HostError
def work(detached):
    raise HostError("lock", "it", "held by process 7")
try:
    detach(work, "a watchdog", log)
except HostError as error:
    print(error)
"""
    out, err = start(tmp_path, script).communicate(timeout=20)
    assert (out, err) == ("start a watchdog: lock it: held by process 7\n", "")
    assert (tmp_path / "log").read_text() == "lock it: held by process 7\n"


def test_a_long_log_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x" * 70_000)
    script = """
def work(detached):
    detached.tell_ready()
    tell()
detach(work, "a watchdog", log)
"""
    start(tmp_path, script).communicate(timeout=20)
    read_facts(tmp_path)
    assert (tmp_path / "log").stat().st_size == 0


FAKE_BUSCTL = """#!/bin/sh
printf '%s ' "$@" >{folder}/asked
[ {code} = 0 ] || echo "Access denied" >&2
exit {code}
"""


@pytest.mark.parametrize(
    ("code", "said"), [(0, "no answer"), (1, "Access denied")], ids=["asked", "refused"]
)
def test_systemd_is_asked_for_a_scope_and_its_silence_is_told(
    tmp_path: Path, code: int, said: str
) -> None:
    program = tmp_path / "busctl"
    program.write_text(FAKE_BUSCTL.format(folder=tmp_path, code=code))
    program.chmod(0o755)
    script = """
from applier.linux import detach as module
module._SYSTEMD = folder
module._SCOPE_PATIENCE = 0.2
os.environ["PATH"] = f"{folder}:" + os.environ["PATH"]
def work(detached):
    detached.tell_ready()
    tell(pid=os.getpid())
detach(work, "a-watchdog", log)
"""
    start(tmp_path, script).communicate(timeout=20)
    pid = read_facts(tmp_path)["pid"]
    asked = (tmp_path / "asked").read_text()
    assert f" StartTransientUnit ssa(sv)a(sa(sv)) a-watchdog-{pid}.scope fail 2 " in asked
    assert f" PIDs au 1 {pid} " in asked
    expected = f"stays in the control group of its session: {said}\n"
    assert (tmp_path / "log").read_text() == expected


class TestTheMoment:
    def test_it_knows_the_boot_and_its_clock_and_whether_a_watchdog_lives(
        self, tmp_path: Path
    ) -> None:
        paths = Paths(run=tmp_path)
        first = read_moment(paths)
        assert first.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert not first.watched
        with hold(paths.watchdog_lock):
            second = read_moment(paths)
        assert second.watched
        assert first.now <= second.now <= time.clock_gettime(time.CLOCK_BOOTTIME)
        assert not read_moment(paths).watched

    def test_two_who_look_at_once_do_not_see_each_other(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        assert not is_held(path)
        with hold(path):
            assert is_held(path)
        assert not is_held(path)

    def test_a_kernel_that_does_not_tell_is_no_new_boot(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(moment, "_BOOT_ID", tmp_path / "none")
        with pytest.raises(Unobservable, match="No such file"):
            read_moment(Paths(run=tmp_path))

    def test_of_the_watchdog_it_needs_nothing_that_can_fail(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stage = Stage()
        stage.apply()
        assert stage.armed is not None
        _, note = stage.armed
        monkeypatch.setattr(moment, "_BOOT_ID", tmp_path / "none")
        found = guard._moment_of(note)
        assert (found.boot_id, found.watched) == (note.boot_id, True)
        assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - found.now < 5
