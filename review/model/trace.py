"""Stories with the lines of the documents that decided: what ``trace --json`` prints."""

from collections.abc import Callable

from review.model.packet import Packet
from review.model.story import Fate, Place, Stage, Story
from schemas.problems import spell_path
from schemas.state import API_VERSION, ApiVersion, Value
from schemas.values import NodeName

FindLine = Callable[[Place], int]
"""The line of a place, counted from 1; 0 where it has none."""


class Source(Value, frozen=True, kw_only=True):
    """What in the documents decided."""

    file: str
    path: str
    """As people spell it: ``firewall.ipv4[0].rules[3]``."""
    line: int = 0


class TracedStep(Value, frozen=True, kw_only=True):
    """One decision, with its line."""

    host: NodeName
    stage: Stage
    decision: str
    by: Source | None = None


class Way(Value, frozen=True, kw_only=True):
    """A packet's whole way."""

    packet: Packet
    arrived: Packet
    fate: Fate
    host: NodeName
    steps: tuple[TracedStep, ...]


class Trace(Value, frozen=True, kw_only=True, tag_field="kind", tag="Trace"):
    """A packet's way, and that of the answer to it."""

    api_version: ApiVersion = API_VERSION
    sent: Way
    answer: Way | None = None
    """Absent: nobody was reached who could answer."""


def make_trace(sent: Story, answer: Story | None, find_line: FindLine) -> Trace:
    """Return two stories as one document."""
    return Trace(
        sent=_tell(sent, find_line),
        answer=None if answer is None else _tell(answer, find_line),
    )


def _tell(story: Story, find_line: FindLine) -> Way:
    steps = tuple(
        TracedStep(
            host=step.host,
            stage=step.stage,
            decision=step.decision,
            by=None if step.by is None else _place(step.by, find_line),
        )
        for step in story.steps
    )
    return Way(
        packet=story.packet,
        arrived=story.arrived,
        fate=story.fate,
        host=story.host,
        steps=steps,
    )


def _place(place: Place, find_line: FindLine) -> Source:
    return Source(file=place.file, path=spell_path(place.path), line=find_line(place))
