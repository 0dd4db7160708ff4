"""When a report is written to ``MeshNode.status``: seldom enough for any number of agents. Pure.

Every agent watches every MeshNode, so one write of a status is copied to as many watchers as the
mesh has nodes, and what all N agents write at once costs the API server N x N copies. That product
is what is rationed here:

* **News** (conditions, digest, epochs, last change, what was left out) mostly comes to all agents
  in the same second, as when a node joins. It is spread over N x N / 50,000 seconds, each agent at
  a place of its own: at most 50,000 copies a second. That is 0.2 s for 100 nodes, 20 s for 1,000,
  8 minutes for 5,000. An agent sends news no more often than this, and never within 10 s.
* **Counters** (peers, connected peers) change with the weather. They are sent every 60 s at most,
  or every N x N / 10,000 s where that is longer: 1,000 nodes send 10 statuses a second between
  them, which is 10,000 copies. A change of less than a twentieth waits ten times as long, unless
  it is from or to none or all; then a mesh in which a few peers come and go is written seldom.

News waits for two seconds first, so that what is over at once is never written, and what comes
together goes in one write. Nothing is sent that the API has already. A failed write is repeated
after 10 s, then twice as long each time up to five minutes; news does not shorten that.

What the watch shows for ten seconds although something else was sent is somebody else's word, or an
older etcd's; then all is told again, at the same pace. Each time within an hour that waits twice as
long, up to ten minutes: another agent may have the same name by mistake.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from wormhole.backoff import double
from wormhole.cluster.api import Object

SHORTEST: Final = 10.0
"""Seconds between two writes, whatever happens."""
SETTLE: Final = 2.0
"""Seconds that news waits for more of it."""
COUNTERS_SHORTEST: Final = 60.0
NEWS_COPIES: Final = 50_000
"""Copies a second that the API server may have to make when all agents have news."""
COUNTER_COPIES: Final = 10_000
"""Copies a second that all agents' counters may cost for ever."""
SMALL: Final = 20
"""A counter that moves by less than one in so many waits longer, ..."""
SMALL_FACTOR: Final = 10
"""... this many times."""
RETRY_LONGEST: Final = 300.0
DOUBT: Final = 10.0
"""Seconds that an echo may take; after that, what is seen instead is believed."""
DOUBT_LONGEST: Final = 600.0
DOUBT_ENDS: Final = 3600.0
"""Seconds in peace after which nobody else is thought to write."""

_COUNTERS: Final = frozenset({"peers", "connectedPeers"})


class StatusPace:
    """When a status is due: arithmetic over what is wanted, what was sent, and when. No clock."""

    def __init__(self, name: str) -> None:
        """Take the node's name, which decides its place among all."""
        self._place = int.from_bytes(sha256(name.encode()).digest()[:8]) / 2**64
        self._sent: Mapping[str, Any] = {}
        self._wanted: Object | None = None
        self._news_since: float | None = None
        self._last = float("-inf")
        self._failures = 0
        self._seen: Mapping[str, Any] | None = None
        self._doubt: float | None = None
        """When to believe what is seen; None while it is what was sent, or was believed before."""
        self._wait = DOUBT
        self._believed = float("-inf")

    def want(self, status: Object, now: float) -> None:
        """Replace what is to be sent."""
        self._wanted = status
        if not self._has_news():
            self._news_since = None
        elif self._news_since is None:
            self._news_since = now

    def due(self) -> float | None:
        """Return when what is wanted may be sent; None while the API has it already."""
        if self._wanted is None or self._wanted == self._sent:
            return None
        peers = int(self._wanted.get("peers", 0))
        if self._failures:
            return self._last + back_off(self._failures, self._place)
        if self._news_since is None:
            return self._last + counter_interval(peers) * self._patience(peers)
        spread = news_spread(peers)
        settled = self._news_since + SETTLE + self._place * spread
        return max(settled, self._last + max(SHORTEST, spread))

    def succeed(self, status: Object, now: float) -> None:
        """Note that the API has a status now."""
        self._sent, self._last, self._failures = status, now, 0
        self._news_since = now if self._has_news() else None
        self._doubt = None  # what was seen before is past: the echo comes, or there was no change

    def see(self, status: Mapping[str, Any], now: float) -> None:
        """Note what the API is seen to have: at every look, the same value until it changes."""
        if status is not self._seen:
            self._seen = status
            if now - self._believed > DOUBT_ENDS:
                self._wait = DOUBT
            self._doubt = None if status == self._sent else now + self._wait
        if self._doubt is not None and now >= self._doubt:
            self._wait, self._believed = min(DOUBT_LONGEST, 2 * self._wait), now
            self._doubt = None
            self.learn(status, now)

    def doubtful_until(self) -> float | None:
        """Return when to look again whether what is seen is still not what was sent."""
        return self._doubt

    def fail(self, now: float) -> None:
        """Note that it may not have it."""
        self._last, self._failures = now, self._failures + 1

    def learn(self, status: Mapping[str, Any], now: float) -> None:
        """Note what the API turned out to have, whoever wrote it and whenever."""
        self._sent = dict(status)
        self._news_since = None
        if self._wanted is not None:
            self.want(self._wanted, now)

    def _has_news(self) -> bool:
        return _leave_counters(self._wanted or {}) != _leave_counters(self._sent)

    def _patience(self, peers: int) -> int:
        """Return how many intervals to wait: one, or more for a move that hardly matters."""
        sent, wanted = (
            int(status.get("connectedPeers", 0)) for status in (self._sent, self._wanted or {})
        )
        ends = {0, peers}
        marginal = abs(wanted - sent) * SMALL < peers and not ends & {sent, wanted}
        unchanged = self._sent.get("peers") == (self._wanted or {}).get("peers")
        return SMALL_FACTOR if marginal and unchanged else 1


def news_spread(peers: int) -> float:
    """Return over how many seconds the agents of a mesh spread news that comes to all of them."""
    return peers * peers / NEWS_COPIES


def counter_interval(peers: int) -> float:
    """Return how many seconds pass at least between two writes of mere counters."""
    return max(COUNTERS_SHORTEST, peers * peers / COUNTER_COPIES)


def back_off(failures: int, place: float) -> float:
    """Return how many seconds to wait after so many failures in a row.

    Agents that failed together do not come back together: each adds up to half, by its place.
    """
    return double(failures, first=SHORTEST, longest=RETRY_LONGEST) * (1 + place / 2)


def _leave_counters(status: Mapping[str, Any]) -> Object:
    return {name: value for name, value in status.items() if name not in _COUNTERS}
