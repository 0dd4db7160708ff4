"""The process behind a userspace device: how it starts, dies, hangs, and what is left of it."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from applier.errors import Exists, HostError, Missing, Unobservable, Unsupported
from applier.host import DeviceUpdate, PeerUpdate
from applier.linux.wireguard import links, process, userspace
from applier.linux.wireguard.choice import WireGuardDoors
from applier.linux.wireguard.kernel import KernelWireGuard
from applier.linux.wireguard.keys import key_text
from applier.linux.wireguard.userspace import UserspaceWireGuard
from applier.vault import Vault
from tests.applier.wireguard.conftest import GROUP, NAME, group_of_link, skip_if
from tests.applier.wireguard.namespace import own_namespaces, processes_here, why_not

SOCKET = Path("/var/run/wireguard") / f"{NAME}.sock"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def door(vault: Vault, run_dir: Path) -> Iterator[UserspaceWireGuard]:
    skip_if(why_not("wireguard-go"))
    with own_namespaces():
        yield UserspaceWireGuard(vault, run_dir)


def kill_processes() -> None:
    for pid in processes_here("wireguard-go"):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while links.link_index(NAME) and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.kernel
def test_a_killed_process_is_a_missing_device_and_can_be_started_again(
    door: UserspaceWireGuard,
) -> None:
    door.create(NAME, GROUP)
    kill_processes()
    assert SOCKET.exists()
    with pytest.raises(Missing) as caught:
        door.get(NAME)
    assert str(caught.value) == (f"read WireGuard device {NAME}: its process is gone (code 111)")
    door.create(NAME, GROUP)
    assert door.get(NAME).peers == ()


@pytest.mark.kernel
def test_what_a_killed_process_left_is_deleted(door: UserspaceWireGuard) -> None:
    door.create(NAME, GROUP)
    kill_processes()
    door.delete(NAME)
    assert not SOCKET.exists()
    with pytest.raises(Missing):
        door.delete(NAME)


@pytest.mark.kernel
def test_deleting_the_device_ends_its_process(door: UserspaceWireGuard) -> None:
    door.create(NAME, GROUP)
    assert len(processes_here("wireguard-go")) == 1
    door.delete(NAME)
    assert not SOCKET.exists()
    deadline = time.monotonic() + 5
    while processes_here("wireguard-go") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert processes_here("wireguard-go") == []


@pytest.mark.kernel
def test_the_process_outlives_its_starter_and_holds_nothing_of_it(
    door: UserspaceWireGuard, run_dir: Path
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from applier.vault import Vault\n"
        "from applier.linux.wireguard.userspace import UserspaceWireGuard\n"
        "UserspaceWireGuard(Vault(b's'), Path(sys.argv[1])).create(sys.argv[2], 9806)\n"
    )
    command = [sys.executable, "-c", script, str(run_dir), NAME]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "LOG_LEVEL": "debug"}
    # The pipes' end is awaited: a process that held one would make this time out.
    subprocess.run(command, env=environment, capture_output=True, timeout=20, check=True)
    (pid,) = processes_here("wireguard-go")
    assert os.getsid(pid) != os.getsid(0)
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    streams = {Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)}
    assert streams == {Path("/dev/null")}
    assert door.get(NAME).peers == ()


@pytest.mark.kernel
def test_the_note_of_a_start_is_gone_once_the_group_is_set(
    door: UserspaceWireGuard, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = run_dir / f"{NAME}.starting"
    seen = []

    def start(name: str, path: Path) -> None:
        seen.append(note.exists())
        real_start(name, path)

    real_start = process.start
    monkeypatch.setattr(process, "start", start)
    door.create(NAME, GROUP)
    assert (seen, note.exists(), group_of_link(NAME)) == ([True], False, GROUP)


@pytest.mark.kernel
def test_the_note_stays_with_a_device_that_got_no_group(
    door: UserspaceWireGuard, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, _: int) -> None:
        raise HostError("set group of link", name, "somebody pulled the plug")

    monkeypatch.setattr(links, "set_group", fail)
    with pytest.raises(HostError):
        door.create(NAME, GROUP)
    assert (run_dir / f"{NAME}.starting").exists()
    assert links.link_index(NAME)
    door.delete(NAME)
    assert not (run_dir / f"{NAME}.starting").exists()


@pytest.mark.kernel
def test_a_process_that_cannot_start_says_why_and_leaves_nothing(
    door: UserspaceWireGuard, run_dir: Path
) -> None:
    with pytest.raises(HostError) as caught:
        door.create("no/such/name", GROUP)
    assert caught.value.operation in {"start", "create WireGuard device"}
    assert not list(run_dir.rglob("*.starting"))


@pytest.mark.kernel
def test_a_foreign_link_of_the_name_is_left_alone(door: UserspaceWireGuard) -> None:
    subprocess.run(["ip", "tuntap", "add", NAME, "mode", "tun"], check=True)
    with pytest.raises(Exists) as caught:
        door.create(NAME, GROUP)
    assert str(caught.value) == (f"create WireGuard device {NAME}: a link of that name is there")
    assert group_of_link(NAME) == 0


def test_without_the_program_userspace_is_unsupported(
    vault: Vault, run_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process, "find_program", lambda _name: None)
    with pytest.raises(Unsupported) as caught:
        UserspaceWireGuard(vault, run_dir, tmp_path).create(NAME, GROUP)
    assert str(caught.value) == (
        "find wireguard-go: not installed; install it, or a kernel with the wireguard module"
    )
    assert not run_dir.exists()


# ---- a process that misbehaves ----------------------------------------------------------------


@pytest.fixture
def socket_dir(tmp_path: Path) -> Path:
    return tmp_path


class Listener:
    """A process that gives one answer, or none, and may hang up."""

    def __init__(self, path: Path, answer: bytes | None) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._answer = answer
        self.heard = b""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._done = threading.Event()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self.heard = connection.recv(1 << 16)
            if self._answer is None:
                self._done.wait(5)
            else:
                connection.sendall(self._answer)

    def stop(self) -> None:
        self._done.set()
        self._thread.join(5)
        self._socket.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "the process does not answer within 0 s"),
        (b"", "the process hung up before its answer's end"),
        (b"listen_port=1\n", "the process hung up before its answer's end"),
        (b"listen_port=1\n\n", "an answer that cannot be read: an answer that ends without errno"),
        (
            b"listen_port=one\nerrno=0\n\n",
            "an answer that cannot be read: invalid literal for int() with base 10: 'one'",
        ),
        (
            b"what\nerrno=0\n\n",
            "an answer that cannot be read: a line without a value, 4 characters long",
        ),
        (b"errno=1\n\n", "Operation not permitted (code 1)"),
    ],
)
def test_an_answer_that_is_none_is_unobservable(
    vault: Vault,
    socket_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes | None,
    reason: str,
) -> None:
    monkeypatch.setattr(userspace, "TIMEOUT", 0.2)
    listener = Listener(socket_dir / f"{NAME}.sock", answer)
    with pytest.raises(Unobservable) as caught:
        UserspaceWireGuard(vault, socket_dir, socket_dir).get(NAME)
    listener.stop()
    assert str(caught.value) == f"read WireGuard device {NAME}: {reason}"
    assert listener.heard == b"get=1\n\n"


@pytest.mark.parametrize(("answer", "code"), [(b"errno=-22\n\n", 22), (b"errno=22\n\n", 22)])
def test_a_refused_update_is_an_error_of_the_host(
    vault: Vault, socket_dir: Path, answer: bytes, code: int
) -> None:
    listener = Listener(socket_dir / f"{NAME}.sock", answer)
    update = DeviceUpdate(peers=(PeerUpdate(public_key=key_text(bytes(32))),))
    with pytest.raises(HostError) as caught:
        UserspaceWireGuard(vault, socket_dir, socket_dir).configure(NAME, update)
    listener.stop()
    assert str(caught.value) == (
        f"configure WireGuard device {NAME}: Invalid argument (code {code})"
    )


# ---- which of the two -------------------------------------------------------------------------


@pytest.mark.parametrize("available", [True, False])
def test_a_link_says_who_serves_it_and_without_one_the_kernel_goes_first(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, *, available: bool
) -> None:
    asked = []

    def is_available(_: KernelWireGuard) -> bool:
        asked.append(1)
        return available

    monkeypatch.setattr(KernelWireGuard, "is_available", is_available)
    doors = WireGuardDoors(vault)
    assert isinstance(doors.door_for("wireguard"), KernelWireGuard)
    assert isinstance(doors.door_for("tun"), UserspaceWireGuard)
    assert asked == []
    preferred = KernelWireGuard if available else UserspaceWireGuard
    for kind in (None, "", "bridge"):
        assert isinstance(doors.door_for(kind), preferred)
    assert asked == [1]
