"""What a scraper reads, and by which rules it is named."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import pytest
from agentturns import (
    BEGIN,
    make_blind_turn,
    make_change,
    make_conflict,
    make_outcome,
    make_peer,
    make_status,
    make_turn,
    take_real_turn,
)
from prometheus_client import parser
from prometheus_client.core import Metric
from prometheus_client.openmetrics import parser as openmetrics
from scenes import Scene, converged

from applier.plan import Action, Cause
from schemas.problems import Problem
from wormhole.agent.desired import Desired
from wormhole.agent.pages.metrics import Metrics, name_result
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.cluster.errors import ApiError

Reader = Callable[[str], Iterable[Metric]]
read_text = cast("Reader", parser.text_string_to_metric_families)
read_openmetrics = cast("Reader", openmetrics.text_string_to_metric_families)
ABBREVIATED = re.compile(r"_(ms|us|milliseconds|minutes|hours|kb|mb|kilobytes|bits)(_|$)")


def scrape(*turns: Turn, metrics: Metrics | None = None) -> dict[str, Metric]:
    metrics = metrics or Metrics("1.2.3")
    for turn in turns:
        metrics.observe(turn)
    page = metrics.make_page("")
    assert page.content_type.startswith("text/plain; version=")
    return {family.name: family for family in read_text(page.body.decode())}


def values(families: dict[str, Metric], name: str) -> dict[tuple[str, ...], float]:
    """Return a metric's values by the values of its labels, in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name
    }


def everything() -> Iterable[Turn]:
    peers = make_status(make_peer(), make_peer("node-c", None), make_peer(None))
    yield make_turn()
    yield make_turn(outcome=make_outcome(make_change(), left=(make_conflict(),)), status=peers)
    yield make_turn(
        60,
        resolved=Scene().resolved,
        desired=Desired(left_out=(Problem(object="MeshNode/x", rule="no"),)),
        outcome=make_outcome(left=(make_change(),), refused="no"),
    )


def test_before_the_first_turn_there_is_what_runs() -> None:
    families = scrape()
    assert values(families, "wormhole_build_info") == {("1.2.3",): 1}
    assert values(families, "wormhole_ready") == {(): 0}
    assert "wormhole_peers" not in families
    assert "process_resident_memory_bytes" in families


def test_names_follow_the_conventions() -> None:
    metrics = Metrics("1.2.3")
    metrics.count_api_error(ApiError("GET /x", 500, "InternalError", ""))
    families = scrape(*everything(), metrics=metrics)
    ours = {name: family for name, family in families.items() if not name.startswith("process_")}
    assert len(ours) > 20
    for name, family in ours.items():
        assert re.fullmatch(r"wormhole_[a-z]+(_[a-z]+)*", name), name
        assert not ABBREVIATED.search(name), name
        assert family.documentation.endswith("."), name
        assert family.type in {"counter", "gauge", "histogram"}, name
        samples = {sample.name for sample in family.samples}
        if family.type == "counter":
            assert samples <= {f"{name}_total"}, name
        else:
            assert not name.endswith(("_total", "_count", "_sum", "_bucket")), name
        assert not {"_created"} & {sample.name[-8:] for sample in family.samples}, name
        labels = {label for sample in family.samples for label in sample.labels}
        assert all(re.fullmatch(r"[a-z]+", label) for label in labels), name


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    metrics = Metrics("1.2.3")
    scrape(*everything(), metrics=metrics)
    page = metrics.make_page("application/openmetrics-text;version=1.0.0")
    assert page.content_type.startswith("application/openmetrics-text")
    assert len(list(read_openmetrics(page.body.decode()))) > 20


def test_peers_are_counted_and_each_is_shown() -> None:
    peers = (
        make_peer("node-b", 5, received=10, sent=20),
        make_peer("node-c", 300, received=1, sent=2),
        make_peer("node-d", None),
        make_peer(None, 5, received=7),
    )
    families = scrape(make_turn(status=make_status(*peers)))
    assert values(families, "wormhole_peers") == {(): 4}
    assert values(families, "wormhole_connected_peers") == {(): 2}
    assert values(families, "wormhole_peer_latest_handshake_seconds") == {
        ("node-b",): BEGIN - 5,
        ("node-c",): BEGIN - 300,
    }
    assert values(families, "wormhole_peer_received_bytes_total") == {
        ("node-b",): 10,
        ("node-c",): 1,
        ("node-d",): 0,
    }
    assert values(families, "wormhole_peer_sent_bytes_total")[("node-b",)] == 20
    assert values(families, "wormhole_received_bytes_total") == {(): 18}


def test_a_peer_that_went_is_gone_and_its_bytes_stay_counted() -> None:
    first = make_status(make_peer("node-b", received=10), make_peer("node-c", received=5))
    second = make_status(make_peer("node-b", received=14))
    third = make_status(make_peer("node-b", received=3), make_peer("node-c", received=1))
    metrics = Metrics("1.2.3")
    totals = [
        values(scrape(make_turn(status=status), metrics=metrics), "wormhole_received_bytes_total")[
            ()
        ]
        for status in (first, second, third)
    ]
    assert totals == [15, 19, 23]
    families = scrape(make_turn(status=second), metrics=metrics)
    assert values(families, "wormhole_peer_received_bytes_total") == {("node-b",): 14}


def test_one_handshake_has_one_time_however_its_age_is_rounded() -> None:
    metrics = Metrics("1.2.3")
    times = [
        values(
            scrape(make_turn(at, status=make_status(make_peer(age=age))), metrics=metrics),
            "wormhole_peer_latest_handshake_seconds",
        )[("node-b",)]
        - BEGIN
        for at, age in [(0.0, 5), (60.9, 66), (121.0, 125), (180.0, 3)]
    ]
    assert times == [-5, -5, -5, 177]


def test_above_the_limit_no_peer_has_series_of_its_own() -> None:
    peers = [make_peer(f"node-{number}") for number in range(4)]
    families = scrape(
        make_turn(status=make_status(*peers)), metrics=Metrics("1.2.3", per_peer_limit=3)
    )
    assert values(families, "wormhole_peers") == {(): 4}
    assert not [name for name in families if name.startswith("wormhole_peer_")]


def test_a_turn_that_could_not_read_the_peers_keeps_what_was_seen() -> None:
    families = scrape(
        make_turn(status=make_status(make_peer())),
        make_blind_turn(hindrance=Hindrance.UNOBSERVABLE, error="why"),
    )
    assert values(families, "wormhole_peers") == {(): 1}


def test_changes_are_counted_by_kind_action_and_cause() -> None:
    done = (
        make_change("peer", "a", cause=Cause.DESIRED),
        make_change("peer", "b", cause=Cause.DESIRED),
        make_change("route", action=Action.UPDATE),
    )
    families = scrape(make_turn(outcome=make_outcome(*done)))
    assert values(families, "wormhole_changes_total") == {
        ("create", "desired_changed", "peer"): 2,
        ("update", "drift", "route"): 1,
    }
    assert values(families, "wormhole_drift_found_total") == {("route",): 1}
    assert values(families, "wormhole_plan_changes") == {("peer",): 2, ("route",): 1}


def test_drift_that_is_left_is_shown_and_conflicts_are_not_drift() -> None:
    left = (make_change(), make_change("peer", "x", cause=Cause.BOTH), make_conflict())
    families = scrape(make_turn(outcome=make_outcome(left=left, refused="no")))
    assert values(families, "wormhole_drifted_objects") == {("peer",): 1, ("route",): 1}
    assert values(families, "wormhole_conflicts") == {(): 1}


@pytest.mark.parametrize(
    ("turn", "result"),
    [
        (make_turn(), "unchanged"),
        (make_turn(outcome=make_outcome(make_change())), "converged"),
        (make_turn(outcome=make_outcome(left=(make_conflict(),))), "conflict"),
        (make_turn(outcome=make_outcome(refused="no")), "refused"),
        (make_turn(outcome=make_outcome(reverted=True)), "reverted"),
        (make_turn(outcome=make_outcome(reverted=False)), "not_reverted"),
        (make_turn(outcome=make_outcome(files_left=True)), "files_left"),
        (make_blind_turn(hindrance=Hindrance.NO_DOCUMENTS), "no_documents"),
        (make_blind_turn(hindrance=Hindrance.BUG), "bug"),
    ],
)
def test_a_turn_is_counted_by_what_came_of_it(turn: Turn, result: str) -> None:
    assert name_result(turn) == result
    families = scrape(turn, turn)
    assert values(families, "wormhole_turns_total") == {(result,): 2}
    compared = 2 if turn.outcome else 0
    assert values(families, "wormhole_converge_duration_seconds_count") == {(): compared}


def values_of(turns: Iterable[Turn], *names: str) -> list[float]:
    families = scrape(*turns)
    return [values(families, f"wormhole_{name}")[()] for name in names]


def test_readiness_and_when_it_was_seen_last() -> None:
    names = ("ready", "degraded", "last_verified_timestamp_seconds")
    good = make_turn(seconds=2.0)
    bad = make_blind_turn(60, hindrance=Hindrance.UNOBSERVABLE, error="why")
    locked = make_blind_turn(60, hindrance=Hindrance.LOCKED, error="why")
    assert values_of([good], *names) == [1, 0, BEGIN + 2]
    assert values_of([good, bad], *names) == [0, 1, BEGIN + 2]
    assert values_of([good, locked], *names) == [1, 1, BEGIN + 2]


def test_memory_left_out_objects_and_fights_are_shown() -> None:
    names = ("documents_from_memory", "left_out_objects", "fighting")
    left_out = tuple(Problem(object=f"MeshNode/{name}", rule="no") for name in ("x", "x", "y"))
    silent = (Problem(object="MeshNode/z", rule="no"),)
    desired = Desired(left_out=left_out, endpoints_left_out=silent)
    turn = make_turn(from_memory=True, desired=desired, fight="a fight")
    assert values_of([turn], *names) == [1, 3, 1]
    assert values_of([make_turn()], *names) == [0, 0, 0]


def test_api_errors_are_counted_by_verb_and_status() -> None:
    metrics = Metrics("1.2.3")
    for status in (0, 403, 403):
        metrics.count_api_error(ApiError("PATCH /apis/x", status, "Why", "secret words"))
    families = scrape(metrics=metrics)
    assert values(families, "wormhole_api_errors_total") == {
        ("0", "PATCH"): 1,
        ("403", "PATCH"): 2,
    }


def test_a_real_host_is_measured() -> None:
    turn = take_real_turn(converged())
    families = scrape(turn)
    assert values(families, "wormhole_desired_peers") == {(): 3}
    assert values(families, "wormhole_peers") == {(): 3}
    assert values(families, "wormhole_plan_changes") == {}


def test_two_agents_in_a_process_do_not_share_a_registry() -> None:
    first, second = Metrics("1.2.3"), Metrics("1.2.3")
    first.observe(make_turn())
    assert values(scrape(metrics=second), "wormhole_turns_total") == {}


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    metrics = Metrics("1.2.3")
    metrics.count_api_error(ApiError("GET /x", 500, "InternalError", ""))
    families = scrape(*everything(), metrics=metrics)
    text = (Path(__file__).parents[4] / "docs/metrics.md").read_text(encoding="utf-8")
    row = r"^\| `(wormhole_\w+)(?:\{[a-z,]+\})?` \| (\w+) \|"
    documented = dict(re.findall(row, text, re.MULTILINE))
    assert documented == {
        f"{name}_total" if family.type == "counter" else name: family.type
        for name, family in families.items()
        if name.startswith("wormhole_")
    }


def test_every_result_and_reason_is_documented() -> None:
    text = (Path(__file__).parents[4] / "docs/metrics.md").read_text(encoding="utf-8")
    blind = [make_blind_turn(hindrance=hindrance) for hindrance in Hindrance]
    assert [turn for turn in blind if f"`{name_result(turn)}`" not in text] == []
    assert [hindrance for hindrance in Hindrance if f"| `{hindrance}` |" not in text] == []
