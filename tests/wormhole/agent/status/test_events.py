"""Turns to Events: which, of what, by whom, and how often."""

import json
import re

import pytest
from agentturns import (
    later,
    make_blind_turn,
    make_change,
    make_conflict,
    make_failure,
    make_outcome,
    make_turn,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from no_api import NoApi
from scenes import build_inventory, resolve_host

from schemas.problems import Problem
from wormhole.agent.desired import Desired
from wormhole.agent.status.events import (
    AGAIN,
    HOUR,
    MOST,
    RETRY,
    EventTeller,
    find_notices,
    is_teller,
)
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.cluster.api import Object
from wormhole.cluster.errors import ApiError

CONFLICT = make_turn(outcome=make_outcome(left=(make_conflict(),)))
NAMES = [f"node-{letter}" for letter in "abcdefgh"]


class Recorder(NoApi):
    """An API that takes down what is created, and refuses when told to."""

    def __init__(self) -> None:
        self.events: list[Object] = []
        self.paths: list[str] = []
        self.error: ApiError | None = None

    def create(self, path: str, body: Object) -> Object:
        if self.error:
            raise self.error
        self.paths.append(path)
        self.events.append(body)
        return body


def a_teller() -> tuple[Recorder, EventTeller]:
    api = Recorder()
    return api, EventTeller(api, "node-a", {"MeshNode/node-a": "uid-a"}.get)  # type: ignore[arg-type] # of the others nothing is asked


def tell(turn: Turn, before: Turn | None = None) -> list[tuple[str, str, str]]:
    return [(each.reason, each.about, each.message) for each in find_notices(turn, before)]


def test_an_event_is_one_that_the_api_server_takes() -> None:
    api, teller = a_teller()
    teller.observe(CONFLICT, 0.0)
    teller.flush(0.0)
    (event,) = api.events
    assert api.paths == ["/api/v1/namespaces/default/events"]
    assert re.fullmatch(r"node-a\.[0-9a-f]{16}", event["metadata"].pop("name"))
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "default"},
        "involvedObject": {
            "apiVersion": "wormhole.dev/v1alpha1",
            "kind": "MeshNode",
            "name": "node-a",
            "uid": "uid-a",
        },
        "reason": "Conflict",
        "message": "cni 10-wormhole.conflist: it is flannel's",
        "source": {"component": "wormhole-agent", "host": "node-a"},
        "firstTimestamp": "2027-01-15T08:00:00Z",
        "lastTimestamp": "2027-01-15T08:00:00Z",
        "count": 1,
        "type": "Warning",
    }


def test_a_good_turn_tells_nothing() -> None:
    assert tell(make_turn(), make_turn()) == []
    assert tell(make_turn(outcome=make_outcome(make_change()))) == []


@pytest.mark.parametrize(
    ("turn", "reason", "message"),
    [
        (
            make_turn(outcome=make_outcome(refused="too much", left=(make_change(),))),
            "Refused",
            (
                "too much; nothing was changed. If it is meant: kubectl annotate meshnode node-a"
                " wormhole.dev/allow-mass-delete=abababababab"
            ),
        ),
        (
            make_turn(outcome=make_outcome(failures=(make_failure(make_change()),), reverted=True)),
            "Reverted",
            (
                "what had been changed was put back: create route 10.244.0.0/16: operation not"
                " supported"
            ),
        ),
        (
            make_turn(outcome=make_outcome(trouble=("it broke",), reverted=False)),
            "NotReverted",
            "not everything could be put back: it broke",
        ),
        (make_turn(fight="somebody removes a route"), "Fight", "somebody removes a route"),
        (
            make_blind_turn(hindrance=Hindrance.UNOBSERVABLE, error="routes: interrupted"),
            "Unobservable",
            "routes: interrupted",
        ),
    ],
)
def test_what_an_operator_should_know_is_told(turn: Turn, reason: str, message: str) -> None:
    assert tell(turn) == [(reason, "MeshNode/node-a", message)]


@pytest.mark.parametrize(
    "hindrance", [Hindrance.LOCKED, Hindrance.NO_DOCUMENTS, Hindrance.HELD_BACK]
)
def test_what_ends_by_itself_is_not_told(hindrance: Hindrance) -> None:
    assert tell(make_blind_turn(hindrance=hindrance, error="why")) == []


def test_the_end_of_a_trouble_is_told_as_normal() -> None:
    (notice,) = find_notices(make_turn(60), CONFLICT)
    assert (notice.type, notice.reason, notice.message) == (
        "Normal",
        "Converged",
        "the host is as desired again",
    )
    waiting = make_blind_turn(hindrance=Hindrance.NO_DOCUMENTS, error="waiting")
    assert tell(make_turn(), waiting) == []


def test_an_object_that_is_left_out_is_the_event_s_own_subject() -> None:
    wrong = Problem(object="MeshNode/node-z", path="spec.endpoint", value="10.244.0.9", rule="no")
    turn = make_turn(resolved=resolve_host(build_inventory()), desired=Desired(left_out=(wrong,)))
    assert tell(turn) == [
        (
            "LeftOut",
            "MeshNode/node-z",
            "left out of the mesh: MeshNode/node-z spec.endpoint '10.244.0.9': no",
        )
    ]


def test_who_only_lost_his_endpoint_is_not_said_to_be_out_of_the_mesh() -> None:
    wrong = Problem(object="MeshNode/node-z", path="spec.endpoint", value="192.0.2.1", rule="no")
    desired = Desired(endpoints_left_out=(wrong,))
    ((reason, about, message),) = tell(
        make_turn(resolved=resolve_host(build_inventory()), desired=desired)
    )
    assert (reason, about) == ("LeftOut", "MeshNode/node-z")
    assert message == (
        "in the mesh, but without its endpoint: MeshNode/node-z spec.endpoint '192.0.2.1': no"
    )


@pytest.mark.parametrize("field", ["left_out", "endpoints_left_out", "problems"])
def test_who_changes_his_mistake_each_second_makes_one_event(field: str) -> None:
    api, teller = a_teller()
    for second in range(60):
        wrong = Problem(
            object="MeshNode/node-a",
            path=f"spec.podCIDRs[{second}]",
            value=f"10.{second}.0.0",
            rule=f"is inside the pod CIDRs of MeshNode/node-{second}",
        )
        teller.observe(
            make_turn(second, desired=replace(Desired(), **{field: (wrong,)})), float(second)
        )
        teller.flush(float(second))
    assert len(api.events) == 1


def test_a_host_that_was_left_out_itself_tells_so() -> None:
    wrong = Problem(object="MeshNode/node-a", rule="no")
    turn = make_turn(desired=Desired(problems=(wrong,)), from_memory=True)
    assert tell(turn) == [
        ("LeftOut", "MeshNode/node-a", "left out of the mesh: MeshNode/node-a: no")
    ]


def test_a_wrong_mesh_is_told_by_three() -> None:
    wrong = Desired(problems=(Problem(object="Mesh/demo", rule="no"),))
    tellers = [
        name
        for name in ("node-a", "node-b", "node-c", "node-d")
        if tell(make_turn(host=name, desired=wrong, resolved=resolve_host(build_inventory(), name)))
    ]
    assert tellers == ["node-a", "node-b", "node-c"]


def test_the_offender_and_the_three_that_follow_it_tell() -> None:
    for offender, expected in {
        "node-c": ["node-c", "node-d", "node-e", "node-f"],
        "node-h": ["node-a", "node-b", "node-c", "node-h"],
        "node-cc": ["node-d", "node-e", "node-f"],
        "zzz": ["node-a", "node-b", "node-c"],
    }.items():
        tellers = [name for name in NAMES if is_teller(name, offender, NAMES)]
        assert tellers == expected


@given(st.sets(st.text("abc-", min_size=1, max_size=6), min_size=1, max_size=30), st.text("abc-"))
@pytest.mark.law
def test_somebody_always_tells_and_never_more_than_four(names: set[str], offender: str) -> None:
    tellers = [name for name in names if is_teller(name, offender, names)]
    assert 1 <= len(tellers) <= 4


def test_the_same_is_told_once_in_ten_minutes() -> None:
    api, teller = a_teller()
    for second in range(0, int(AGAIN) + 61, 60):
        teller.observe(later(CONFLICT, second), float(second))
        teller.flush(float(second))
    assert [event["firstTimestamp"] for event in api.events] == [
        "2027-01-15T08:00:00Z",
        "2027-01-15T08:10:00Z",
    ]
    assert len({event["metadata"]["name"] for event in api.events}) == 2


def test_a_refusal_is_one_event_whatever_its_numbers_are() -> None:
    api, teller = a_teller()
    for second, number in enumerate((299, 259, 310)):
        refused = f"the plan removes {number} of 340 objects, which is more than a fifth"
        teller.observe(make_turn(second, outcome=make_outcome(refused=refused)), float(second))
        teller.flush(float(second))
    assert [event["message"][:26] for event in api.events] == ["the plan removes 299 of 34"]


def test_a_host_tells_at_most_twenty_events_an_hour() -> None:
    api, teller = a_teller()
    for minute in range(120):
        fight = f"fight number {minute}"
        teller.observe(make_turn(minute * 60.0, fight=fight), minute * 60.0)
        teller.flush(minute * 60.0)
    assert len(api.events) == 2 * MOST
    times = [int(event["message"].split()[-1]) for event in api.events]
    assert times == [*range(20), *range(60, 80)]
    assert HOUR == 3600


def test_what_could_not_be_told_is_told_later_with_its_own_time() -> None:
    api, teller = a_teller()
    api.error = ApiError("POST /x", 0, "NoAnswer", "timed out")
    teller.observe(CONFLICT, 0.0)
    teller.flush(0.0)
    assert (teller.api_error, teller.due(1.0)) == ("POST /x: NoAnswer: timed out", RETRY)
    api.error = None
    teller.flush(1.0)
    assert api.events == []
    teller.flush(RETRY)
    assert [event["firstTimestamp"] for event in api.events] == ["2027-01-15T08:00:00Z"]
    assert (teller.api_error, teller.due(100.0)) == ("", None)


def test_what_the_api_refuses_is_dropped_and_known() -> None:
    api, teller = a_teller()
    api.error = ApiError("POST /x", 403, "Forbidden", "no")
    teller.observe(CONFLICT, 0.0)
    teller.flush(0.0)
    assert (teller.api_error, teller.due(0.0)) == ("POST /x: 403 Forbidden: no", None)


def test_what_waits_for_the_api_is_bounded() -> None:
    api, teller = a_teller()
    api.error = ApiError("POST /x", 0, "NoAnswer", "timed out")
    for minute in range(1000):
        teller.observe(make_turn(fight=f"fight {minute}"), minute * 60.0)
        teller.flush(minute * 60.0)
    api.error = None
    teller.flush(1e6)
    assert len(api.events) == MOST


def test_the_longest_node_name_gives_a_name_that_the_api_takes() -> None:
    name = ".".join(["n" * 60] * 4) + "." + "n" * 9
    api = Recorder()
    teller = EventTeller(api, name, lambda _: "")
    teller.observe(make_turn(host=name, fight="a fight"), 0.0)
    teller.flush(0.0)
    (event,) = api.events
    assert len(name) == 253
    assert len(event["metadata"]["name"]) <= 253
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", event["metadata"]["name"])
    assert "uid" not in event["involvedObject"]


@given(st.text(max_size=3000))
@pytest.mark.law
def test_no_event_s_message_is_long_or_commands_a_terminal(text: str) -> None:
    api, teller = a_teller()
    teller.observe(
        make_turn(
            fight=text,
            outcome=make_outcome(left=(make_conflict(note=text),)),
            desired=Desired(left_out=(Problem(object="MeshNode/node-a", rule=text),)),
        ),
        0.0,
    )
    teller.flush(0.0)
    messages = [event["message"] for event in api.events]
    assert all(len(message.encode()) <= 1024 and message.isprintable() for message in messages)
    assert json.dumps(messages)
