"""A review to a subject line, and to the lines of a text that a person reads at a terminal."""

from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import Final

from msgspec import UNSET

from review.changes.review import Action, Blast, Difference, Entry, Impact, Review
from review.changes.wording import count, list_some, spell_value, verb
from schemas.problems import neutralise
from schemas.state import Value
from schemas.values import NodeName

Paint = Callable[[str, str], str]
"""``paint(style, text)``: the text, dressed or plain."""

_SUBJECT: Final = 72
"""Characters of a commit's first line that every tool shows."""
_ENTRIES: Final = 12
"""How many entries are told before the rest is counted, unless all are asked for."""
_SHOWN_FILES: Final = 3
_WIDTH: Final = 79
"""Columns; an effect that does not fit goes to lines of its own."""
_MARGIN: Final = 14
"""Columns of the impact."""
_ROOM: Final = _WIDTH - _MARGIN

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
    # Each takes a character at least, so more than these never fit.
    for told in range(min(len(titles), _SUBJECT), 0, -1):
        left = len(titles) - told
        more = [count(left, "more change")] if left else []
        line = ", ".join([*titles[:told], *more])
        if len(line) <= _SUBJECT:
            return line
    return f"{count(len(titles), 'change')} to mesh {neutralise(review.new.mesh)}"[:_SUBJECT]


def describe_text(
    review: Review,
    *,
    verbose: bool = False,
    paint: Paint = lambda _style, text: text,
    hint: str = " (-v shows them)",
) -> tuple[str, ...]:
    """Return the lines that tell of every entry and of the blast radius; none without changes.

    ``hint`` stands behind the number of entries that are left out.
    """
    if not review.entries:
        return ()
    shown = review.entries if verbose else review.entries[:_ENTRIES]
    lines: list[str] = []
    for entry in shown:
        lines += _describe_entry(entry, paint)
        if verbose:
            more = describe_details(entry, review.blast.hosts)
            lines += (paint("faint", f"{'':{_MARGIN}}{line}") for line in more)
    if left := review.entries[len(shown) :]:
        lines.append(f"  and {count(len(left), 'more change')}{hint}")
    return (*lines, "", *_describe_blast(review.blast, paint))


def write_text(review: Review, *, verbose: bool, paint: Paint) -> str:
    """Return the whole text of a review; its last line is made for scripts, and has no colour."""
    lines = describe_text(review, verbose=verbose, paint=paint)
    return "\n".join([*lines, *([""] if lines else []), conclude(review)])


def conclude(review: Review) -> str:
    """Return the last line: ``Diff: 2 changes; 4 of 5 hosts touched, 1 is disrupted.``."""
    mesh, blast = neutralise(review.new.mesh), review.blast
    if not review.entries:
        return f"No changes: both are mesh {mesh} of {count(review.new.hosts, 'host')}."
    return f"Diff: {count(len(review.entries), 'change')}; {spell_reach(blast)}."


def spell_reach(blast: Blast) -> str:
    """Return ``4 of 5 hosts touched, 1 new, 1 is disrupted``."""
    drop, disrupt = blast.session_drop, blast.disruptive
    worse = [
        f"{disrupt:,} {verb(disrupt, 'are', 'is')} disrupted" if disrupt else "",
        f"{drop:,} {verb(drop, 'drop')} sessions" if drop else "",
    ]
    reach = f"{blast.touched:,} of {count(blast.hosts, 'host')} touched"
    told = ", ".join(filter(None, worse)) or "all hitless"
    return ", ".join([reach, *_spell_comings(blast), told])


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


def _describe_entry(entry: Entry, paint: Paint) -> Iterator[str]:
    title, effect = neutralise(entry.title), neutralise(entry.effect)
    impact = paint(_STYLES[entry.impact], f"{entry.impact:<{_MARGIN - 2}}  ")
    if _MARGIN + len(title) + 2 + len(effect) <= _WIDTH:
        yield f"{impact}{paint('strong', title)}: {effect}"
    else:
        yield f"{impact}{paint('strong', title)}:"
        told = wrap(effect, _ROOM, break_long_words=False, break_on_hyphens=False)
        yield from (f"{'':{_MARGIN}}{line}" for line in told)


def describe_details(entry: Entry, hosts: int) -> Iterator[str]:
    """Yield who notices what, and every difference; those of the same files stand together.

    ``hosts`` is how many there are in both states.
    """
    yield from map(neutralise, entry.details)
    yield from _describe_hosts(entry.hosts, hosts)
    by_files: dict[tuple[str, ...], list[Difference]] = {}
    for difference in entry.differences:
        by_files.setdefault(difference.files, []).append(difference)
    for files, differences in by_files.items():
        if not differences[0].path:
            yield f"{neutralise(list_some(files, _SHOWN_FILES))} is {differences[0].action}"
            continue
        yield f"in {neutralise(list_some(files, _SHOWN_FILES))}:"
        yield from (f"  {neutralise(_describe_difference(each))}" for each in differences)


def _describe_hosts(noticed: dict[NodeName, Impact], hosts: int) -> Iterator[str]:
    for impact in reversed(Impact):
        names = [name for name, each in noticed.items() if each is impact]
        if len(names) == hosts > 1:
            yield f"{impact}: all {hosts:,} hosts"
        elif names:
            yield from wrap(f"{impact}: {', '.join(names)}", _ROOM, break_on_hyphens=False)


def _describe_difference(difference: Difference) -> str:
    before, after = (
        "" if value is UNSET else spell_value(value)
        for value in (difference.before, difference.after)
    )
    match difference.action:
        case Action.ADDED:
            return f"+ {difference.path}: {after}"
        case Action.REMOVED:
            return f"- {difference.path}: {before}"
        case Action.CHANGED:
            return f"~ {difference.path}: {before} -> {after}"


def _describe_blast(blast: Blast, paint: Paint) -> Iterator[str]:
    yield paint("strong", "blast radius")
    rows = measure(blast)
    width = max(len(row.figure) for row in rows)
    for row in rows:
        noticed = paint(_STYLES[row.impact], row.impact) if row.impact else ""
        yield f"  {row.name:<18}  {row.figure:<{width}}  {noticed}".rstrip()
