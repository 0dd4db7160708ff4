"""Turns to Events that an operator meets in ``kubectl describe meshnode``: few, and each once."""

import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, Literal

from schemas.state import API_VERSION, Value
from schemas.values import NodeName
from wormhole.agent.trouble import describe_conflicts, find_conflicts, find_troubles
from wormhole.agent.turn import Hindrance, Turn
from wormhole.agent.wording import clip, spell_time
from wormhole.cluster.api import EVENTS, Api, Object
from wormhole.cluster.errors import ApiError

COMPONENT: Final = "wormhole-agent"
AGAIN: Final = 600.0
"""Seconds before the same is told again. Events are kept for an hour by default."""
HOUR: Final = 3600.0
MOST: Final = 20
"""Events an hour, so that no trouble of a host becomes one of the API server's."""
FOLLOWERS: Final = 2
"""How many others tell of an object that was left out, beside its own node's agent."""

_TOO_MANY: Final = 429
_REFUSED: Final = range(400, 500)

_REASONS: Final = {
    "MassDeleteRefused": "Refused",
    "Reverted": "Reverted",
    "NotReverted": "NotReverted",
    "FilesLeft": "NotReverted",
    "Fight": "Fight",
    Hindrance.UNOBSERVABLE: "Unobservable",
    Hindrance.UNSUPPORTED: "Unobservable",
    Hindrance.HOST_ERROR: "Unobservable",
    Hindrance.UNFIT_DOCUMENTS: "Refused",
    Hindrance.NO_KEY: "Refused",
    Hindrance.BUG: "Bug",
}
"""Which troubles are told, and as what. The others end by themselves, or are told of an object."""


_BLAMED: Final = {
    "MeshNode": ("LeftOut", "left out of the mesh"),
    "Mesh": ("Refused", "every host keeps its last good documents"),
}
"""By kind of object: what its problem is told as, and what comes of it."""


class Notice(Value, frozen=True, kw_only=True):
    """What an Event says, before it is known when."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    about: str
    """The object, as ``Kind/name``."""


def find_notices(turn: Turn, before: Turn | None) -> tuple[Notice, ...]:
    """Return what is worth an Event in a turn, whether or not it was told already."""
    notices = [*_tell_troubles(turn), *_tell_conflicts(turn), *_tell_left_out(turn)]
    if before is not None and turn.verified and not notices and has_told(before):
        message = "the host is as desired again"
        notices = [_notice(turn, "Converged", message, type_="Normal")]
    return tuple(notices)


def has_told(turn: Turn) -> bool:
    """Whether a turn had a trouble of this host's own to tell."""
    return any((*_tell_troubles(turn), *_tell_conflicts(turn)))


def is_teller(host: str, offender: str, members: Iterable[str]) -> bool:
    """Whether a host tells of another's object: the object's own node does, and the next two.

    Next in circular order of names, so that the choice needs no talk, and a thousand agents that
    all leave out one object make three Events, not a thousand.
    """
    if host == offender:
        return True
    others = sorted({host, *members} - {offender})
    start = bisect_right(others, offender)
    return host in {others[(start + step) % len(others)] for step in range(FOLLOWERS)}


class EventTeller:
    """An errand of the clerk's: each Event once in ten minutes, and at most 20 an hour.

    The loop's thread observes turns, the clerk's thread runs it. What the API refuses is dropped;
    what it could not be told waits in a short queue.
    """

    name = "tell Events"

    def __init__(
        self,
        api: Api,
        uid_of: Callable[[str], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take ``uid_of``: the ``metadata.uid`` of an object by its ``Kind/name``, or nothing.

        ``kubectl describe`` finds Events by uid; one without is shown by ``kubectl get events``.
        """
        self._api = api
        self._uid_of = uid_of
        self._monotonic = monotonic
        self._told: dict[Notice, float] = {}
        self._times: deque[float] = deque(maxlen=MOST)
        self._queue: deque[Object] = deque(maxlen=MOST)
        self._before: Turn | None = None

    def observe(self, turn: Turn) -> None:
        """Queue what is worth telling. Quick; call :meth:`Clerk.poke` afterwards."""
        now = self._monotonic()
        for notice in find_notices(turn, self._before):
            if self._may_tell(notice, now):
                uid = self._uid_of(notice.about)
                self._queue.append(make_event(notice, turn, uid=uid, number=len(self._told)))
        self._before = turn

    def due(self, now: float) -> float | None:
        """Return ``now`` while there is something to send, else None."""
        return now if self._queue else None

    def run(self, now: float) -> None:
        """Send what waits, in order.

        Raises:
            ApiError: one could not be sent, and waits on; or the last one was refused for good.

        """
        del now
        refused = None
        while self._queue:
            event = self._queue[0]
            try:
                self._api.create(EVENTS, event)
            except ApiError as error:
                if error.status not in _REFUSED or error.status == _TOO_MANY:
                    raise
                refused = error
            # Meanwhile a full queue may have dropped what was sent.
            if self._queue and self._queue[0] is event:
                self._queue.popleft()
        if refused is not None:
            raise refused

    def _may_tell(self, notice: Notice, now: float) -> bool:
        self._told = {old: when for old, when in self._told.items() if now - when < AGAIN}
        if notice in self._told:
            return False
        if len(self._times) == MOST and now - self._times[0] < HOUR:
            return False
        self._told[notice] = now
        self._times.append(now)
        return True


def make_event(notice: Notice, turn: Turn, *, uid: str, number: int) -> Object:
    """Return the core/v1 Event. ``number`` tells apart those of one turn.

    The involved object has no namespace, so the API server wants the Event in ``default``
    (``ValidateEvent`` in pkg/apis/core/validation/events.go).
    """
    kind, _, name = notice.about.partition("/")
    moment = spell_time(turn.ended)
    seed = f"{turn.host}/{turn.number}/{turn.started}/{number}/{notice.about}/{notice.reason}"
    involved = {"apiVersion": API_VERSION, "kind": kind, "name": name}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": _name_event(name, seed), "namespace": "default"},
        "involvedObject": involved | ({"uid": uid} if uid else {}),
        "reason": notice.reason,
        "message": notice.message,
        "source": {"component": COMPONENT, "host": turn.host},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "type": notice.type,
    }


def _name_event(name: str, seed: str) -> str:
    """Return the object's name and 16 digits, as client-go does; 253 characters at most."""
    return f"{name[:236].rstrip('.-')}.{sha256(seed.encode()).hexdigest()[:16]}"


def _notice(
    turn: Turn, reason: str, message: str, *, type_: Literal["Normal", "Warning"] = "Warning"
) -> Notice:
    about = f"MeshNode/{turn.host}"
    return Notice(type=type_, reason=reason, message=clip(message), about=about)


def _tell_troubles(turn: Turn) -> Iterable[Notice]:
    for trouble in find_troubles(turn):
        if trouble.reason in _REASONS:
            yield _notice(turn, _REASONS[trouble.reason], trouble.message)


def _tell_conflicts(turn: Turn) -> Iterable[Notice]:
    if conflicts := find_conflicts(turn):
        yield _notice(turn, "Conflict", describe_conflicts(conflicts))


def _tell_left_out(turn: Turn) -> Iterable[Notice]:
    """Tell of objects that were left out, and of those that stop this host's documents."""
    members: set[NodeName] = set(turn.resolved.peers) if turn.resolved else set()
    for problem in (*turn.desired.left_out, *turn.desired.problems):
        kind, _, offender = problem.object.partition("/")
        if kind in _BLAMED and is_teller(turn.host, offender, members):
            reason, opening = _BLAMED[kind]
            message = clip(f"{opening}: {problem}")
            yield Notice(type="Warning", reason=reason, message=message, about=problem.object)
