"""A plan to text that a careful operator reads before saying yes."""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from applier.plan import Action, Cause, Change, Plan, Risk
from schemas.problems import neutralise
from schemas.state import Value
from wormhole.console import Paint, paint_plain
from wormhole.remarks import count
from wormhole.views.fields import LINE, describe_on_lines
from wormhole.views.grouping import Row, make_rows
from wormhole.views.kinds import name_of, title_of

_INDENT: Final = " " * 8


class _Sign(Value, frozen=True, kw_only=True):
    sign: str
    verb: str
    style: str
    meaning: str


_SIGNS: Final = {
    Action.CREATE: _Sign(sign="+", verb="create", style="create", meaning="+ create"),
    Action.UPDATE: _Sign(sign="~", verb="change", style="change", meaning="~ change in place"),
    Action.DELETE: _Sign(sign="-", verb="delete", style="delete", meaning="- delete"),
    Action.RECREATE: _Sign(
        sign="-/+", verb="re-create", style="recreate", meaning="-/+ delete and create anew"
    ),
    Action.CONFLICT: _Sign(
        sign="!", verb="conflict", style="conflict", meaning="! foreign and in the way: left alone"
    ),
}

_CAUSES: Final = {
    Cause.DESIRED: "the desired state changed since the last apply",
    Cause.DRIFT: "drift: the host was changed by something else since the last apply",
    Cause.BOTH: "the desired state changed since the last apply, and the host drifted",
}

_TAGS: Final = {
    Cause.DESIRED: "desired changed",
    Cause.DRIFT: "drift",
    Cause.BOTH: "desired changed, drift",
}


class _View(Value, frozen=True, kw_only=True):
    """How this reader wants it."""

    paint: Paint
    verbose: bool
    name_causes: bool
    """Causes differ, so each change says its own."""


def describe_changes(
    plan: Plan, *, title: str = "", paint: Paint = paint_plain, verbose: bool = False
) -> str:
    """Return what changes: a heading, a legend, and a paragraph for each kind in plan order.

    With a title of its own a plan has one cause, which the title says.
    """
    heading = title or f"Plan for {plan.host}, towards desired state {shorten_digest(plan.digest)}"
    causes = () if title else _describe_causes(plan)
    opening = [paint("strong", heading), _describe_signs(plan, paint), *causes]
    blocks = ["\n".join([*opening, *_describe_risks(plan)])]
    view = _View(
        paint=paint,
        verbose=verbose,
        name_causes=not title and len(_causes_of(plan)) > 1,
    )
    for kind, changes in groupby(plan.changes, key=lambda change: change.kind):
        rows = make_rows(tuple(changes), verbose=verbose)
        blocks.append("\n".join([paint("strong", title_of(kind)), *_describe_rows(rows, view)]))
    return "\n\n".join(blocks)


def summarise_plan(plan: Plan) -> str:
    """Return the last line, the one that scripts look for. It has no colour."""
    if not plan.changes:
        digest = shorten_digest(plan.digest)
        return f"No changes: {plan.host} matches its desired state {digest}."
    actions = Counter(change.action for change in plan.changes)
    return (
        f"Plan: {actions[Action.CREATE]} to create, {actions[Action.UPDATE]} to change,"
        f" {actions[Action.DELETE]} to delete, {actions[Action.RECREATE]} to re-create;"
        f" {count(actions[Action.CONFLICT], 'conflict')}."
    )


def describe_change(change: Change) -> str:
    """Return one change in a few words: ``create route 10.244.0.0/16``."""
    return f"{_SIGNS[change.action].verb} {change.kind} {name_of(change)}"


def shorten_digest(digest: str) -> str:
    """Return enough of a digest to tell two apart."""
    return f"sha256:{digest.removeprefix('sha256:')[:12]}"


def _describe_signs(plan: Plan, paint: Paint) -> str:
    """Explain the signs that occur."""
    actions = {change.action for change in plan.changes}
    legend = "   ".join(sign.meaning for action, sign in _SIGNS.items() if action in actions)
    return paint("faint", f"  {legend}")


def _describe_causes(plan: Plan) -> Iterable[str]:
    """Say why, when it is the same for every change; else each change says its own."""
    causes = _causes_of(plan)
    if len(causes) == 1:
        yield f"  why:  {_CAUSES[causes.pop()]}"


def _describe_risks(plan: Plan) -> Iterable[str]:
    """Say what traffic will notice, worst first."""
    risks = Counter(change.risk for change in plan.changes if change.action != Action.CONFLICT)
    parts = [f"{risk} ({risks[risk]})" for risk in reversed(Risk) if risks[risk]]
    if parts:
        yield f"  risk: {'all hitless' if set(risks) == {Risk.HITLESS} else ', '.join(parts)}"


def _causes_of(plan: Plan) -> set[Cause]:
    """Return why, of what will be done; a conflict has no cause of ours."""
    return {change.cause for change in plan.changes if change.action != Action.CONFLICT}


def _describe_rows(rows: tuple[Row, ...], view: _View) -> Iterable[str]:
    width = max((len(row.name) for row in rows if len(row.changes) == 1), default=0)
    for row in rows:
        sign = _SIGNS[row.first.action]
        marked = view.paint(sign.style, f"{sign.sign:>3} {sign.verb:<9}")
        beside, below = _share_out(row, view)
        tail = "  ".join(part for part in (beside, _tags(row.first, view)) if part)
        yield f"{marked} {row.name:<{width}}  {tail}".rstrip()
        yield from (f"{_INDENT}{line}" for line in below)


def _share_out(row: Row, view: _View) -> tuple[str, tuple[str, ...]]:
    """Return what is said beside the key, and the lines below it."""
    whole = row.first.action in (Action.CREATE, Action.DELETE) and not view.verbose
    # Of a whole chain its note says enough: how many rules, or where its jumps lead.
    fields = () if whole and row.first.kind == "firewall" else row.fields
    said = ", ".join(map(str, fields))
    fits = len(said) <= LINE and (whole or not any(field.lines for field in fields))
    beside = said if fits else ""
    below = () if fits else tuple(describe_on_lines(fields, verbose=view.verbose))
    # A conflict's note quotes what somebody else wrote, such as the name in a foreign CNI file.
    note = neutralise(row.first.note)
    if note and not (beside or below or row.first.action == Action.CONFLICT):
        return note, ()
    return beside, (*below, *filter(None, [note]))


def _tags(change: Change, view: _View) -> str:
    if change.action == Action.CONFLICT:
        return ""
    cause = _TAGS[change.cause] if view.name_causes else ""
    risk = str(change.risk) if change.risk != Risk.HITLESS else ""
    tags = ", ".join(tag for tag in (cause, risk) if tag)
    return view.paint("faint", f"[{tags}]") if tags else ""
