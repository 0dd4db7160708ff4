"""A review to a subject line, and to the lines of a text that a person reads at a terminal."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import UNSET

from review.changes.review import Action, Blast, Difference, Entry, Impact, Review
from review.changes.wording import count, list_some, spell_value
from schemas.problems import neutralise
from schemas.state import Value
from schemas.values import NodeName

Paint = Callable[[str, str], str]
"""``paint(style, text)``: the text, dressed or plain."""

_SUBJECT: Final = 72
"""Characters of a commit's first line that every tool shows."""
_ENTRIES: Final = 12
"""How many entries are told before the rest is counted, unless all are asked for."""
_SHOWN_FILES: Final = 4

_STYLES: Final = {
    Impact.HITLESS: "good",
    Impact.SESSION_DROP: "change",
    Impact.DISRUPTIVE: "delete",
}


class Measure(Value, frozen=True, kw_only=True):
    """One row of the blast radius."""

    name: str
    figure: str
    impact: Impact | None = None
    """None: nothing happens, or the row says by itself what."""


def summarise(review: Review) -> str:
    """Return one line of at most 72 characters: ``3 nodes join, node-b moves``."""
    titles = [neutralise(entry.title) for entry in review.entries]
    if not titles:
        return "no changes"
    for told in range(len(titles), 0, -1):
        left = len(titles) - told
        more = [count(left, "more change")] if left else []
        line = ", ".join([*titles[:told], *more])
        if len(line) <= _SUBJECT:
            return line
    return f"{count(len(titles), 'change')} to mesh {neutralise(review.new.mesh)}"[:_SUBJECT]


def describe_text(
    review: Review, *, verbose: bool = False, paint: Paint = lambda _style, text: text
) -> tuple[str, ...]:
    """Return the lines that tell of every entry and of the blast radius; none without changes."""
    if not review.entries:
        return ()
    shown = review.entries if verbose else review.entries[:_ENTRIES]
    lines = [line for entry in shown for line in _describe_entry(entry, paint, verbose=verbose)]
    if left := review.entries[len(shown) :]:
        lines.append(f"  and {count(len(left), 'more change')} (-v shows them)")
    return (*lines, "", *_describe_blast(review.blast, paint))


def write_text(review: Review, *, verbose: bool, paint: Paint) -> str:
    """Return the whole text of a review; its last line is made for scripts, and has no colour."""
    lines = describe_text(review, verbose=verbose, paint=paint)
    return "\n".join([*lines, *([""] if lines else []), conclude(review)])


def conclude(review: Review) -> str:
    """Return the last line: ``Diff: 2 changes; 4 of 5 hosts touched, 1 disruptive.``."""
    mesh, blast = neutralise(review.new.mesh), review.blast
    if not review.entries:
        return f"No changes: both are mesh {mesh} of {count(review.new.hosts, 'host')}."
    return f"Diff: {count(len(review.entries), 'change')}; {spell_reach(blast)}."


def spell_reach(blast: Blast) -> str:
    """Return ``4 of 5 hosts touched, 1 new, 1 disruptive``."""
    worse = [
        f"{number:,} {impact}"
        for number, impact in (
            (blast.session_drop, Impact.SESSION_DROP),
            (blast.disruptive, Impact.DISRUPTIVE),
        )
        if number
    ]
    reach = f"{blast.touched:,} of {count(blast.hosts, 'host')} touched"
    return ", ".join([reach, *_spell_comings(blast), *(worse or ["all hitless"])])


def measure(blast: Blast) -> tuple[Measure, ...]:
    """Return the rows of the blast radius, those that say nothing left out."""
    rows = (
        Measure(name="hosts touched", figure=_spell_touched(blast), impact=_worst(blast)),
        Measure(name="peers added", figure=_spell(blast.peers_added), impact=Impact.HITLESS),
        Measure(
            name="peers removed", figure=_spell(blast.peers_removed), impact=Impact.SESSION_DROP
        ),
        Measure(
            name="sessions reset", figure=_spell(blast.sessions_reset), impact=Impact.SESSION_DROP
        ),
        Measure(
            name="prefixes that move",
            figure=_spell(len(blast.prefixes_moved)),
            impact=Impact.HITLESS,
        ),
        Measure(name="rules changed", figure=_spell_rules(blast), impact=Impact.HITLESS),
    )
    return tuple(row if row.figure != "0" else Measure(name=row.name, figure="0") for row in rows)


def _spell(number: int) -> str:
    return f"{number:,}"


def _spell_touched(blast: Blast) -> str:
    told = f"{_spell(blast.touched)} of {_spell(blast.hosts)}" if blast.touched else "0"
    return ", ".join([told, *_spell_comings(blast)])


def _spell_comings(blast: Blast) -> list[str]:
    comings = (blast.joining, "new"), (blast.leaving, "gone")
    return [f"{_spell(number)} {what}" for number, what in comings if number]


def _spell_rules(blast: Blast) -> str:
    parts = (
        f"{_spell(blast.rules_added)} added" if blast.rules_added else "",
        f"{_spell(blast.rules_removed)} removed" if blast.rules_removed else "",
    )
    return ", ".join(filter(None, parts)) or "0"


def _worst(blast: Blast) -> Impact | None:
    if blast.disruptive:
        return Impact.DISRUPTIVE
    if blast.session_drop:
        return Impact.SESSION_DROP
    return Impact.HITLESS if blast.hitless else None


def _describe_entry(entry: Entry, paint: Paint, *, verbose: bool) -> Iterator[str]:
    said = f"{paint('strong', neutralise(entry.title))}: {neutralise(entry.effect)}"
    yield f"{paint(_STYLES[entry.impact], f'{entry.impact:<12}')}  {said}"
    if verbose:
        yield from (f"    {neutralise(line)}" for line in entry.details)
        yield from (f"    {line}" for line in _describe_hosts(entry.hosts))
        yield from (f"    {line}" for line in map(describe_difference, entry.differences))


def _describe_hosts(hosts: dict[NodeName, Impact]) -> Iterator[str]:
    for impact in reversed(Impact):
        if names := [name for name, noticed in hosts.items() if noticed is impact]:
            yield f"{impact}: {', '.join(names)}"


def describe_difference(difference: Difference) -> str:
    """Return one difference on a line: the files, the path, before and after."""
    where = ": ".join(filter(None, (list_some(difference.files, _SHOWN_FILES), difference.path)))
    return neutralise(f"{where}: {_spell_values(difference)}")


def _spell_values(difference: Difference) -> str:
    if not difference.path:
        return f"the file is {difference.action}"
    before, after = (
        "" if value is UNSET else spell_value(value)
        for value in (difference.before, difference.after)
    )
    match difference.action:
        case Action.ADDED:
            return f"+ {after}"
        case Action.REMOVED:
            return f"- {before}"
        case Action.CHANGED:
            return f"{before} -> {after}"


def _describe_blast(blast: Blast, paint: Paint) -> Iterator[str]:
    yield paint("strong", "blast radius")
    rows = measure(blast)
    width = max(len(row.figure) for row in rows)
    for row in rows:
        noticed = paint(_STYLES[row.impact], row.impact) if row.impact else ""
        yield f"  {row.name:<18}  {row.figure:<{width}}  {noticed}".rstrip()
