"""Masters and rotations on a real API server, with the shipped Secret and the shipped rights."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest
from commandline import Wormhole
from kube.server import ApiServer

from wormhole.agent.publishing.masters import ensure_master
from wormhole.cluster.api import APPLY, MERGE_PATCH, MESH_NODES, MESHES, NAMESPACE, Object, secrets
from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError
from wormhole.psk.epochs import decode_master
from wormhole.psk.store import change_secret

ROOT = Path(__file__).parents[2]
SECRET = f"{secrets(NAMESPACE)}/wormhole-psk"
MESH = f"{MESHES}/demo"
API = "wormhole.dev/v1alpha1"
KEY = "X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k="
RACERS, EPOCHS = 20, 50


@pytest.fixture
def server(shipped: ApiServer) -> Iterator[ApiServer]:
    """Return a server whose Secret is as shipped, before and after."""
    yield shipped
    change_secret(shipped.admin, NAMESPACE, lambda secret: secret | {"data": None})


def entries_of(server: ApiServer) -> dict[str, str]:
    found: dict[str, str] = server.admin.get(SECRET).get("data") or {}
    return found


@pytest.mark.timeout(300)
def test_of_twenty_agents_one_decides_each_epoch(server: ApiServer) -> None:
    """They race for fifty epochs; everybody then reads the same, and nothing is overwritten."""
    kubeconfig = server.kubeconfig_for("wormhole-agent")
    connections = [connect(kubeconfig) for _ in range(4)]
    barrier = threading.Barrier(RACERS)

    def race(racer: int, epoch: str) -> str:
        barrier.wait()
        return ensure_master(connections[racer % 4], NAMESPACE, epoch)[epoch]

    before: dict[str, str] = {}
    with ThreadPoolExecutor(RACERS) as pool:
        for number in range(EPOCHS):
            epoch = f"race-{number}"
            read = set(pool.map(race, range(RACERS), [epoch] * RACERS))
            now = entries_of(server)
            assert read == {now[epoch]}
            assert now == before | {epoch: now[epoch]}
            before = now
    masters = {decode_master(value) for value in before.values()}
    assert (len(masters), None in masters) == (EPOCHS, False)
    account = f"system:serviceaccount:{NAMESPACE}:wormhole-agent"
    puts = [
        entry.code
        for entry in server.audit()
        if entry.user == account and entry.verb == "update" and entry.name == "wormhole-psk"
    ]
    assert puts.count(200) == EPOCHS
    assert set(puts) == {200, 409}, "nobody raced"


def test_an_agent_may_do_no_more_with_secrets(server: ApiServer) -> None:
    agent = connect(server.kubeconfig_for("wormhole-agent"))
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs"}}
    with pytest.raises(ApiError) as caught:
        agent.create(secrets(NAMESPACE), other)
    assert caught.value.status == 403
    with pytest.raises(ApiError) as caught:
        ensure_master(agent, "kube-system", "2026-11")
    assert caught.value.status == 403


def test_a_secret_that_cannot_be_changed_is_told_without_its_content(server: ApiServer) -> None:
    entries = ensure_master(server.admin, NAMESPACE, "2026-11")
    server.admin.patch(SECRET, {"immutable": True}, MERGE_PATCH)
    try:
        with pytest.raises(ApiError) as caught:
            ensure_master(server.admin, NAMESPACE, "2026-12")
        assert str(caught.value) == (
            f"PUT {SECRET}: 422 Invalid: the Secret wormhole-system/wormhole-psk is immutable:"
            " delete it and apply Wormhole's manifests again; agents then put back the master"
            " that is in use"
        )
        assert [ensure_master(server.admin, NAMESPACE, "2026-11")] == [entries]
    finally:
        secret = server.admin.get(SECRET)
        server.delete(SECRET)
        metadata = {"name": "wormhole-psk", "namespace": NAMESPACE}
        again = {"apiVersion": "v1", "kind": "Secret", "type": secret["type"]}
        server.admin.create(secrets(NAMESPACE), again | {"metadata": metadata})


class Agents:
    """Agents that hold and use what the API says, and report it, each some tenth of a second."""

    def __init__(self, server: ApiServer, *names: str) -> None:
        self.server = server
        self.names = names
        self.asleep: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        for name in self.names:
            spec = {"publicKey": KEY}
            self.server.apply(
                {"apiVersion": API, "kind": "MeshNode", "metadata": {"name": name}, "spec": spec}
            )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for name in self.names:
            self.server.delete(f"{MESH_NODES}/{name}")

    def await_reports(self, held: list[str]) -> None:
        """Wait until every agent says that it holds exactly these epochs."""
        for _ in range(100):
            reports = self.server.admin.get(MESH_NODES)["items"]
            if all(each["status"]["heldPresharedKeyEpochs"] == held for each in reports):
                return
            time.sleep(0.1)
        raise TimeoutError(held)

    def _run(self) -> None:
        api = self.server.admin
        told: dict[str, Object] = {}
        while not self._ended.wait(0.1):
            status = {"heldPresharedKeyEpochs": sorted(api.get(SECRET).get("data") or {})}
            epoch = api.get(MESH)["spec"].get("presharedKeyEpoch")
            status |= {"presharedKeyEpoch": epoch} if epoch else {}
            for name in self.names:
                if name not in self.asleep and told.get(name) != status:
                    self._report(name, status)
                    told[name] = status

    def _report(self, name: str, status: Object) -> None:
        body = {"apiVersion": API, "kind": "MeshNode", "metadata": {"name": name}}
        query = {"fieldManager": "wormhole-agent-status", "force": "true"}
        path = f"{MESH_NODES}/{name}/status"
        self.server.admin.patch(path, body | {"status": status}, APPLY, query)


@pytest.fixture
def agents(server: ApiServer) -> Iterator[Agents]:
    spec = {"overlayCIDRs": ["10.244.0.0/16"]}
    server.apply({"apiVersion": API, "kind": "Mesh", "metadata": {"name": "demo"}, "spec": spec})
    with Agents(server, *(f"node-{letter}" for letter in "abcdef")) as agents:
        yield agents
    server.delete(MESH)


def test_a_mesh_gets_its_first_keys_and_then_others(agents: Agents, wormhole: Wormhole) -> None:
    kubeconfig = f"--kubeconfig={agents.server.kubeconfig()}"
    assert wormhole("psk", "rotate", kubeconfig, "--epoch", "blue") == (
        0,
        (
            "Mesh/demo uses no pre-shared keys yet, with 6 nodes.\n"
            "Rotating to blue.\n"
            "1/5  Secret wormhole-system/wormhole-psk: entry blue added\n"
            "2/5  all 6 nodes hold blue\n"
            "3/5  Mesh/demo: presharedKeyEpoch blue\n"
            "4/5  all 6 nodes use blue\n"
            "5/5  entries removed: none\n"
            "Rotated: Mesh/demo uses epoch blue.\n"
        ),
        "",
    )
    first = entries_of(agents.server)
    code, out, err = wormhole("psk", "rotate", kubeconfig, "--epoch", "green")
    assert (code, err, "5/5  entries removed: blue\n" in out) == (0, "", True)
    second = entries_of(agents.server)
    assert (list(first), list(second)) == (["blue"], ["green"])
    assert first["blue"] != second["green"]
    mesh = agents.server.admin.get(MESH)
    assert mesh["spec"] == {"overlayCIDRs": ["10.244.0.0/16"], "presharedKeyEpoch": "green"}
    managers = {each["manager"] for each in mesh["metadata"]["managedFields"]}
    assert "wormhole-psk" in managers
    agents.await_reports(["green"])
    assert wormhole("psk", "status", kubeconfig) == (
        0,
        (
            "Mesh/demo uses epoch green, with 6 nodes.\n"
            "  green: used by 6 of 6, held by 6 of 6\n"
            "In trouble: node-a (not Ready), node-b (not Ready), node-c (not Ready),"
            " node-d (not Ready), node-e (not Ready) and 1 more.\n"
            "No rotation is under way.\n"
        ),
        "",
    )


def test_ctrl_c_leaves_what_the_next_run_goes_on_with(agents: Agents, wormhole: Wormhole) -> None:
    kubeconfig = f"--kubeconfig={agents.server.kubeconfig()}"
    agents.asleep = {"node-c"}
    rotation = subprocess.Popen(
        [sys.executable, "-m", "wormhole", "psk", "rotate", kubeconfig],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert rotation.stdout is not None
    while "1/5" not in rotation.stdout.readline():
        pass
    time.sleep(1)
    rotation.send_signal(signal.SIGINT)
    _, err = rotation.communicate(timeout=20)
    assert (rotation.returncode, "Traceback" in err) == (130, False)
    assert err.endswith(
        "it is safe to leave it so: nodes fetch the new master; the mesh goes on with what it used"
        " before.\n"
        f"to go on: wormhole psk rotate --kubeconfig {agents.server.kubeconfig()}\n"
        "wormhole: interrupted\n"
    )
    assert "presharedKeyEpoch" not in agents.server.admin.get(MESH)["spec"]
    before = entries_of(agents.server)
    agents.asleep = set()
    code, out, _ = wormhole("psk", "rotate", kubeconfig)
    assert (code, entries_of(agents.server)) == (0, before)
    assert "\nGoing on with the rotation to " in out


def test_two_rotations_at_once_become_one(agents: Agents) -> None:
    """They see each other's entry, or lose the race for it: never are there two new masters."""
    command = [sys.executable, "-m", "wormhole", "psk", "rotate"]
    command.append(f"--kubeconfig={agents.server.kubeconfig()}")
    pair = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [each.wait(timeout=60) for each in pair] == [0, 0]
    (epoch,) = entries_of(agents.server)
    mesh = agents.server.admin.get(MESH)
    assert mesh["spec"]["presharedKeyEpoch"] == epoch
