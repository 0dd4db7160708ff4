"""What a watch tells on a host that is a member of a mesh, with pods that come and go."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
from lab.damages import BR, WG
from lab.mesh import OVERLAY, Mesh
from lab.namespace import LabError
from lab.network import Lab, LabHost
from lab.pods import Pod

pytestmark = pytest.mark.kernel

_WATCH: Final = """
import json, sys, msgspec
from applier.linux.watch import KernelWatch
with KernelWatch() as watch:
    watch.concern(sys.argv[1].split(","), sys.argv[2].split(","))
    while True:
        for event in watch.wait(60):
            print(msgspec.json.encode(event).decode(), flush=True)
"""
_PATIENCE: Final = 10.0
_CANARY: Final = "10.244.255.{}/32"


class Told:
    """A watch running on a host, framed by events that it must tell."""

    def __init__(self, host: LabHost, output: Path) -> None:
        self._host = host
        self._output = output
        self.events: tuple[dict[str, object], ...] = ()
        """What was told in between; filled when the context is left."""

    def __enter__(self) -> Self:
        self._file = self._output.open("wb")
        command = (sys.executable, "-c", _WATCH, f"{WG},{BR}", ",".join(OVERLAY))
        self._process = self._host.spawn(*command, output=self._file)
        self._await_canary(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._await_canary(2)
            events = self._read()
            first = max(n for n, event in enumerate(events) if _is_canary(event, 1))
            last = min(n for n, event in enumerate(events) if _is_canary(event, 2))
            self.events = tuple(events[first + 1 : last])
        finally:
            self._process.stop()
            self._file.close()

    def _await_canary(self, number: int) -> None:
        route = _CANARY.format(number)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            self._host.sh(f"ip route add blackhole {route}; ip route delete blackhole {route}")
            time.sleep(0.2)
            if any(_is_canary(event, number) for event in self._read()):
                time.sleep(0.2)
                return
        raise LabError(f"{self._host.name}: the watch does not tell what happens")

    def _read(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._output.read_bytes().split(b"\n")[:-1]]


def _is_canary(event: dict[str, object], number: int) -> bool:
    return str(event["what"]).startswith(_CANARY.format(number))


@pytest.fixture(scope="module")
def member(
    laboratory: type[Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Mesh, LabHost]]:
    mesh = Mesh(tmp_path_factory.mktemp("watch"))
    with laboratory() as lab:
        host = lab.add_host("node-a")
        mesh.join(host, ["10.244.1.0/24", "fd00:244:0:1::/64"])
        mesh.compile(host)
        mesh.apply(host)
        yield mesh, host


def whats(told: Told) -> list[str]:
    return list(dict.fromkeys(str(event["what"]) for event in told.events))


def test_pods_wake_nobody_not_even_the_first_and_the_last(
    member: tuple[Mesh, LabHost], tmp_path: Path
) -> None:
    _, host = member
    with Told(host, tmp_path / "told") as told:
        with Pod(host, "one"), Pod(host, "two"):
            host.settle()
        with Pod(host, "three"):
            pass
    assert told.events == ()


def test_an_apply_that_changes_nothing_wakes_nobody(
    member: tuple[Mesh, LabHost], tmp_path: Path
) -> None:
    mesh, host = member
    with Told(host, tmp_path / "told") as told:
        mesh.apply(host)
    assert told.events == ()


def test_the_network_of_others_wakes_nobody(member: tuple[Mesh, LabHost], tmp_path: Path) -> None:
    _, host = member
    with Told(host, tmp_path / "told") as told:
        host.ip(
            "link add dummy7 type bridge",
            "link set dummy7 up",
            "address add 172.31.0.1/16 dev dummy7",
            "route add 198.51.100.0/24 via 192.0.2.254",
            "route delete 0.0.0.0/0",
            "route add 0.0.0.0/0 via 192.0.2.254",
            "link delete dummy7",
        )
    assert told.events == ()


def test_each_damage_wakes_and_so_does_its_repair_by_another_process(
    member: tuple[Mesh, LabHost], tmp_path: Path
) -> None:
    mesh, host = member
    with Told(host, tmp_path / "told") as told:
        host.ip(
            f"route delete {OVERLAY[0]} metric 1024",
            f"link set {BR} mtu 1300",
            f"address delete 10.244.1.1/24 dev {BR}",
        )
    assert whats(told) == [f"{OVERLAY[0]} metric 1024", BR, f"{BR} 10.244.1.1/24"]

    with Told(host, tmp_path / "repair") as repair:
        mesh.apply(host)
    assert set(whats(repair)) == {f"{OVERLAY[0]} metric 1024", BR, f"{BR} 10.244.1.1/24"}


def test_a_device_that_dies_wakes(member: tuple[Mesh, LabHost], tmp_path: Path) -> None:
    mesh, host = member
    with Told(host, tmp_path / "told") as told:
        host.ip(f"link delete {WG}")
    assert WG in whats(told)
    mesh.apply(host)
