"""Turns to what the API is told of them: the node's status, and Events."""

from collections import deque
from collections.abc import Callable
from typing import Final

from wormhole import __version__
from wormhole.agent.publishing.errands import See
from wormhole.agent.status.events import EventTeller
from wormhole.agent.status.report import make_report
from wormhole.agent.status.statuswriter import StatusWriter
from wormhole.agent.turns.turn import Turn
from wormhole.cluster.api import Api, Object

_TURNS: Final = 100
"""Turns that may wait to be told; older ones are superseded by what came after them."""


class Tell:
    """Tells the API what the turns came to: the node's status, and Events about what matters.

    Both pace and repeat themselves, so that what the API refuses here holds up nothing else.
    """

    name = "status"

    def __init__(  # noqa: PLR0913 - what an errand needs, by name
        self,
        api: Api,
        *,
        node: str,
        meshnodes: See,
        own_status: Callable[[], Object],
        uid_of: Callable[[str], str],
        on_trouble: Callable[[], None] = lambda: None,
    ) -> None:
        """Take ``on_trouble``, which is called when :attr:`api_error` may have changed.

        ``own_status`` is what the watch shows of the node's status, as :class:`OwnStatus` does.
        """
        self._api = api
        self._own_status = own_status
        self._on_trouble = on_trouble
        self._node = node
        self._meshnodes = meshnodes
        self._turns: deque[Turn] = deque(maxlen=_TURNS)
        self._teller = EventTeller(api, node, uid_of)
        self._writer: StatusWriter | None = None
        self._report: Object = {}
        self._uid = ""

    @property
    def api_error(self) -> str:
        """What the API last had against a status or an Event; empty when nothing."""
        told = (self._writer.api_error if self._writer else "", self._teller.api_error)
        return "; ".join(filter(None, told))

    def take(self, turn: Turn) -> None:
        """Leave word of a turn. From any thread."""
        self._turns.append(turn)

    def run(self, now: float) -> None:
        """Make reports of the turns since the last run, and send what is due."""
        published = self._meshnodes().objects.get(self._node)
        if published is None:
            return  # a status needs an object; turns wait
        seen = self._own_status()
        writer = self._open_writer(str(published["metadata"].get("uid", "")), seen, now)
        writer.see(seen, now)
        while self._turns:
            turn = self._turns.popleft()
            self._report = make_report(turn, self._report, __version__)
            writer.offer(self._report, now)
            self._teller.observe(turn, now)
        writer.flush(now)
        self._teller.flush(now)
        self._on_trouble()

    def due(self, now: float) -> float | None:
        """Return when something that was put off may be sent."""
        if self._writer is None:
            return None
        moments = (self._writer.due(now), self._teller.due(now))
        return min((moment for moment in moments if moment is not None), default=None)

    def _open_writer(self, uid: str, seen: Object, now: float) -> StatusWriter:
        """Begin with what the API has; begin anew when the object is another one."""
        if self._writer is None:
            self._report = seen
            self._writer = StatusWriter(self._api, self._node, seen)
        elif uid != self._uid:
            self._writer.forget(now)
        self._uid = uid
        return self._writer
