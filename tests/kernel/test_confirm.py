"""A change that cuts its operator off is taken back by the host itself, whatever becomes of him."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.agent import Agent
from lab.dumps import differences, snapshot
from lab.mesh import Mesh
from lab.network import Lab
from lab.probes import ping
from lab.reboot import reboot
from lab.trial import Session, await_file, compile_cut, slow_down, watchdogs
from lab.waiting import wait_until

pytestmark = pytest.mark.kernel

NOTE = "/var/lib/wormhole/pending.json"
SERVICE = Path(__file__).parents[2] / "deploy/systemd/wormhole-settle.service"
LOG = "/var/lib/wormhole/watchdog.log"


def made_anew(sections: dict[str, str]) -> dict[str, str]:
    """Leave out what the kernel gives anew to a link that is made anew."""
    number = r"^\d+(?=: wormhole-)"
    local = r"^.*fe80::\w.*(?:stable-privacy|dev wormhole-wg0).*\n"  # drawn by lot, and sorted so
    pattern = re.compile(f"{local}|{number}", re.MULTILINE)
    return {name: pattern.sub("", text) for name, text in sections.items()}


def boot_command() -> list[str]:
    """Return what the service that is shipped runs at boot."""
    lines = SERVICE.read_text().splitlines()
    [command] = (line for line in lines if line.startswith("ExecStart=wormhole "))
    return command.split()[1:]


class Scene:
    """A host that has converged, its operator, and a state that cuts him off."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.mesh = Mesh(folder)
        self.host, self.operator = lab.add_host("node-a"), lab.add_host("node-b")
        for number, host in enumerate(lab.hosts.values()):
            self.mesh.join(host, [f"10.244.{number}.0/24", f"fd00:244:0:{number}::/64"])
        self.mesh.compile(self.host)
        for host in lab.hosts.values():
            self.mesh.apply(host)
        self.cut = compile_cut(self.mesh, self.host, self.operator)
        assert self.is_reached()
        self.before = snapshot(self.host)

    def is_reached(self) -> bool:
        """Whether the operator reaches the host: on the wire, and through the tunnel."""
        targets = (self.host.ipv4, self.host.ipv6, "10.244.0.1")
        return all(ping(self.operator, target, patience=0.3) for target in targets)

    def is_cut(self) -> bool:
        targets = (self.host.ipv4, self.host.ipv6, "10.244.0.1")
        return not any(ping(self.operator, target, patience=0.2) for target in targets)

    def arguments(self, seconds: int) -> tuple[str, ...]:
        return ("apply", str(self.cut), "--host", "node-a", "--confirm", str(seconds))

    def await_return(self, patience: float) -> float:
        """Wait until the host is as it was; return how many seconds that took."""
        took = wait_until(lambda: self.host.sh(f"test ! -e {NOTE} || echo pending"), patience)
        self.check_return()
        return took

    def check_return(self) -> None:
        assert differences(self.before, snapshot(self.host)) == ""
        self.check_state()

    def check_state(self) -> None:
        assert self.is_reached()
        assert self.mesh.plan(self.host).code == 0
        assert watchdogs(self.host) == 0

    def log(self) -> str:
        return self.host.sh(f"cat {LOG}")


@pytest.fixture
def scene(laboratory: type[Lab], tmp_path: Path) -> Iterator[Scene]:
    with laboratory() as lab:
        yield Scene(lab, tmp_path)


def test_the_host_comes_back_by_itself_and_does_not_try_that_again(
    scene: Scene, tmp_path: Path
) -> None:
    session = Session(scene.operator, scene.host, "10.244.0.1", tmp_path / "session")
    said = scene.host.wormhole(*scene.arguments(4), expect=0).stdout
    assert said.splitlines()[-1].startswith("Confirm within ")
    assert said.splitlines()[-1].endswith('s with "wormhole confirm", or this host goes back.')
    assert scene.is_cut()
    assert watchdogs(scene.host) == 1

    scene.await_return(10)

    assert 2 < session.end() < 12
    assert "going back: nobody confirmed it in time\n" in scene.log()
    assert "the host is as it was before\n" in scene.log()
    late = scene.host.wormhole("confirm", expect=6)
    assert late.stdout.endswith(": nobody confirmed it in time.\n")
    again = scene.host.wormhole("apply", str(scene.cut), "--host", "node-a", expect=5)
    assert "--again tries it all the same" in again.stderr
    assert scene.is_reached()


def test_a_change_that_is_confirmed_in_time_stays(scene: Scene) -> None:
    scene.host.wormhole(*scene.arguments(3), expect=0)
    kept = scene.host.wormhole("confirm", expect=0)
    assert kept.stdout.startswith("Confirmed: node-a keeps sha256:")
    time.sleep(4)
    assert scene.is_cut()
    assert watchdogs(scene.host) == 0
    assert scene.host.wormhole("plan", str(scene.cut), "--host", "node-a").code == 0
    assert scene.host.wormhole("confirm", expect=2).stdout == ""


@pytest.mark.parametrize(
    ("number", "whole"),
    [
        (signal.SIGKILL, False),
        (signal.SIGHUP, False),
        (signal.SIGKILL, True),
        (signal.SIGHUP, True),
    ],
    ids=["SIGKILL", "SIGHUP", "SIGKILL to its group", "SIGHUP to its group"],
)
def test_an_apply_that_is_killed_half_way_is_taken_back_at_once(
    scene: Scene, number: signal.Signals, *, whole: bool
) -> None:
    reached = slow_down(scene.host)
    command = scene.host.wormhole_command(*scene.arguments(60))
    apply = scene.host.spawn("setsid", "--wait", *command)
    await_file(scene.host, reached)
    assert scene.is_cut()

    pid = scene.host.sh("cut -d' ' -f1 /run/wormhole/lock").strip()
    group = scene.host.sh(f"ps -o pgid= -p {pid}").strip()
    scene.host.run("kill", f"-{number.value}", "--", f"-{group}" if whole else pid)

    assert scene.await_return(8) < 8
    assert "going back: its apply was ended before it was done\n" in scene.log()
    apply.stop()


def test_an_apply_that_is_stopped_does_not_keep_the_host_from_going_back(scene: Scene) -> None:
    reached = slow_down(scene.host)
    command = scene.host.wormhole_command(*scene.arguments(3))
    apply = scene.host.spawn("setsid", "--wait", *command)
    await_file(scene.host, reached)
    pid = scene.host.sh("cut -d' ' -f1 /run/wormhole/lock").strip()
    scene.host.sh(f"kill -STOP {pid}")
    assert scene.is_cut()

    scene.await_return(15)

    assert "the apply does not end: it is killed\n" in scene.log()
    apply.stop()


def test_the_end_of_the_terminal_and_of_all_in_its_session_ends_no_watchdog(scene: Scene) -> None:
    command = " ".join(scene.host.wormhole_command(*scene.arguments(4)))
    script = f"echo $$ >/var/lib/shell; {command}; sleep 60"
    terminal = scene.host.spawn("script", "-qec", script, "/dev/null")
    wait_until(lambda: "" if scene.is_cut() else "still reached", 20)
    # Its first process takes the others with it (SIGHUP), maybe before their own turn comes.
    scene.host.sh("kill -KILL $(ps -o pid= -s $(cat /var/lib/shell)) || true")
    terminal.wait(5)
    assert scene.host.sh("ps -o pid= -s $(cat /var/lib/shell) || true") == ""
    assert scene.is_cut()

    scene.await_return(10)


def test_after_a_restart_of_everything_the_service_at_boot_takes_the_change_back(
    scene: Scene,
) -> None:
    scene.host.wormhole(*scene.arguments(600), expect=0)
    reboot(scene.host)

    said = scene.host.wormhole(*boot_command(), expect=0)

    assert said.stdout == "Settled: no change is on trial on this host.\n"
    assert ping(scene.host, "10.244.1.1", patience=5)  # the operator's session is of another life
    scene.check_state()
    assert differences(made_anew(scene.before), made_anew(snapshot(scene.host))) == ""


def test_a_watchdog_that_was_killed_is_replaced_by_the_next_apply(scene: Scene) -> None:
    scene.host.wormhole(*scene.arguments(600), expect=0)
    scene.host.sh("kill -KILL $(cut -d' ' -f1 /run/wormhole/watchdog.lock)")
    assert scene.is_cut()

    again = scene.host.wormhole("apply", str(scene.cut), "--host", "node-a", expect=5)

    assert "its watchdog was ended before anybody confirmed it" in again.stderr
    scene.check_return()


def test_a_change_is_taken_back_by_hand(scene: Scene) -> None:
    scene.host.wormhole(*scene.arguments(600), expect=0)
    assert scene.is_cut()
    back = scene.host.wormhole("confirm", "--revert", expect=0)
    assert back.stdout.endswith(": somebody took it back.\n")
    scene.await_return(5)


def test_a_disk_without_room_does_not_keep_the_host_from_going_back(scene: Scene) -> None:
    folder = str(Path(NOTE).parent)
    scene.host.sh(f"cp -a {folder} /var/lib/kept; mount -t tmpfs -o size=128k tmpfs {folder}")
    scene.host.sh(f"cp -a /var/lib/kept/. {folder}")
    scene.host.wormhole(*scene.arguments(4), expect=0)
    fill = f"for file in {folder}/fill {LOG}; do cat /dev/zero >>$file 2>/dev/null || true; done"
    scene.host.sh(fill)
    assert scene.is_cut()

    wait_until(lambda: "" if scene.is_reached() else "still cut", 10)
    assert scene.host.sh(f"ls {NOTE}")  # it has to be remembered what not to try again
    scene.host.sh(f"rm {folder}/fill")

    scene.await_return(20)


def test_an_agent_takes_back_what_a_restart_left_and_goes_on_when_its_folder_changes(
    scene: Scene, tmp_path: Path
) -> None:
    scene.host.wormhole(*scene.arguments(600), expect=0)
    reboot(scene.host)
    folder = ("--from", str(scene.cut), "--node", "node-a")
    agent = Agent(scene.host, tmp_path / "agent.log", *folder)

    agent.start()
    wait_until(lambda: "" if "it is not tried again until" in agent.said() else agent.said(), 20)
    assert ping(scene.host, "10.244.1.1", patience=5)
    scene.check_state()
    scene.host.sh("ip link set wormhole-wg0 mtu 1300")
    wait_until(lambda: "" if scene.mesh.plan(scene.host).code == 0 else "not mended", 20)

    compile_cut(scene.mesh, scene.host, scene.operator, comment="meant")
    wait_until(lambda: "" if scene.is_cut() else agent.said(), 20)
    agent.stop()


def test_an_agent_leaves_a_change_to_its_operator_until_it_is_decided(
    scene: Scene, tmp_path: Path
) -> None:
    folder = ("--from", str(scene.mesh.state), "--node", "node-a")
    agent = Agent(scene.host, tmp_path / "agent.log", *folder)
    agent.start()
    wait_until(lambda: "" if "started" in agent.said() else agent.said(), 20)

    scene.host.wormhole(*scene.arguments(6), expect=0)
    scene.host.sh("ip link set wormhole-wg0 mtu 1300")  # wakes the agent
    wait_until(lambda: "" if "is on trial" in agent.said() else agent.said(), 5)
    assert scene.is_cut()

    wait_until(lambda: scene.host.sh(f"test ! -e {NOTE} || echo pending"), 15)
    wait_until(lambda: "" if "over: a change" in agent.said() else agent.said(), 10)
    agent.stop()
    scene.check_return()


def test_after_a_restart_in_the_middle_of_an_apply_the_service_takes_back_what_was_done(
    scene: Scene,
) -> None:
    reached = slow_down(scene.host)
    apply = scene.host.spawn(*scene.host.wormhole_command(*scene.arguments(600)))
    await_file(scene.host, reached)
    assert scene.is_cut()
    reboot(scene.host)
    apply.stop()

    scene.host.wormhole(*boot_command(), expect=0)

    assert ping(scene.host, "10.244.1.1", patience=5)
    scene.check_state()
    refused = scene.host.wormhole("apply", str(scene.cut), "--host", "node-a", expect=5)
    assert ": its apply was ended before it was done\n" in refused.stderr
