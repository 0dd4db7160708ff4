"""A status is told when there is news, and again when somebody else wrote another."""

from collections.abc import Mapping

import msgspec
import pytest
from agentturns import make_turn
from no_api import NoApi

from wormhole.agent.status.ownstatus import OwnStatus
from wormhole.agent.status.telling import Tell
from wormhole.cluster.api import Object
from wormhole.cluster.content import Snapshot
from wormhole.cluster.errors import ApiError
from wormhole.cluster.keep import keep_meshnode


class Recorder(NoApi):
    """An API that takes down what is applied, and refuses when told to."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.applied: Object = {}
        self.error: ApiError | None = None

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        del kind, query
        self.requests.append(f"PATCH {path}")
        if self.error:
            raise self.error
        self.applied = body
        return body


class Telling:
    """An errand that tells the status, and the watch over the node's own MeshNode."""

    def __init__(self) -> None:
        self.server = Recorder()
        self.pokes = 0
        self.troubles: list[str] = []
        self.own = OwnStatus("node-a", keep_meshnode, self._poke)
        self.objects: dict[str, Object] = {}
        self.errand = Tell(
            self.server,
            node="node-a",
            meshnodes=lambda: Snapshot(objects=self.objects, synced=True, deleted={}),
            own_status=self.own,
            uid_of=lambda _: "u-1",
            on_trouble=lambda: self.troubles.append(self.errand.api_error),
        )
        self.show({})

    def _poke(self) -> None:
        self.pokes += 1

    def show(self, status: Object, name: str = "node-a") -> None:
        """Let the watch show a status."""
        metadata = {"name": name, "uid": "u-1", "resourceVersion": "7"}
        kept = self.own.keep({"metadata": metadata, "spec": {}, "status": status})
        assert "status" not in kept, "a status would wake the loop, and all be compiled again"
        self.objects[name] = kept

    def echo(self) -> Object:
        """Let the watch show what was written; return it."""
        status: Object = self.server.applied["status"]
        self.show(msgspec.json.decode(msgspec.json.encode(status)))
        return status

    def pass_time(self, begin: float, end: float) -> None:
        """Run whenever something is due."""
        now = begin
        self.errand.run(now)
        for _ in range(1000):
            due = self.errand.due(now)
            if due is None or due > end:
                return
            now = max(due, now)
            self.errand.run(now)
        raise AssertionError("it never comes to rest")

    @property
    def writes(self) -> int:
        return sum(request.startswith("PATCH") for request in self.server.requests)


FORGED: Object = {"heldPresharedKeyEpochs": ["forged"], "presharedKeyEpoch": "forged"}


@pytest.fixture
def telling() -> Telling:
    """Return one that has told a status, whose echo came, and rests."""
    telling = Telling()
    telling.errand.take(make_turn())
    telling.pass_time(100.0, 110.0)
    telling.echo()
    telling.pass_time(110.0, 1000.0)
    assert telling.writes == 1
    return telling


def test_a_status_is_told_without_asking_for_the_one_before(telling: Telling) -> None:
    path = "/apis/wormhole.dev/v1alpha1/meshnodes/node-a/status"
    assert telling.server.requests == [f"PATCH {path}"]
    assert telling.errand.due(1000.0) is None


def test_what_the_api_has_already_is_not_told_again_by_the_next_process(telling: Telling) -> None:
    second = Telling()
    second.show(telling.server.applied["status"])
    second.errand.take(make_turn(60.0))
    second.pass_time(100.0, 10_000.0)
    assert second.server.requests == []


@pytest.mark.parametrize("status", [FORGED, {}], ids=["forged", "an old etcd's"])
def test_a_status_that_somebody_else_wrote_is_told_again(telling: Telling, status: Object) -> None:
    honest = telling.server.applied["status"]
    pokes = telling.pokes
    telling.show(status)
    assert telling.pokes == pokes + 1
    telling.pass_time(2000.0, 2030.0)
    assert telling.writes == 2
    assert telling.echo() == honest
    telling.pass_time(2030.0, 10_000.0)
    assert telling.writes == 2


def test_a_late_echo_is_nobody_elses_word(telling: Telling) -> None:
    first = telling.server.applied["status"]
    telling.errand.take(make_turn(60.0, held_epochs=("e1",)))
    telling.pass_time(2000.0, 2005.0)
    telling.show(dict(first) | {"peers": 1})
    telling.pass_time(2005.0, 2008.0)
    telling.echo()
    telling.pass_time(2008.0, 10_000.0)
    assert telling.writes == 2


def test_a_watch_that_shows_the_past_costs_one_write_and_not_many(telling: Telling) -> None:
    telling.show(FORGED)
    telling.pass_time(2000.0, 20_000.0)
    assert telling.writes == 2


def test_what_was_seen_before_the_last_write_is_past(telling: Telling) -> None:
    telling.show(FORGED)
    telling.pass_time(2000.0, 2001.0)
    telling.errand.take(make_turn(60.0, held_epochs=("e1",)))
    telling.pass_time(2001.0, 20_000.0)
    assert telling.writes == 2


def test_the_statuses_of_others_are_nothing_to_it(telling: Telling) -> None:
    pokes = telling.pokes
    telling.show(FORGED, name="node-b")
    telling.pass_time(2000.0, 10_000.0)
    assert (telling.pokes, telling.writes) == (pokes, 1)


def test_who_writes_it_again_and_again_is_answered_ever_later(telling: Telling) -> None:
    for second in range(2000, 5600):
        now, writes = float(second), telling.writes
        telling.errand.run(now)
        if telling.writes > writes or second == 2000:
            telling.show(FORGED | {"version": str(second)})
    assert telling.writes - 1 <= 10
    assert telling.writes - 1 >= 6


def test_a_status_that_is_refused_is_told_at_once_and_once_it_is_taken_no_more(
    telling: Telling,
) -> None:
    telling.troubles.clear()
    telling.server.error = ApiError("PATCH /x", 422, "Invalid", "too many")
    telling.errand.take(make_turn(60.0, held_epochs=("e1",)))
    telling.pass_time(2000.0, 2005.0)
    assert telling.troubles[-1] == "PATCH /x: 422 Invalid: too many"
    telling.server.error = None
    telling.pass_time(2005.0, 2100.0)
    assert (telling.troubles[-1], telling.writes) == ("", 3)
