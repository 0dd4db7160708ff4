"""A small inventory, its state, and a host in memory behind the commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commandline import MESH, OTHER_KEY, Wormhole, spell_node
from kube.server import ApiServer
from manifests import build

from applier.fake import FakeHost
from applier.host import Host
from applier.keys import create_key, open_vault
from applier.paths import Paths
from applier.vault import Vault
from wormhole.__main__ import run


@pytest.fixture
def wormhole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Wormhole:
    """Return a function that runs a command line in a folder of its own: code, output, errors."""
    monkeypatch.chdir(tmp_path)
    for variable, name in (("DATA", "data"), ("CNI_CONF", "cni"), ("RUN", "run")):
        monkeypatch.setenv(f"WORMHOLE_{variable}_DIR", str(tmp_path / name))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Put a host in memory where the commands look for this machine."""
    paths = Paths(data=tmp_path / "data", cni=tmp_path / "cni", run=tmp_path / "run")
    fake = FakeHost(Vault(b"salt"), paths)
    create_key(fake, paths)
    vault, _ = open_vault(fake, paths)
    fake = reopen(fake, vault)

    @contextmanager
    def open_host(_paths: Paths) -> Iterator[tuple[Host, Vault]]:
        yield fake, vault

    @contextmanager
    def open_host_without_key(_paths: Paths) -> Iterator[Host]:
        yield fake

    monkeypatch.setattr("wormhole.thishost.open_host", open_host)
    monkeypatch.setattr("wormhole.thishost.open_host_without_key", open_host_without_key)
    monkeypatch.setattr("wormhole.thishost.require_root", lambda: None)
    return fake


def reopen(fake: FakeHost, vault: Vault) -> FakeHost:
    """Return a host with the same files whose devices know the vault."""
    again = FakeHost(vault, fake.paths)
    again.files.update(fake.files)
    return again


@pytest.fixture
def state(tmp_path: Path, host: FakeHost, wormhole: Wormhole) -> Path:
    """Compile the inventory of this host and one other."""
    key = create_key(host, host.paths)
    inventory = MESH + spell_node("node-a", key, 1) + spell_node("node-b", OTHER_KEY, 2)
    (tmp_path / "mesh.yaml").write_text(inventory)
    assert wormhole("compile", "mesh.yaml", "-o", "state")[0] == 0
    return tmp_path / "state"


@pytest.fixture(scope="session")
def shipped(
    kubernetes: type[ApiServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """Return an API server with the shipped manifests and no Mesh: leave no other object in it."""
    with kubernetes(tmp_path_factory.mktemp("shipped")) as server:
        server.apply(*build("base"))
        yield server
