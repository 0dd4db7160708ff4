"""What one entry speaks of: its reasons, the differences that they explain, and whom they touch."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Final

from review.changes.counting import routes_of, rules_of
from review.changes.delta import Delta
from review.changes.explain import Explained
from review.changes.frame import Frame
from review.changes.impact import find_touched
from review.changes.reason import Reason
from review.changes.review import Cause, Impact
from review.changes.wording import count, verb
from schemas.document import MESH_FILE
from schemas.values import NodeName

_TOGETHER: Final = frozenset({Cause.JOIN, Cause.LEAVE})
"""Told in one entry however many there are."""
_ONE_BY_ONE: Final = frozenset(
    {Cause.KEY, Cause.ENDPOINT, Cause.POD_CIDRS, Cause.PREFIX_MOVE, Cause.RENAME, Cause.SYSCTL}
)
"""Told in an entry each while there are few."""
_FEW: Final = 3
_BY_HAND: Final = frozenset({Cause.FIREWALL, Cause.OTHER, Cause.SYSCTL})
"""What no other change explains."""


class Topic:
    """The reasons of one entry."""

    def __init__(
        self, frame: Frame, reasons: tuple[Reason, ...], deltas: tuple[Delta, ...]
    ) -> None:
        self.frame = frame
        self.reasons = reasons
        self.deltas = deltas

    @property
    def reason(self) -> Reason:
        """The reason, or the first of several of a kind."""
        return self.reasons[0]

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """What the reasons are about."""
        return tuple(sorted({reason.subject for reason in self.reasons if reason.subject}))

    @cached_property
    def hosts(self) -> Mapping[NodeName, Impact]:
        """The hosts of both states that it touches, and what they notice."""
        explained = self.reason.cause not in _BY_HAND
        return find_touched(self.frame, self.deltas, explained=explained)

    @cached_property
    def others(self) -> int:
        """How many hosts it touches that it is not about."""
        return len(self.hosts.keys() - {*self.subjects})

    @property
    def many_hosts(self) -> str:
        """How many hosts it touches: ``3 hosts``."""
        return count(len(self.hosts), "host")

    @cached_property
    def where(self) -> str:
        """Return `` on node-b`` or `` on 3 hosts``; nothing for none, or all of several hosts."""
        hosts, staying = len(self.hosts), len(self.frame.staying)
        if not hosts or (hosts == staying and staying > 1):
            return ""
        return f" on {next(iter(self.hosts))}" if hosts == 1 else f" on {self.many_hosts}"

    def say(self, plural: str, singular: str = "") -> str:
        """Return ``3 hosts gain``, ``1 host gains``."""
        return f"{self.many_hosts} {verb(len(self.hosts), plural, singular)}"

    def say_there(self, plural: str, singular: str = "") -> str:
        """Say it of the hosts, or of ``they`` where the title names them; see ``where``."""
        one = len(self.hosts) == 1
        who = ("it" if one else "they") if self.where else self.many_hosts
        return f"{who} {verb(len(self.hosts), plural, singular)}"

    def say_others(self, plural: str) -> str:
        """Say it of the hosts that it is not about."""
        return f"{count(self.others, 'host')} {verb(self.others, plural)}"

    def count_rules(self, *, gone: bool) -> list[int]:
        """Return how many firewall rules each host loses or gains, of those that do."""
        return self._count(rules_of, gone=gone)

    def count_routes(self, *, gone: bool) -> list[int]:
        """Return how many routes each host loses or gains, of those that do."""
        return self._count(routes_of, gone=gone)

    def _count(self, of: Callable[[Delta], int], *, gone: bool) -> list[int]:
        found: Counter[str] = Counter()
        for delta in self.deltas:
            if delta.file != MESH_FILE and delta.path and (delta.goes if gone else delta.comes):
                found[delta.file] += of(delta)
        return [number for number in found.values() if number]


def make_topics(frame: Frame, explained: Explained) -> Iterator[Topic]:
    """Yield what entries speak of: one reason, or several of a kind that are told together."""
    by_cause: dict[Cause, list[Reason]] = {}
    for reason in explained:
        by_cause.setdefault(reason.cause, []).append(reason)
    for cause, reasons in by_cause.items():
        together = cause in _TOGETHER or (cause in _ONE_BY_ONE and len(reasons) > _FEW)
        for some in [reasons] if together else [[reason] for reason in reasons]:
            deltas = tuple(delta for reason in some for delta in explained[reason])
            yield Topic(frame, tuple(sorted(some, key=_by_subject)), deltas)


def _by_subject(reason: Reason) -> str:
    return reason.subject
