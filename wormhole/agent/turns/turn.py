"""What one turn of the loop came to: all that log, metrics, status and Events are made of.

Whatever the agent says to anybody is a pure function of turns and a clock. The loop fills in a turn
and hands it on; nothing that tells looks anywhere else.
"""

from enum import StrEnum
from typing import Literal

from applier.outcome import Outcome, Result
from applier.status import Status
from schemas.state import ResolvedHost, Value
from wormhole.agent.desired import Cause, Desired

SourceKind = Literal["cluster", "folder"]


class Hindrance(StrEnum):
    """Why a turn has no outcome. The words are reasons of conditions, so they are CamelCase."""

    NO_DOCUMENTS = "NoDocuments"
    """The source has nothing yet, and this host remembers nothing."""
    UNFIT_DOCUMENTS = "UnfitDocuments"
    """The documents are not for this host, or a secret that they need is missing."""
    NO_KEY = "NoKey"
    """The host's private key is lost or damaged, or others may read it."""
    UNOBSERVABLE = "Unobservable"
    """Live state could not be read whole, so nothing was written."""
    UNSUPPORTED = "Unsupported"
    """The kernel, or a tool, cannot do what is wanted."""
    LOCKED = "Locked"
    """Another applier, such as an operator's, holds the host's lock."""
    ON_TRIAL = "OnTrial"
    """An operator's change waits to be confirmed: it is his until then."""
    NOT_CONFIRMED = "NotConfirmed"
    """The host went back from what is wanted, to nothing at all: it is not tried again."""
    HELD_BACK = "HeldBack"
    """Drift was left for later, because somebody undoes each repair."""
    HOST_ERROR = "HostError"
    """The host refused something else that a turn needs."""
    BUG = "Bug"


class Turn(Value, frozen=True, kw_only=True):
    """One turn: why it was taken, what was wanted, what was done, and what the host is like."""

    number: int
    """Counted from 1 since the agent started."""
    causes: tuple[Cause, ...]
    """Everything that woke the loop since the turn before, each once."""
    started: float
    """Unix time."""
    seconds: float
    """How long it took, by a clock that never jumps."""
    host: str
    """The node's name."""
    source_kind: SourceKind
    desired: Desired
    resolved: ResolvedHost | None = None
    """What was converged to, or would have been. None: there are no documents at all."""
    from_memory: bool = False
    """``resolved`` is what this host remembers, because the source has nothing yet, or no more."""
    withheld: str = ""
    """Why what the source wants is not tried: this host went back from it, unconfirmed."""
    outcome: Outcome | None = None
    """None: nothing was compared. ``hindrance`` and ``error`` say why."""
    hindrance: Hindrance | None = None
    error: str = ""
    """Why there is no outcome, in a sentence."""
    fight: str = ""
    """Who keeps undoing what; empty while nobody does.

    The same words while it is the same fight: no count, no time, or each turn would be news.
    """
    api_error: str = ""
    """What the API server, or the way to it, said last; empty while all is well, or without one."""
    status: Status | None = None
    """The device and its peers as they were after the turn. None: they could not be read."""
    held_epochs: tuple[str, ...] = ()
    """Epochs whose master this host holds: those that are needed first."""
    generation: int = 0
    """``metadata.generation`` of the host's own MeshNode; 0 when it is not known."""

    @property
    def ended(self) -> float:
        """Unix time."""
        return self.started + self.seconds

    @property
    def verified(self) -> bool:
        """Whether the host was seen to be as desired: planning again found nothing at all."""
        return self.outcome is not None and self.outcome.result is Result.CONVERGED
