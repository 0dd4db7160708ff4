"""Looking at the cluster again and again until every node has got on, and saying who has not."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Final, Protocol

from wormhole.agent.status.statuspace import news_spread
from wormhole.cluster.api import Api
from wormhole.cluster.errors import ApiError
from wormhole.psk.survey import Report, Survey, explain_silence, list_unpublished, look
from wormhole.psk.target import Wishes
from wormhole.psk.words import count_nodes, name_some

_POLL: Final = 1.0
"""Seconds between two looks; after a look that took long it is more, so that most time is idle."""
_IDLE_SHARE: Final = 4
_SOON: Final = 5.0
"""Seconds until it is said who is missing, when that changed."""
_LATER: Final = 30.0
"""Seconds until the same is said again."""
_SHORTEST: Final = 300.0
"""Seconds that nodes have at least; more where reports are spread over more."""
_PUBLISHING: Final = 60.0
"""Seconds that an agent may take at most to publish a MeshNode again that somebody deleted."""
_UNPUBLISHED: Final = "has no MeshNode; its agent, if there is one, is about to publish it"
_EXPLAINED: Final = 5
"""How many silent nodes are looked into; each is a request."""


class Clock(Protocol):
    """Time, as far as a rotation needs it."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""

    def sleep(self, seconds: float) -> None:
        """Wait."""

    def today(self) -> date:
        """Return the date in UTC."""


class SystemClock:
    """The clock of the machine that the command runs on."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def today(self) -> date:
        """Return the date in UTC."""
        return datetime.now(UTC).date()


def find_timeout(nodes: int) -> float:
    """Return how many seconds to wait for that many nodes, if nobody says.

    A node that reported just now reports again after the spread, at a place in it of its own.
    """
    return max(_SHORTEST, 2 * news_spread(max(0, nodes - 1)) + 60)


class OverdueError(Exception):
    """Not all nodes got on in time. The message names them."""


class Patience:
    """Waits for nodes, within one timeout for each wait."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        wishes: Wishes,
        clock: Clock,
        murmur: Callable[[str], None],
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._wishes = wishes
        self._clock = clock
        self._murmur = murmur
        self._said = ((), 0.0)  # type: tuple[tuple[str, ...], float]
        self._unpublished_since: dict[str, float] = {}

    def wait(
        self, goal: str, is_done: Callable[[Report], bool], check: Callable[[Survey], None]
    ) -> Survey:
        """Return the first look at which every node that counts is done.

        ``goal`` is what they are to do, such as ``hold 2026-11``; ``check`` raises when there is
        no sense in waiting any longer. A server that is away is waited for, too; and so is, for a
        minute, the MeshNode of a Node that has none: who deleted all of them left nobody to ask.

        Raises:
            OverdueError: the timeout passed.

        """
        begin = self._clock.monotonic()
        self._said = ((), begin)
        while True:
            started = self._clock.monotonic()
            survey, missing, error = self._try_look(is_done, check)
            if survey is not None and not missing:
                return survey
            now = self._clock.monotonic()
            if now - begin >= self._wishes.timeout:
                raise OverdueError(self._describe(survey, missing, goal, error))
            self._tell(survey, missing, goal, error)
            self._clock.sleep(max(_POLL, _IDLE_SHARE * (now - started)))

    def _try_look(
        self, is_done: Callable[[Report], bool], check: Callable[[Survey], None]
    ) -> tuple[Survey | None, tuple[Report, ...], str]:
        """Return a look and who is missing, or why there is none just now."""
        try:
            survey = look(self._api, self._namespace)
            check(survey)
            missing = self._find_missing(survey, is_done) or self._find_unpublished(survey)
        except ApiError as error:
            if not _may_pass(error):
                raise
            return None, (), str(error)
        return survey, missing, ""

    def _find_unpublished(self, survey: Survey) -> tuple[Report, ...]:
        """Find the Nodes that may have an agent which is about to say that they are in the mesh.

        Asked only when all others have got on: Nodes are large, and may be many.
        """
        names = list_unpublished(self._api, survey)
        now = self._clock.monotonic()
        since = self._unpublished_since
        self._unpublished_since = {name: since.get(name, now) for name in names}
        return tuple(
            Report(node=name, trouble=_UNPUBLISHED)
            for name, when in self._unpublished_since.items()
            if now - when < _PUBLISHING and name not in self._wishes.without
        )

    def _find_missing(
        self, survey: Survey, is_done: Callable[[Report], bool]
    ) -> tuple[Report, ...]:
        without = self._wishes.without
        return tuple(
            report
            for report in survey.reports
            if report.node not in without and not is_done(report)
        )

    def _tell(
        self, survey: Survey | None, missing: Sequence[Report], goal: str, error: str
    ) -> None:
        """Say who is missing: soon when that changed, and else from time to time."""
        names = tuple(report.node for report in missing) or (error,)
        (last, when), now = self._said, self._clock.monotonic()
        if now - when >= (_LATER if names == last else _SOON):
            self._said = (names, now)
            self._murmur(f"     waiting: {self._describe(survey, missing, goal, error)}")

    def _describe(
        self, survey: Survey | None, missing: Sequence[Report], goal: str, error: str
    ) -> str:
        if survey is None:
            return f"the API does not answer: {error}"
        explained = [self._explain(report) for report in missing[:_EXPLAINED]]
        names = [*explained, *(report.node for report in missing[_EXPLAINED:])]
        total = {report.node for report in (*survey.reports, *missing)}
        of = f"{len(missing)} of {count_nodes(len(total))}"
        verb = "does" if len(missing) == 1 else "do"
        return f"{of} {verb} not {goal}: {name_some(names)}"

    def _explain(self, report: Report) -> str:
        why = explain_silence(self._api, report)
        return f"{report.node} ({why})" if why else report.node


def _may_pass(error: ApiError) -> bool:
    """Whether it may be over soon: no answer, too many requests, or the server's own trouble."""
    return error.status in {0, 429} or error.status >= 500  # noqa: PLR2004 - RFC 9110, 15.6
