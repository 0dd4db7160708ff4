"""The real API server that the tests bring: it is whole, it tells what it was asked, it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kube.requirements import ASSETS, missing
from kube.server import ApiServer
from kube.things import Things

from wormhole.cluster.api import Object
from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError

pytestmark = pytest.mark.timeout(240)  # as in test_connection

SUPPORT = Path(__file__).parents[2] / "support"
ROOT = SUPPORT.parents[1]


def test_without_the_program_the_reason_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(ASSETS, raising=False)
    assert "KUBEBUILDER_ASSETS is not set" in missing()
    monkeypatch.setenv(ASSETS, str(tmp_path))
    assert f"KUBEBUILDER_ASSETS={tmp_path} has no kube-apiserver" in missing()


def test_objects_are_applied_in_the_order_in_which_they_can_be(
    things: Things, api_server: ApiServer
) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": "readers"},
    }
    role = {"name": "reader"}
    grant: list[Object] = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": role,
            "rules": [{"apiGroups": ["cluster.test"], "resources": ["things"], "verbs": ["get"]}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": role,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "reader",
            },
            "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "readers"}],
        },
    ]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "readers"}}
    api_server.apply(account, *grant, namespace)
    things.add("one", size=1)
    already = len(api_server.audit())
    reader = connect(api_server.kubeconfig_for("reader", "readers"))
    assert reader.get(f"{things.path}/one")["spec"] == {"size": 1}
    with pytest.raises(ApiError, match="403 Forbidden"):
        reader.get(things.path)
    with pytest.raises(ApiError, match="403 Forbidden"):
        reader.create(things.path, {"metadata": {"name": "two"}})
    user = "system:serviceaccount:readers:reader"
    asked = [
        (entry.verb, entry.resource, entry.name, entry.code, entry.writes)
        for entry in api_server.audit()[already:]
        if entry.user == user
    ]
    assert asked == [
        ("get", "things", "one", 200, False),
        ("list", "things", "", 403, False),
        ("create", "things", "", 403, True),
    ]
    for document in (*grant, namespace):
        api_server.delete(api_server.path(document))


def test_a_server_ends_with_the_tests_however_they_end(
    kubernetes: type[ApiServer], tmp_path: Path
) -> None:
    script = (
        "import sys, time, pathlib; from kube.server import ApiServer\n"
        f"with ApiServer(pathlib.Path({str(tmp_path / 'kubernetes')!r})) as server:\n"
        "    print(server._etcd.pid, server._apiserver.pid, flush=True)\n"
        "    server.pause()\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{SUPPORT}:{ROOT}"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        ids = [int(word) for word in process.stdout.readline().split()]
        running = [is_running(number) for number in ids]
        process.send_signal(signal.SIGKILL)
    assert running == [True, True]
    deadline = time.monotonic() + 10
    while any(map(is_running, ids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [is_running(number) for number in ids] == [False, False]
    assert kubernetes is ApiServer


def is_running(number: int) -> bool:
    """Return whether a process runs; one that ended and was not yet reaped does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.kernel
def test_a_server_in_another_network_is_reached_from_there_and_from_here(
    kubernetes: type[ApiServer], tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("not root")
    hold = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"
        wrapper = ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
        address = "127.0.0.9"
        with kubernetes(tmp_path / "far", wrapper=wrapper, address=address) as server:
            assert server.admin.get("/api")["kind"] == "APIVersions"
            assert server.url == f"https://{address}:{server.port}"
            inside = server.kubeconfig(near=False)
            with pytest.raises(ApiError, match="Unreachable"):
                connect(inside).get("/api")
            script = (
                "import pathlib; from wormhole.cluster.connection import connect\n"
                f"print(connect(pathlib.Path({str(inside)!r})).get('/api')['kind'])\n"
            )
            command = [*wrapper, sys.executable, "-c", script]
            said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            assert said.stdout == "APIVersions\n"
            server.compact()
        holder.communicate()
