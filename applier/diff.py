"""Desired and observed state to a plan: the one function that decides. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from applier.kind import AnyKind, Difference, KindValue, Need
from applier.kinds import KINDS
from applier.plan import Action, Cause, Change, Observed, Risk

State = Mapping[str, Mapping[str, KindValue]]
"""Kind to key to value."""

Observation = Mapping[str, Observed]
"""Kind to what was observed of it."""

_NOTHING: Final = Observed(owned={})
_BY_NAME: Final = {kind.name: kind for kind in KINDS}


def diff(desired: State, observed: Observation, last: State | None = None) -> tuple[Change, ...]:
    """Return what has to change, in the order in which to change it; () means converged.

    ``last`` is what was desired when the host last converged; it decides causes, and whether a
    peer's endpoint may have roamed.
    """
    return _in_order(tuple(_Differ(observed, last).compare(desired)))


def state_of(observed: Observation) -> State:
    """Return what was observed as something to desire: a snapshot to revert to."""
    return {kind: content.owned for kind, content in observed.items()}


class _Differ:
    """One comparison, and what it found out about objects that others depend on."""

    def __init__(self, observed: Observation, last: State | None) -> None:
        self._observed = observed
        self._last = last
        self._waiting: set[Need] = set()
        """What cannot be made, because something foreign is in the way."""
        self._gone: set[Need] = set()
        """What will be deleted, by us or by the kernel, before anything else is made."""
        self._kept: set[Need] = set()
        """What would be deleted to make room for something that cannot be made."""

    def compare(self, desired: State) -> Iterator[Change]:
        for kind in KINDS:
            wanted = desired.get(kind.name, {})
            there = self._observed.get(kind.name, _NOTHING)
            for key, note in there.foreign.items():
                self._waiting |= {Need(kind.name, key), Need(kind.name)}
                yield self._conflict(kind, key, wanted.get(key), note)
            blocked = {kind.claim(wanted[key]) for key in there.foreign if key in wanted} - {""}
            left_over = [key for key in there.owned if key not in wanted]
            if left_over and kind.as_one and self._must_wait(kind, wanted):
                yield from self._explain(kind, left_over, there.owned)
                left_over = []
            for key in left_over:
                if not self._is_kept(kind, key, there.owned[key], blocked):
                    yield from self._compare_one(kind, key, None, there.owned[key])
            for key, value in wanted.items():
                if key not in there.foreign and self._may_be_made(kind, key, value):
                    yield from self._compare_one(kind, key, value, there.owned.get(key))

    def _must_wait(self, kind: AnyKind, wanted: Mapping[str, KindValue]) -> bool:
        return any(
            not self._waiting.isdisjoint(kind.needs(key, value)) for key, value in wanted.items()
        )

    def _explain(
        self, kind: AnyKind, keys: Iterable[str], owned: Mapping[str, KindValue]
    ) -> Iterator[Change]:
        """Name what stays and does not go by itself once the rest is made."""
        for key in keys:
            if note := kind.explain_leftover(key, owned[key]):
                yield self._conflict(kind, key, None, note)

    def _is_kept(self, kind: AnyKind, key: str, value: KindValue, blocked: set[str]) -> bool:
        """Whether an unwanted object stays: its successor waits, or it lives on one that stays.

        A tunnel that works is not taken away for one whose name somebody else holds.
        """
        kept = kind.claim(value) in blocked or not self._kept.isdisjoint(kind.dies_with(key, value))
        if kept:
            self._kept.add(Need(kind.name, key))
        return kept

    def _may_be_made(self, kind: AnyKind, key: str, value: KindValue) -> bool:
        if self._waiting.isdisjoint(kind.needs(key, value)):
            return True
        self._waiting |= {Need(kind.name, key), Need(kind.name)}
        return False

    def _compare_one(
        self,
        kind: AnyKind,
        key: str,
        desired: KindValue,
        observed: KindValue,
    ) -> Iterator[Change]:
        if observed is not None and not self._gone.isdisjoint(kind.dies_with(key, observed)):
            self._gone.add(Need(kind.name, key))
            observed = None
        if desired is None and observed is None:
            return
        last = (self._last or {}).get(kind.name, {}).get(key)
        difference = _compare(kind, desired, observed, last)
        if difference is None:
            return
        if difference.action in {Action.DELETE, Action.RECREATE}:
            self._gone.add(Need(kind.name, key))
        yield self._change(kind, key, _adopt(kind, desired, observed, last), observed, difference)

    def _change(
        self,
        kind: AnyKind,
        key: str,
        desired: KindValue,
        observed: KindValue,
        difference: Difference,
    ) -> Change:
        return Change(
            kind=kind.name,
            key=key,
            action=difference.action,
            before=observed,
            after=desired,
            cause=self._cause(kind, key, desired, observed),
            risk=difference.risk,
            note=difference.note,
        )

    def _conflict(self, kind: AnyKind, key: str, desired: KindValue, note: str) -> Change:
        return Change(
            kind=kind.name,
            key=key,
            action=Action.CONFLICT,
            after=desired,
            cause=Cause.DRIFT,
            risk=Risk.HITLESS,
            note=note,
        )

    def _cause(self, kind: AnyKind, key: str, desired: KindValue, observed: KindValue) -> Cause:
        """Judge by what was applied last which side moved away from it."""
        if self._last is None:
            return Cause.DESIRED
        last = self._last.get(kind.name, {}).get(key)
        drifted = (last is not None or observed is not None) and _compare(
            kind, last, observed, last
        ) is not None
        if not drifted:
            return Cause.DESIRED
        moved = (last is not None or desired is not None) and _compare(
            kind, desired, last, last
        ) is not None
        return Cause.BOTH if moved else Cause.DRIFT


def _compare(
    kind: AnyKind, desired: KindValue, observed: KindValue, last: KindValue
) -> Difference | None:
    return kind.compare(_adopt(kind, desired, observed, last), observed, last)


def _adopt(kind: AnyKind, desired: KindValue, observed: KindValue, last: KindValue) -> KindValue:
    if desired is None or observed is None:
        return desired
    return kind.adopt(desired, observed, last)


def _in_order(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Make first, remove afterwards in reverse; conflicts stand where their object would."""
    leaving = [change for change in changes if change.action is Action.DELETE]
    arriving = [change for change in changes if change.action is not Action.DELETE]
    claimed = {
        _claim(change.kind, change.after)
        for change in arriving
        if change.action in {Action.CREATE, Action.RECREATE}
    } - {""}
    early = [change for change in leaving if _claim(change.kind, change.before) in claimed]
    late = [change for change in leaving if _claim(change.kind, change.before) not in claimed]
    guards = [change for change in arriving if change.kind == KINDS[0].name]
    return (*guards, *early, *arriving[len(guards) :], *reversed(late))


def _claim(kind: str, value: KindValue) -> str:
    claim = _BY_NAME[kind].claim(value)
    return f"{kind} {claim}" if claim else ""
