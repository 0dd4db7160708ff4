"""A saved plan to text for whoever approves it, and what made one stale for whoever applies it."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from applier.plan import Action, Cause, Change
from applier.saved.document import SavedPlan
from applier.saved.stale import Aspect, Fact, LiveDifference, OtherChange, Stale
from schemas.problems import neutralise
from wormhole.console import Paint, paint_plain
from wormhole.remarks import count
from wormhole.views.fields import LINE, describe_on_lines
from wormhole.views.grouping import Row, make_rows
from wormhole.views.kinds import title_of
from wormhole.views.plan import describe_change, describe_changes, shorten_digest

_INDENT: Final = " " * 8
_SHOWN: Final = 6

_ASPECTS: Final = {
    Aspect.VERSION: "made by wormhole {planned}; this is {now}",
    Aspect.KEY: "made on a host with the key {planned}; this one has {now}",
    Aspect.MACHINE: "made on the machine {planned}; this is {now}",
    Aspect.BOOT: "made in the boot {planned}; this is {now}",
    Aspect.MEMORY: "applied last was {planned}; now it is {now}",
}
_SEAL: Final = "the file does not say any more what this host wrote into it"

_ACTIONS: Final = {
    Action.CREATE: ("+", "appeared", "create"),
    Action.UPDATE: ("~", "changed", "change"),
    Action.DELETE: ("-", "is gone", "delete"),
}


def describe_saved(saved: SavedPlan, *, paint: Paint = paint_plain, verbose: bool = False) -> str:
    """Return where and from what a plan was made, and what it would change."""
    plan, host = saved.plan, saved.host
    facts = (
        ("machine", f"{host.machine or '(without an id)'}, boot {host.boot}"),
        ("key", host.public_key),
        ("made by", f"wormhole {saved.version}"),
        ("after", _name_memory(saved.last_applied)),
        (
            "may",
            "remove more than a fifth of what is Wormhole's" if saved.allow_mass_delete else "",
        ),
    )
    title = paint("strong", f"Saved plan for {plan.host}")
    lines = [f"  {name:<9}{neutralise(text)}" for name, text in facts if text]
    blocks = ["\n".join([title, *lines])]
    if plan.changes:
        blocks.append(describe_changes(plan, paint=paint, verbose=verbose))
    return "\n\n".join(blocks)


def describe_stale(stale: Stale, *, paint: Paint = paint_plain, verbose: bool = False) -> str:
    """Return what is not as it was when the plan was made."""
    plan, reasons = stale.plan, stale.reasons
    goal = f"towards desired state {shorten_digest(plan.digest)}"
    title = f"Saved plan for {plan.host}, {goal}: not carried out, plan again"
    facts = [f"  {_describe_fact(fact)}" for fact in reasons.facts]
    blocks = ["\n".join([paint("strong", title), *facts])]
    blocks += _describe_objects(reasons.objects, paint, verbose=verbose)
    if reasons.changes and not (reasons.facts or reasons.objects):
        blocks.append("\n".join(_describe_others(reasons.changes, paint, verbose=verbose)))
    if reasons.reordered:
        blocks.append("the same changes, in another order")
    return "\n\n".join(blocks)


def summarise_stale(stale: Stale) -> str:
    """Return why a plan is refused, as a part of the last line. It has no colour."""
    reasons = stale.reasons
    number = len(reasons.facts) + len(reasons.objects)
    match {fact.aspect for fact in reasons.facts}:
        case facts if Aspect.SEAL in facts:
            why = "was changed after it was written"
        case facts if Aspect.MACHINE in facts:
            why = "is for another host"
        case facts if Aspect.KEY in facts:
            why = "was made with another key than this host has"
        case _ if number:
            why = f"is stale: {count(number, 'thing')} {'differs' if number == 1 else 'differ'}"
        case _:
            why = "is stale: its changes would be others now"
    return f"the saved plan for {stale.plan.host} {why}"


def _describe_fact(fact: Fact) -> str:
    if fact.aspect is Aspect.SEAL:
        return _SEAL
    planned, now = fact.planned, fact.now
    if fact.aspect is Aspect.MEMORY:
        planned, now = _name_memory(planned), _name_memory(now)
    text = _ASPECTS[fact.aspect].format(planned=planned or "(none)", now=now or "(none)")
    return neutralise(text)


def _name_memory(digest: str) -> str:
    return f"desired state {shorten_digest(digest)}" if digest else "nothing that is remembered"


def _describe_objects(
    objects: Iterable[LiveDifference], paint: Paint, *, verbose: bool
) -> Iterable[str]:
    """Yield a paragraph for each kind: the key, and before -> now."""
    for kind, differences in groupby(objects, key=lambda one: one.kind):
        rows = make_rows(tuple(map(_as_change, differences)), verbose=verbose)
        width = max((len(row.name) for row in rows if len(row.changes) == 1), default=0)
        lines = (line for row in rows for line in _describe_row(row, width, paint, verbose=verbose))
        yield "\n".join([paint("strong", title_of(kind)), *lines])


def _as_change(difference: LiveDifference) -> Change:
    """Say as a change what somebody else did; what is foreign is a note."""
    planned, now = difference.planned, difference.now
    action = Action.CREATE if planned is None else Action.UPDATE
    notes = [side for side in (planned, now) if isinstance(side, str)]
    return Change(
        kind=difference.kind,
        key=difference.key,
        action=Action.DELETE if now is None else action,
        before=None if notes else planned,
        after=None if notes else now,
        cause=Cause.DRIFT,
        note=notes[-1] if notes else "",
    )


def _describe_row(row: Row, width: int, paint: Paint, *, verbose: bool) -> Iterable[str]:
    sign, verb, style = _ACTIONS[row.first.action]
    said = ", ".join(map(str, row.fields))
    note = neutralise(row.first.note)
    fits = len(said) <= LINE and not any(field.lines for field in row.fields)
    beside = note or (said if fits else "")
    yield f"{paint(style, f'{sign:>3} {verb:<9}')} {row.name:<{width}}  {beside}".rstrip()
    below = () if fits or note else row.fields
    yield from (f"{_INDENT}{line}" for line in describe_on_lines(below, verbose=verbose))


def _describe_others(
    others: tuple[OtherChange, ...], paint: Paint, *, verbose: bool
) -> Iterable[str]:
    """Yield what would be done otherwise although no live key of ours differs."""
    yield paint("strong", "changes")
    shown = others if verbose else others[:_SHOWN]
    for other in shown:
        planned = describe_change(other.planned) if other.planned else "nothing"
        now = describe_change(other.now) if other.now else "nothing"
        if planned == now:
            now = "the same, with other values"
        yield f"  planned: {neutralise(planned)}; now: {neutralise(now)}"
    if len(others) > len(shown):
        yield f"  and {len(others) - len(shown)} more (-v shows them)"
