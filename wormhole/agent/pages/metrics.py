"""Turns to Prometheus metrics. A scrape reads what the last turn saw, and never the kernel.

``docs/metrics.md`` lists them with their labels and how many series each can have.
"""

import threading
from collections import Counter as Tally
from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from applier.outcome import Result
from applier.plan import Action, Cause, Change
from applier.status import PeerStatus, Status
from schemas.values import PublicKey
from wormhole.agent.pages.web import Page
from wormhole.agent.status.report import count_connected, is_ready
from wormhole.agent.turns.offence import find_offences
from wormhole.agent.turns.trouble import find_conflicts, find_troubles
from wormhole.agent.turns.turn import Turn
from wormhole.cluster.errors import ApiError

PER_PEER_LIMIT: Final = 500
"""Peers above which there are no series for each: they grow with the square of the mesh."""
JITTER: Final = 2
"""Seconds by which the time of one handshake may differ when it is computed from its age."""

_BUCKETS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_DRIFTED: Final = frozenset({Cause.DRIFT, Cause.BOTH})


class Metrics:
    """Everything that is counted, in a registry of its own. Any thread may scrape."""

    def __init__(self, version: str, *, per_peer_limit: int = PER_PEER_LIMIT) -> None:
        # Else each counter has one more series, which says little.
        disable_created_metrics()  # type: ignore[no-untyped-call] # the library's own omission
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._last = _LastTurn(version, per_peer_limit)
        self.registry.register(self._last)
        self._turns = self._count("turns", "Turns of the loop, by what came of them.", "result")
        self._changes = self._count(
            "changes", "Changes made to the host.", "kind", "action", "cause"
        )
        self._drift = self._count(
            "drift_found", "Objects found to differ although nobody wished it.", "kind"
        )
        self._api_errors = self._count(
            "api_errors", "Requests to the API server that failed; status 0: no answer.",
            "verb", "status",
        )  # fmt: skip
        self._duration = Histogram(
            "wormhole_converge_duration_seconds",
            "How long a turn took that compared the host and converged it.",
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def observe(self, turn: Turn) -> None:
        """Count a turn."""
        self._turns.labels(name_result(turn)).inc()
        if turn.outcome is not None:
            self._duration.observe(turn.seconds)
            for kind, number in Tally(map(_kind_of, _drifted(turn.outcome.plan.changes))).items():
                self._drift.labels(kind).inc(number)
            for change, number in Tally(map(_name_change, turn.outcome.done)).items():
                self._changes.labels(*change).inc(number)
        self._last.observe(turn)

    def count_api_error(self, error: ApiError) -> None:
        """Count a request that failed. Any thread may call it."""
        verb = error.request.partition(" ")[0]
        self._api_errors.labels(verb, str(error.status)).inc()

    def make_page(self, accept: str) -> Page:
        """Return the exposition that a scraper's ``Accept`` header asks for."""
        encode, content_type = choose_encoder(accept)
        return Page(content_type=content_type, body=encode(self.registry))

    def _count(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"wormhole_{name}", help_text, labels, registry=self.registry)


def name_result(turn: Turn) -> str:
    """Return what came of a turn, in one word: ``unchanged``, ``conflict``, ``held_back``."""
    if turn.outcome is None:
        return _snake(turn.hindrance or "unknown")
    if turn.outcome.result is Result.CONVERGED and not turn.outcome.done:
        return "unchanged"
    return turn.outcome.result.replace(" ", "_")


class _LastTurn(Collector):
    """What the last turn saw, as gauges; and totals that outlive peers."""

    def __init__(self, version: str, per_peer_limit: int) -> None:
        self._version = version
        self._limit = per_peer_limit
        self._lock = threading.Lock()
        self._turn: Turn | None = None
        self._status: Status | None = None
        self._ready = False
        self._verified_at: float | None = None
        self._heard: dict[PublicKey, int] = {}
        self._bytes: dict[PublicKey, tuple[int, int]] = {}
        self._received = self._sent = 0

    def observe(self, turn: Turn) -> None:
        with self._lock:
            self._turn = turn
            self._ready = is_ready(turn, self._ready)
            if turn.verified:
                self._verified_at = turn.ended
            if turn.status is not None:
                self._status = turn.status
                self._note_handshakes(turn.status, int(turn.ended))
                self._add_bytes(turn.status)

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            return [*self._describe_agent(), *self._describe_turn(), *self._describe_peers()]

    def _note_handshakes(self, status: Status, now: int) -> None:
        """Keep the time of each handshake steady: an age that is rounded makes it jump."""
        heard: dict[PublicKey, int] = {}
        for peer in status.peers:
            if peer.handshake_age is not None:
                moment = now - peer.handshake_age
                known = self._heard.get(peer.public_key, 0)
                heard[peer.public_key] = known if abs(moment - known) <= JITTER else moment
        self._heard = heard

    def _add_bytes(self, status: Status) -> None:
        """Add what each peer's counters grew by; one that fell began anew with its peer."""
        counters = {peer.public_key: (peer.received, peer.sent) for peer in status.peers}
        for key, (received, sent) in counters.items():
            old_received, old_sent = self._bytes.get(key, (0, 0))
            self._received += received - old_received if received >= old_received else received
            self._sent += sent - old_sent if sent >= old_sent else sent
        self._bytes = counters

    def _describe_agent(self) -> Iterable[Metric]:
        build = _gauge("build_info", "The agent's version; always 1.", "version")
        build.add_metric([self._version], 1)
        yield build
        yield _value("ready", "Whether the last verify found the host as desired.", self._ready)
        if self._verified_at is not None:
            help_text = "When the host was last seen to be as desired."
            yield _value("last_verified_timestamp_seconds", help_text, self._verified_at)

    def _describe_turn(self) -> Iterable[Metric]:
        turn = self._turn
        if turn is None:
            return
        yield _value("degraded", "Whether an operator should mend something.", find_troubles(turn))
        yield _value("conflicts", "Foreign objects in the way.", len(find_conflicts(turn)))
        help_text = "Whether the host follows documents that it remembers."
        yield _value("documents_from_memory", help_text, turn.from_memory)
        help_text = "Whether documents are withheld because nobody confirmed them."
        yield _value("documents_withheld", help_text, turn.withheld)
        left_out = len({offence.object for offence in find_offences(turn.desired)})
        help_text = "Objects that are left out, or without their endpoint."
        yield _value("left_out_objects", help_text, left_out)
        yield _value("fighting", "Whether somebody keeps undoing what is mended.", turn.fight)
        if turn.resolved is not None:
            help_text = "Peers that the host should have."
            yield _value("desired_peers", help_text, len(turn.resolved.peers))
        if turn.outcome is not None:
            planned = _gauge("plan_changes", "Changes in the last plan.", "kind")
            for kind, number in sorted(Tally(map(_kind_of, turn.outcome.plan.changes)).items()):
                planned.add_metric([kind], number)
            yield planned
            drifted = _gauge("drifted_objects", "Drift that the last turn left.", "kind")
            left = Tally(map(_kind_of, _drifted(turn.outcome.left.changes)))
            for kind, number in sorted(left.items()):
                drifted.add_metric([kind], number)
            yield drifted

    def _describe_peers(self) -> Iterable[Metric]:
        status = self._status
        if status is None:
            return
        yield _value("peers", "Peers that the host's device has.", len(status.peers))
        help_text = "Peers that have shaken hands within the last 275 seconds."
        yield _value("connected_peers", help_text, count_connected(status))
        yield _total("received_bytes", "Bytes received from all peers.", self._received)
        yield _total("sent_bytes", "Bytes sent to all peers.", self._sent)
        if len(status.peers) <= self._limit:
            yield from self._describe_each([peer for peer in status.peers if peer.name])

    def _describe_each(self, peers: list[PeerStatus]) -> Iterable[Metric]:
        """Describe each peer that the desired state knows; strangers are about to go."""
        handshake = _gauge(
            "peer_latest_handshake_seconds",
            "When a peer last shook hands, in Unix time; absent until it has.",
            "peer",
        )
        received = _counter("peer_received_bytes", "Bytes received from a peer.", "peer")
        sent = _counter("peer_sent_bytes", "Bytes sent to a peer.", "peer")
        for peer in peers:
            labels = [str(peer.name)]
            received.add_metric(labels, peer.received)
            sent.add_metric(labels, peer.sent)
            if peer.public_key in self._heard:
                handshake.add_metric(labels, self._heard[peer.public_key])
        return handshake, received, sent


def _drifted(changes: Iterable[Change]) -> Iterable[Change]:
    return (
        change
        for change in changes
        if change.cause in _DRIFTED and change.action is not Action.CONFLICT
    )


def _kind_of(change: Change) -> str:
    return change.kind


def _name_change(change: Change) -> tuple[str, str, str]:
    return change.kind, str(change.action), change.cause.replace(" ", "_")


def _snake(words: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in words).strip("_")


def _gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"wormhole_{name}", help_text, labels=labels)


def _counter(name: str, help_text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"wormhole_{name}", help_text, labels=labels)


def _value(name: str, help_text: str, value: object) -> Metric:
    number = value if isinstance(value, int | float) else bool(value)
    return GaugeMetricFamily(f"wormhole_{name}", help_text, value=float(number))


def _total(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"wormhole_{name}", help_text, value=value)
