"""A review to the Markdown of a comment on a pull request: short, its details folded away."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from review.changes.review import Entry, Impact, Review
from review.changes.summary import describe_details, measure, spell_reach, summarise
from review.changes.wording import count
from schemas.problems import neutralise

_LIMIT: Final = 60_000
"""Characters. GitHub takes 65,536 in a comment; whoever posts it may add something."""
_ENTRIES: Final = 20
_LINES: Final = 16
"""How many lines of one entry's details are told."""
_LINE: Final = 400
"""Characters of one line of details."""

_PLAIN: Final = re.compile(r"(?!.*(?:www\.|://|->))[A-Za-z0-9 .,:;/()%'-]*")
"""What Markdown shows as it stands, and GitHub makes no link, mention or list of."""


def write_markdown(review: Review) -> str:
    """Return a summary line, the entries, the blast radius and the folded details.

    It stays below GitHub's limit of 65,536 characters, whatever has changed.
    """
    if not review.entries:
        hosts = count(review.new.hosts, "host")
        return f"**No changes**: both sides are mesh {quote(review.new.mesh)} of {hosts}."
    head = "\n".join(
        [
            f"**{quote(summarise(review))}** ({spell_reach(review.blast)})",
            "",
            *_list_entries(review.entries),
            "",
            *_draw_table(review),
        ]
    )
    return f"{head}\n\n{_fold_details(review, _LIMIT - len(head))}"


def quote(text: str) -> str:
    """Return text as Markdown that shows it and does nothing else: plain, or as code."""
    shown = neutralise(text)
    if _PLAIN.fullmatch(shown):
        return shown
    fence = "`" * (_longest_run(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _list_entries(entries: tuple[Entry, ...]) -> Iterator[str]:
    for entry in entries[:_ENTRIES]:
        impact = f"**{entry.impact}**" if entry.impact != Impact.HITLESS else entry.impact
        yield f"- **{quote(entry.title[:_LINE])}**: {quote(entry.effect[:_LINE])} ({impact})"
    if left := entries[_ENTRIES:]:
        yield f"- and {count(len(left), 'more change')}"


def _draw_table(review: Review) -> Iterator[str]:
    yield "| blast radius | | |"
    yield "|---|---:|---|"
    for row in measure(review.blast):
        yield f"| {row.name} | {row.figure} | {row.impact or ''} |"


def _fold_details(review: Review, room: int) -> str:
    """Return as many details as there is room for, in a block that is shown on a click."""
    lines, left = [], room
    for line in _spell_details(review.entries, review.blast.hosts):
        left -= len(line) + 1
        if left < _LINE:
            lines.append("The rest is too long for a comment: wormhole diff -v tells all of it.")
            break
        lines.append(line)
    fence = "`" * max(3, _longest_run("\n".join(lines)) + 1)
    block = "\n".join([f"{fence}text", *lines, fence])
    return f"<details><summary>Details</summary>\n\n{block}\n\n</details>"


def _spell_details(entries: Iterable[Entry], hosts: int) -> Iterator[str]:
    for entry in entries:
        lines = [*describe_details(entry, hosts)]
        yield _cut(f"{entry.title}: {entry.effect}")
        yield from (_cut(f"  {line}") for line in lines[:_LINES])
        if len(lines) > _LINES:
            yield f"  and {count(len(lines) - _LINES, 'more line')} (wormhole diff -v)"


def _cut(line: str) -> str:
    shown = neutralise(line)
    return shown if len(shown) <= _LINE else shown[: _LINE - 3] + "..."


def _longest_run(text: str) -> int:
    """Return how many backticks stand in a row at most."""
    return max(map(len, re.findall("`+", text)), default=0)
