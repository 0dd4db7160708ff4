"""Complaints to problems: the lines of their fields are looked up, once for each source."""

from collections.abc import Iterable, Iterator, Sequence

from compiler.reading import Path, Reading, grow_tree
from compiler.source import Source
from compiler.text import find_lines
from compiler.unfold import Complaint
from schemas.problems import Problem, spell_path


def locate(
    complaints: Iterable[Complaint], sources: Sequence[Source], readings: Sequence[Reading]
) -> Iterator[Problem]:
    """Give each complaint its file and line.

    A field that is not there has the line of what it is missing from. What was never text, and so
    has a source without any, has no line.
    """
    complaints = tuple(complaints)
    wanted: dict[int, set[Path]] = {}
    for each in complaints:
        if each.path and sources[each.object.source].text:  # the object's own line is known
            wanted.setdefault(each.object.source, set()).add((*each.object.path, *each.path))
    lines = {
        source: find_lines(sources[source], readings[source], grow_tree(paths))
        for source, paths in wanted.items()
    }
    for each in complaints:
        yield Problem(
            file=sources[each.object.source].name,
            line=_line_of(each, lines.get(each.object.source, {})),
            object=each.object.title,
            path=spell_path(each.path),
            value=each.value,
            rule=each.rule,
        )


def _line_of(complaint: Complaint, lines: dict[Path, int]) -> int:
    start = complaint.object.path
    for end in range(len(complaint.path), 0, -1):
        line = lines.get((*start, *complaint.path[:end]))
        if line is not None:
            return line
    return complaint.object.line
