"""What is wrong with objects in the API, as it is told: by object and field, and what comes of it.

Whoever writes an object chooses its values, and may change them each second. So an offence is known
by where it stands: else each new value would be a new trouble to log, and another Event.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, Literal, NamedTuple

from schemas.problems import Problem
from schemas.state import Value
from wormhole.agent.desired import Desired
from wormhole.agent.wording import name_some


class _Cost(NamedTuple):
    """What comes of an offence."""

    reason: Literal["LeftOut", "Refused"]
    said: str


_LEFT_OUT: Final = _Cost("LeftOut", "left out of the mesh")
_SILENCED: Final = _Cost("LeftOut", "in the mesh, but without its endpoint")
_BLAMED: Final = {
    "MeshNode": _LEFT_OUT,
    "Mesh": _Cost("Refused", "every host keeps its last good documents"),
}
"""By kind of object: what comes of it where this host's own documents stop at it."""


class Offence(Value, frozen=True, kw_only=True):
    """One field of one object, with all that is wrong with it."""

    object: str
    """``Kind/name``."""
    place: str
    """The object and the field: what makes two offences the same."""
    reason: Literal["LeftOut", "Refused"]
    """CamelCase, as reasons of Events are."""
    cost: str
    """What comes of it, to be said before the message."""
    message: str


def place_of(problem: Problem) -> str:
    """Return the object and the field that a problem is about, whichever item of a list it is."""
    field = problem.path.partition("[")[0]
    return f"{problem.object} {field}".strip()


def find_offences(desired: Desired) -> tuple[Offence, ...]:
    """Return what is wrong with objects that were left out, and then with lost endpoints."""
    silenced = _gather(desired.endpoints_left_out, _SILENCED)
    return (*_gather(desired.left_out, _LEFT_OUT), *silenced)


def find_blame(desired: Desired) -> tuple[Offence, ...]:
    """Return what is wrong with the objects that stop this host's own documents."""
    return tuple(
        offence
        for kind, cost in _BLAMED.items()
        for offence in _gather(_about(kind, desired.problems), cost)
    )


def _about(kind: str, problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.object.partition("/")[0] == kind]


def _gather(problems: Iterable[Problem], cost: _Cost) -> Iterator[Offence]:
    ordered = sorted(problems, key=lambda problem: (place_of(problem), problem))
    for place, group in groupby(ordered, place_of):
        found = list(group)
        yield Offence(
            object=found[0].object,
            place=place,
            reason=cost.reason,
            cost=cost.said,
            message=name_some(map(str, found)),
        )
