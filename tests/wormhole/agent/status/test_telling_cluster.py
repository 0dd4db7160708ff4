"""Statuses and Events on a real API server, with the rights that the shipped manifests give."""

from collections.abc import Iterator

import pytest
from agentturns import make_blind_turn, make_peer, make_status, make_turn, take_real_turn
from kube.server import ApiServer
from scenes import PUBLIC, converged

from schemas.problems import Problem
from schemas.state import API_VERSION
from wormhole.agent.desired import Desired
from wormhole.agent.status.events import EventTeller
from wormhole.agent.status.report import make_report
from wormhole.agent.status.statuswriter import StatusWriter
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.cluster.api import APPLY, EVENTS, FIELD_MANAGER, MESH_NODES, Object
from wormhole.cluster.connection import Connection, connect


@pytest.fixture
def agent(shipped: ApiServer) -> Iterator[Connection]:
    """Return the agent's own connection to a server that has its MeshNode."""
    body = {
        "apiVersion": API_VERSION,
        "kind": "MeshNode",
        "metadata": {"name": "node-a"},
        "spec": {"publicKey": PUBLIC},
    }
    path = f"{MESH_NODES}/node-a"
    shipped.admin.patch(path, body, APPLY, {"fieldManager": FIELD_MANAGER})
    yield connect(shipped.kubeconfig_for("wormhole-agent"))
    shipped.delete(path)
    shipped.delete(EVENTS)


def write(agent: Connection, turn: Turn, known: Object) -> Object:
    """Write what a turn comes to; return the report."""
    report = make_report(turn, known, "1.2.3")
    writer = StatusWriter(agent, "node-a", known)
    writer.offer(report, 0.0)
    writer.flush(writer.due(0.0) or 0.0)
    assert writer.api_error == ""
    return report


def read(shipped: ApiServer) -> Object:
    return shipped.admin.get(f"{MESH_NODES}/node-a")


def test_a_status_is_stored_whole_and_the_spec_stays(shipped: ApiServer, agent: Connection) -> None:
    wrong = Problem(object="MeshNode/node-z", path="spec.endpoint", rule="no")
    turn = take_real_turn(
        converged(),
        held_epochs=("2026-11", "2026-12"),
        desired=Desired(left_out=(wrong,)),
        generation=1,
    )
    report = write(agent, turn, {})
    stored = read(shipped)
    assert stored["status"] == report
    assert stored["spec"] == {"publicKey": PUBLIC}
    assert stored["metadata"]["generation"] == 1


def test_what_is_no_more_is_removed(shipped: ApiServer, agent: Connection) -> None:
    first = write(agent, make_turn(held_epochs=("2026-11",)), {})
    second = write(agent, make_turn(status=make_status(make_peer())), first)
    assert "heldPresharedKeyEpochs" not in second
    assert read(shipped)["status"] == second


def test_applying_the_spec_again_leaves_the_status(shipped: ApiServer, agent: Connection) -> None:
    report = write(agent, make_turn(), {})
    spec = {"publicKey": PUBLIC, "endpoint": "192.0.2.1"}
    body = {"apiVersion": API_VERSION, "kind": "MeshNode", "spec": spec}
    path = f"{MESH_NODES}/node-a"
    agent.patch(
        path, body | {"metadata": {"name": "node-a"}}, APPLY, {"fieldManager": FIELD_MANAGER}
    )
    stored = read(shipped)
    assert (stored["spec"], stored["status"]) == (spec, report)


def test_without_a_meshnode_the_write_fails_and_creates_none(
    shipped: ApiServer, agent: Connection
) -> None:
    writer = StatusWriter(agent, "node-nobody", {})
    writer.offer(make_report(make_turn(), {}, "1.2.3"), 0.0)
    writer.flush(writer.due(0.0) or 0.0)
    assert writer.error is not None
    assert writer.error.missing
    names = [item["metadata"]["name"] for item in shipped.admin.get(MESH_NODES)["items"]]
    assert names == ["node-a"]


def test_an_event_is_found_by_the_object_s_uid(shipped: ApiServer, agent: Connection) -> None:
    uid = read(shipped)["metadata"]["uid"]
    teller = EventTeller(agent, "node-a", lambda _: uid)
    teller.observe(make_blind_turn(hindrance=Hindrance.UNOBSERVABLE, error="no answer"), 0.0)
    teller.observe(make_turn(60), 60.0)
    teller.flush(60.0)
    assert teller.api_error == ""
    selector = f"involvedObject.kind=MeshNode,involvedObject.uid={uid}"
    found = shipped.admin.get("/api/v1/events", {"fieldSelector": selector})["items"]
    assert {(each["reason"], each["type"], each["message"]) for each in found} == {
        ("Unobservable", "Warning", "no answer"),
        ("Converged", "Normal", "the host is as desired again"),
    }
