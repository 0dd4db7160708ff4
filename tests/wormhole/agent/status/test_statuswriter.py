"""When statuses are written, and what is sent."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from no_api import NoApi

from wormhole.agent.status.statuspace import (
    COUNTER_COPIES,
    NEWS_COPIES,
    SETTLE,
    SHORTEST,
    StatusPace,
    back_off,
    counter_interval,
    news_spread,
)
from wormhole.agent.status.statuswriter import StatusWriter
from wormhole.cluster.api import Object
from wormhole.cluster.errors import ApiError

READY: Object = {"desiredDigest": "aa", "peers": 3, "connectedPeers": 3}
KEY = "kPk3Cq0YvVwqHkIu8n7A0o0yq0Gg4m3cV1uTzJrXb1E="


class Recorder(NoApi):
    """An API that takes down what is sent, and refuses when told to."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Mapping[str, str], Object]] = []
        self.error: ApiError | None = None

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        if self.error:
            raise self.error
        self.sent.append((path, kind, query, body))
        return body

    @property
    def statuses(self) -> list[Object]:
        return [body["status"] for *_, body in self.sent]


def a_writer(known: Object | None = None) -> tuple[Recorder, StatusWriter]:
    api = Recorder()
    return api, StatusWriter(api, "node-a", known or {})


def settle(writer: StatusWriter, now: float, *, until: float = 1e6) -> float:
    """Do everything that falls due; return when the last of it did."""
    for _ in range(100):
        due = writer.due(now)
        if due is None or due > until:
            return now
        now = due
        writer.flush(now)
    raise AssertionError("it never comes to rest")


def test_a_status_is_applied_with_a_manager_of_its_own_and_by_force() -> None:
    api, writer = a_writer()
    writer.offer(READY, 0.0)
    settle(writer, 0.0)
    assert api.sent == [
        (
            "/apis/wormhole.dev/v1alpha1/meshnodes/node-a/status",
            "application/apply-patch+yaml",
            {"fieldManager": "wormhole-agent-status", "force": "true"},
            {
                "apiVersion": "wormhole.dev/v1alpha1",
                "kind": "MeshNode",
                "metadata": {"name": "node-a"},
                "status": READY,
            },
        )
    ]


def test_news_waits_for_more_of_it_and_goes_in_one_write() -> None:
    api, writer = a_writer()
    writer.offer({"desiredDigest": "aa"}, 0.0)
    writer.offer(READY, 1.0)
    assert api.sent == []
    assert settle(writer, 1.0) == pytest.approx(SETTLE, abs=0.01)
    assert api.statuses == [READY]


def test_what_is_over_at_once_is_never_written() -> None:
    api, writer = a_writer(READY)
    writer.offer(READY | {"desiredDigest": "bb"}, 0.0)
    writer.offer(READY, 1.0)
    assert writer.due(1.0) is None
    assert api.sent == []


def test_nothing_is_sent_that_the_api_has() -> None:
    api, writer = a_writer(READY)
    for now in range(0, 6000, 60):
        writer.offer(dict(READY), float(now))
        assert writer.due(now) is None
    assert api.sent == []


def test_two_writes_are_at_least_ten_seconds_apart() -> None:
    api, writer = a_writer()
    times: list[int] = []
    for now in range(100):
        writer.offer(READY | {"desiredDigest": f"{now}"}, float(now))
        if len(api.sent) > len(times):
            times.append(now)
    assert len(times) >= 8
    assert min(b - a for a, b in pairwise(times)) >= SHORTEST


def test_counters_wait_a_minute() -> None:
    api, writer = a_writer()
    writer.offer(READY, 0.0)
    first = settle(writer, 0.0)
    writer.offer(READY | {"connectedPeers": 2}, first + 5)
    assert settle(writer, first + 5) == first + 60
    assert api.statuses[-1]["connectedPeers"] == 2


def test_counters_go_along_with_news() -> None:
    api, writer = a_writer(READY)
    writer.offer(READY | {"connectedPeers": 2, "desiredDigest": "bb"}, 100.0)
    settle(writer, 100.0, until=110.0)
    assert api.statuses == [READY | {"connectedPeers": 2, "desiredDigest": "bb"}]


def test_in_a_large_mesh_a_small_move_of_a_counter_waits_ten_times_as_long() -> None:
    large = READY | {"peers": 1000, "connectedPeers": 900}
    pace = StatusPace("node-a")
    pace.want(large, 0.0)
    pace.succeed(large, 0.0)
    waits = {}
    for connected in (899, 851, 850, 0, 1000):
        pace.want(large | {"connectedPeers": connected}, 1.0)
        waits[connected] = pace.due()
    assert waits == {899: 1000.0, 851: 1000.0, 850: 100.0, 0: 100.0, 1000: 100.0}


def test_in_a_small_mesh_every_peer_counts() -> None:
    pace = StatusPace("node-a")
    pace.want(READY | {"peers": 20, "connectedPeers": 10}, 0.0)
    pace.succeed(READY | {"peers": 20, "connectedPeers": 10}, 0.0)
    pace.want(READY | {"peers": 20, "connectedPeers": 9}, 1.0)
    assert pace.due() == 60.0


@pytest.mark.parametrize(
    ("peers", "spread", "counters"),
    [(6, 0.00072, 60.0), (100, 0.2, 60.0), (1000, 20.0, 100.0), (5000, 500.0, 2500.0)],
)
def test_the_arithmetic_is_what_the_docstring_says(
    peers: int, spread: float, counters: float
) -> None:
    assert news_spread(peers) == pytest.approx(spread)
    assert counter_interval(peers) == pytest.approx(counters)


def test_a_thousand_agents_with_one_piece_of_news_stay_within_the_ration() -> None:
    status = READY | {"peers": 1000}
    moments = []
    for number in range(1000):
        pace = StatusPace(f"node-{number}")
        pace.want(status, 0.0)
        moments.append(pace.due() or 0.0)
    seconds = [sum(int(moment) == second for moment in moments) for second in range(24)]
    assert sum(seconds) == 1000
    # 50 writes a second would be even; names are scattered, not dealt out.
    assert max(seconds) * 1000 <= NEWS_COPIES * 1.6


def test_a_thousand_agents_counters_stay_within_the_ration() -> None:
    assert 1000 / counter_interval(1000) * 1000 == pytest.approx(COUNTER_COPIES)


def test_an_agent_in_a_large_mesh_tells_news_as_seldom_as_it_is_spread() -> None:
    pace = StatusPace("node-a")
    status = READY | {"peers": 1000}
    pace.want(status, 0.0)
    pace.succeed(status, 100.0)
    pace.want(status | {"desiredDigest": "bb"}, 100.5)
    assert (pace.due() or 0) >= 120.0


def test_a_failed_write_is_told_and_repeated_ever_later() -> None:
    api, writer = a_writer()
    api.error = ApiError("PATCH /x", 503, "ServiceUnavailable", f"try\nlater {KEY}")
    writer.offer(READY, 0.0)
    now, waits = 0.0, []
    for _ in range(8):
        due = writer.due(now)
        assert due is not None
        waits.append(due - now)
        now = due
        writer.flush(now)
    assert writer.api_error == r"PATCH /x: 503 ServiceUnavailable: try\nlater (a key)"
    assert waits[1:] == [pytest.approx(back_off(count, _place())) for count in range(1, 8)]
    assert waits[-1] <= 450

    api.error = None
    writer.flush(now + 450)
    assert (api.statuses, writer.api_error, writer.due(now + 450)) == ([READY], "", None)


def test_news_does_not_shorten_the_wait_after_a_failure() -> None:
    api, writer = a_writer()
    api.error = ApiError("PATCH /x", 0, "NoAnswer", "timed out")
    writer.offer(READY, 0.0)
    failed = writer.due(0.0) or 0.0
    writer.flush(failed)
    before = writer.due(failed)
    writer.offer(READY | {"desiredDigest": "bb"}, failed + 1)
    assert writer.due(failed) == before
    api.error = None
    settle(writer, failed)
    assert api.statuses == [READY | {"desiredDigest": "bb"}]


def test_another_meshnode_of_the_name_is_told_everything_anew() -> None:
    api, writer = a_writer(READY)
    writer.offer(READY, 0.0)
    writer.forget(5.0)
    settle(writer, 5.0)
    assert api.statuses == [READY]


@given(
    st.lists(
        st.tuples(st.floats(0.0, 30.0), st.sampled_from("abc"), st.integers(0, 40), st.booleans()),
        max_size=40,
    )
)
@pytest.mark.law
def test_whatever_is_offered_is_told_in_the_end_and_never_too_often(
    steps: list[tuple[float, str, int, bool]],
) -> None:
    api, writer = a_writer()
    now, times = 0.0, []
    status: Object = {}
    for wait, digest, connected, refused in steps:
        now += wait
        api.error = ApiError("PATCH /x", 500, "InternalError", "") if refused else None
        status = {"desiredDigest": digest, "peers": 40, "connectedPeers": connected}
        count = len(api.sent)
        writer.offer(status, now)
        times += [now] * (len(api.sent) - count)
    api.error = None
    settle(writer, now)
    assert api.statuses[-1:] == ([status] if status else [])
    assert all(b - a >= SHORTEST for a, b in pairwise(times))


def _place() -> float:
    """Return where node-a stands among all, as seen from how long it waits."""
    return StatusPace("node-a")._place
