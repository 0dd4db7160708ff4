import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from applier.errors import HostError
from applier.host import Host
from applier.linux.host import LinuxHost
from applier.vault import Vault
from schemas.values import InterfaceAddress

Ip = Callable[..., str]
pytestmark = pytest.mark.kernel


def test_the_linux_host_opens_every_door_of_the_contract(host: LinuxHost) -> None:
    opened: Host = host  # what a type checker holds, too
    doors = [name for name in vars(Host) if not name.startswith("_")]
    assert [name for name in doors if not callable(getattr(opened, name, None))] == []


def test_opening_and_closing_many_hosts_leaks_no_descriptor(
    namespace: None,  # noqa: ARG001 - around the hosts
    tmp_path: Path,
) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(200):
        with LinuxHost(Vault(b"salt"), tmp_path) as host:
            assert host.links()
            assert host.routes() == ()
            with pytest.raises(HostError):
                host.delete_link("nowhere")
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_every_change_leaves_one_line_in_the_log_and_reading_none(
    host: LinuxHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "wormhole.host")
    host.create_bridge("br0", mac="02:00:00:00:00:07", mtu=1440, group=9806)
    host.add_address("br0", InterfaceAddress("10.1.0.1/24"))
    host.write_file(tmp_path / "key", b"a secret", 0o600)
    with pytest.raises(HostError):
        host.delete_link("nowhere")
    host.links()
    host.routes()
    host.addresses("br0")
    assert [record.getMessage() for record in caplog.records] == [
        "create bridge br0: done",
        "set link br0 mtu 1440: done",
        "add address 10.1.0.1/24 to br0: done",
        f"write file {tmp_path}/key: done",
        "delete link nowhere: Missing ENODEV",
    ]


def test_a_log_line_is_left_when_a_change_is_interrupted(
    host: LinuxHost, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_index: int) -> bytes:
        raise KeyboardInterrupt

    caplog.set_level(logging.DEBUG, "wormhole.host")
    monkeypatch.setattr("applier.linux.encode.link_of", interrupt)
    with pytest.raises(KeyboardInterrupt):
        host.delete_link("lo")
    assert [record.getMessage() for record in caplog.records] == ["delete link lo: interrupted"]


def test_the_clock_is_the_one_of_handshakes(host: LinuxHost) -> None:
    assert abs(time.time() - host.now()) <= 1
