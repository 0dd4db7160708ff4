"""Turns to Events that an operator meets in ``kubectl describe meshnode``: few, and each once."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, Literal

from msgspec.structs import replace

from schemas.state import API_VERSION, Value
from schemas.values import NodeName
from wormhole.agent.turns.offence import find_blame, find_offences
from wormhole.agent.turns.trouble import blur, describe_conflicts, find_conflicts, find_troubles
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.agent.wording import clip, redact, spell_time
from wormhole.cluster.api import EVENTS, Api, Object
from wormhole.cluster.errors import ApiError

COMPONENT: Final = "wormhole-agent"
AGAIN: Final = 600.0
"""Seconds before the same is told again. Events are kept for an hour by default."""
HOUR: Final = 3600.0
MOST: Final = 20
"""Events an hour, so that no trouble of a host becomes one of the API server's."""
FOLLOWERS: Final = 3
"""How many others tell of an object that was left out, beside its own node's agent."""

RETRY: Final = 30.0
"""Seconds before an Event that could not be sent is tried again."""

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


class Notice(Value, frozen=True, kw_only=True):
    """What an Event says, before it is known when."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    about: str
    """The object, as ``Kind/name``."""
    key: str = ""
    """What makes two of them the same, where the message holds what others chose."""


def find_notices(turn: Turn, before: Turn | None) -> tuple[Notice, ...]:
    """Return what is worth an Event in a turn, whether or not it was told already."""
    notices = [*_tell_troubles(turn), *_tell_conflicts(turn), *_tell_left_out(turn)]
    if before is not None and _has_own(before) and turn.verified and not _has_own(turn):
        notices.append(_notice(turn, "Converged", "the host is as desired again", type_="Normal"))
    return tuple(notices)


def _has_own(turn: Turn) -> bool:
    """Whether a turn had a trouble of this host's own to tell."""
    return any((*_tell_troubles(turn), *_tell_conflicts(turn)))


def is_teller(host: str, offender: str, members: Iterable[str]) -> bool:
    """Whether a host tells of another's object: the object's own node does, and the next three.

    Next in circular order of names, so that the choice needs no talk, and a thousand agents that
    all leave out one object make four Events, not a thousand.
    """
    if host == offender:
        return True
    others = sorted({host, *members} - {offender})
    start = bisect_right(others, offender)
    return host in {others[(start + step) % len(others)] for step in range(FOLLOWERS)}


class EventTeller:
    """Sends Events, each once in ten minutes and at most 20 an hour. Not for two threads at once.

    What the API refuses is dropped; what it could not be told waits in a short queue.
    """

    def __init__(self, api: Api, host: str, uid_of: Callable[[str], str]) -> None:
        """Take ``uid_of``: the ``metadata.uid`` of an object by its ``Kind/name``, or nothing.

        ``kubectl describe`` finds Events by uid; one without is shown by ``kubectl get events``.
        """
        self._api = api
        self._host = host
        self._uid_of = uid_of
        self._told: dict[Notice, float] = {}
        self._times: deque[float] = deque(maxlen=MOST)
        self._queue: deque[Object] = deque(maxlen=MOST)
        self._number = 0
        self._retry_at = float("-inf")
        self._before: Turn | None = None
        self.error: ApiError | None = None
        """Why the last Event could not be told; None after a good one."""

    @property
    def api_error(self) -> str:
        """The same for people, on one line, without a secret; empty after a good one."""
        return clip(redact(str(self.error))) if self.error else ""

    def observe(self, turn: Turn, now: float) -> None:
        """Queue what is worth telling. Any clock will do: Events bear the turn's own time."""
        for notice in find_notices(turn, self._before):
            if self._may_tell(notice, now):
                self._number += 1
                involved = refer_to(notice.about, self._uid_of(notice.about))
                seed = f"{self._host}/{turn.ended}/{self._number}"
                event = make_event(notice, involved, host=self._host, moment=turn.ended, seed=seed)
                self._queue.append(event)
        self._before = turn

    def due(self, now: float) -> float | None:
        """Return when there is something to send, not before ``now``; None without anything."""
        return max(now, self._retry_at) if self._queue else None

    def flush(self, now: float) -> None:
        """Send what waits, in order, until one cannot be sent: that one is tried again later."""
        if now < self._retry_at:
            return
        while self._queue:
            try:
                self._api.create(EVENTS, self._queue[0])
            except ApiError as error:
                self.error = error
                if error.status not in _REFUSED or error.status == _TOO_MANY:
                    self._retry_at = now + RETRY
                    return
            else:
                self.error = None
            self._queue.popleft()

    def _may_tell(self, notice: Notice, now: float) -> bool:
        self._told = {old: when for old, when in self._told.items() if now - when < AGAIN}
        told = replace(notice, message="" if notice.key else blur(notice.message))
        if told in self._told:
            return False
        if len(self._times) == MOST and now - self._times[0] < HOUR:
            return False
        self._told[told] = now
        self._times.append(now)
        return True


def refer_to(about: str, uid: str) -> Object:
    """Return the reference to an object of ours. It has no namespace.

    That is why the API server wants the Event itself in ``default`` (``legacyValidateEvent`` in
    pkg/apis/core/validation/events.go).
    """
    kind, _, name = about.partition("/")
    reference = {"apiVersion": API_VERSION, "kind": kind, "name": name}
    return reference | ({"uid": uid} if uid else {})


def make_event(notice: Notice, involved: Object, *, host: str, moment: float, seed: str) -> Object:
    """Return the core/v1 Event. ``seed`` is what no other Event has."""
    when = spell_time(moment)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": _name_event(involved["name"], seed), "namespace": "default"},
        "involvedObject": involved,
        "reason": notice.reason,
        "message": notice.message,
        "source": {"component": COMPONENT, "host": host},
        "firstTimestamp": when,
        "lastTimestamp": when,
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
    for offence in (*find_offences(turn.desired), *find_blame(turn.desired)):
        if is_teller(turn.host, offence.object.partition("/")[2], members):
            yield Notice(
                type="Warning",
                reason=offence.reason,
                message=clip(f"{offence.cost}: {offence.message}"),
                about=offence.object,
                key=offence.place,
            )
