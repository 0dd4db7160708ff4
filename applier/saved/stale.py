"""Find what differs between two moments of a host: why a saved plan is refused."""

from enum import StrEnum

from applier.diff import Observation
from applier.kind import KindValue
from applier.kinds import KINDS
from applier.plan import Change, Observed, Plan
from applier.saved.lasting import keep_lasting, keep_lasting_of
from schemas.state import Value


class Aspect(StrEnum):
    """What a saved plan depends on beside live objects: its file, its host, its host's memory."""

    SEAL = "seal"
    VERSION = "version"
    KEY = "key"
    MACHINE = "machine"
    BOOT = "boot"
    MEMORY = "memory"


class Fact(Value, frozen=True, kw_only=True):
    """One aspect that is not as it was when the plan was made."""

    aspect: Aspect
    planned: str
    now: str


class LiveDifference(Value, frozen=True, kw_only=True):
    """A live key that does not hold what it held."""

    kind: str
    key: str
    planned: KindValue
    """What it held: a value of the kind's, a sentence about a foreign object; None: nothing."""
    now: KindValue


class OtherChange(Value, frozen=True, kw_only=True):
    """An object for which the plan would be another one now."""

    kind: str
    key: str
    planned: Change | None
    now: Change | None


class Staleness(Value, frozen=True, kw_only=True):
    """Why a saved plan is not carried out: never empty."""

    facts: tuple[Fact, ...] = ()
    objects: tuple[LiveDifference, ...] = ()
    changes: tuple[OtherChange, ...] = ()
    """Of objects that are as they were."""
    reordered: bool = False
    """All changes are the same, and their order is not."""

    def __bool__(self) -> bool:
        return bool(self.facts or self.objects or self.changes or self.reordered)


class Stale(Exception):  # noqa: N818 - a fact about a plan; nothing failed
    """A saved plan does not fit the host any more; nothing was written."""

    def __init__(self, plan: Plan, reasons: Staleness) -> None:
        self.plan = plan
        self.reasons = reasons
        super().__init__(f"the saved plan for {plan.host} is stale")


def compare_live(planned: Observation, now: Observation) -> tuple[LiveDifference, ...]:
    """Return the keys that changed, by kind; ``planned`` holds only what lasts."""
    lasting = keep_lasting(now)
    return tuple(
        _show(kind.name, key, before, after)
        for kind in KINDS
        for there, here in [(planned[kind.name], lasting[kind.name])]
        for key in {**there.owned, **there.foreign, **here.owned, **here.foreign}
        for before, after in [(_held(there, key), _held(here, key))]
        if before != after
    )


def compare_plans(planned: Plan, now: Plan) -> tuple[OtherChange, ...]:
    """Return the objects that the two plans treat differently, whatever the order."""
    before = {(change.kind, change.key): change for change in planned.changes}
    after = {(change.kind, change.key): change for change in now.changes}
    return tuple(
        OtherChange(kind=kind, key=key, planned=one, now=other)
        for kind, key in {**before, **after}
        for one, other in [(before.get((kind, key)), after.get((kind, key)))]
        if not _does_same(one, other)
    )


def says_same(planned: Plan, now: Plan) -> bool:
    """Whether two plans do the same, in the same order."""
    return tuple(map(keep_lasting_of, planned.changes)) == tuple(map(keep_lasting_of, now.changes))


def _does_same(one: Change | None, other: Change | None) -> bool:
    return one is not None and other is not None and keep_lasting_of(one) == keep_lasting_of(other)


def _held(there: Observed, key: str) -> tuple[KindValue, str | None]:
    return there.owned.get(key), there.foreign.get(key)


def _show(
    kind: str, key: str, before: tuple[KindValue, str | None], now: tuple[KindValue, str | None]
) -> LiveDifference:
    """Tell of the foreign object where that is what differs, else of ours."""
    ours = before[1] == now[1]
    planned, found = (side[0] if ours else side[1] or side[0] for side in (before, now))
    return LiveDifference(kind=kind, key=key, planned=planned, now=found)
