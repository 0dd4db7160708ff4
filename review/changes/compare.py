"""Two states of a mesh to a review: every difference is explained by exactly one entry."""

from collections.abc import Iterable
from itertools import chain
from typing import Final

from review.changes.blast import measure_blast
from review.changes.explain import explain_all
from review.changes.frame import Frame
from review.changes.impact import RANKS, worst
from review.changes.review import Cause, Entry, Impact, Review, Side
from review.changes.telling import tell
from review.changes.topic import make_topics
from schemas.state import Documents
from schemas.values import NodeName

_ORDER: Final = {cause: place for place, cause in enumerate(Cause)}


def compare(old: Documents, new: Documents) -> Review:
    """Return what changes from one state to another, and what it costs whom.

    Hosts whose documents are the very same value are not looked at.
    """
    frame = Frame(old, new)
    explained = explain_all(frame)
    entries = sorted(map(tell, make_topics(frame, explained)), key=_place)
    hosts = _join_hosts(entries)
    return Review(
        old=Side(mesh=old.mesh.name, hosts=len(old.hosts)),
        new=Side(mesh=new.mesh.name, hosts=len(new.hosts)),
        entries=tuple(entries),
        blast=measure_blast(frame, chain.from_iterable(explained.values()), hosts),
        hosts=hosts,
    )


def _place(entry: Entry) -> tuple[int, int, tuple[str, ...], str]:
    return -RANKS[entry.impact], _ORDER[entry.cause], entry.subjects, entry.title


def _join_hosts(entries: Iterable[Entry]) -> dict[NodeName, Impact]:
    """Return the worst that each host notices."""
    noticed: dict[NodeName, list[Impact]] = {}
    for entry in entries:
        for name, impact in entry.hosts.items():
            noticed.setdefault(name, []).append(impact)
    return {name: worst(impacts) for name, impacts in sorted(noticed.items())}
