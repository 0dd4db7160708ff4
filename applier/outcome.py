"""What came of an apply or a destroy, as one value."""

from collections.abc import Callable
from enum import StrEnum

from applier.plan import Change, Plan
from schemas.state import Value


class Result(StrEnum):
    """How a converge ended."""

    CONVERGED = "converged"
    CONFLICT = "conflict"
    """Converged but for what somebody else's objects forbid."""
    REFUSED = "refused"
    """The plan removes too much at once: that was not tried."""
    REVERTED = "reverted"
    NOT_REVERTED = "not reverted"
    """A change failed and not everything was put back."""
    FILES_LEFT = "files left"
    """The network is as it should be, and a file that had to go is still there."""


class Failure(Value, frozen=True, kw_only=True):
    """A change that was not made."""

    change: Change
    reason: str
    skipped: bool = False
    """It was not tried, because something that it needs had failed."""


class Outcome(Value, frozen=True, kw_only=True):
    """Everything that a converge did, and what the host was like afterwards."""

    plan: Plan
    done: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()
    left: Plan
    """What planning again found. Empty, or conflicts only, when the host converged."""
    reverted: bool | None = None
    """Whether what was ours is again as it was before. None: there was nothing to revert."""
    refused: str = ""
    """Why the plan was not carried out: it removes too much at once."""
    spared: bool = False
    """It was refused, but only what would leave stays: all else was made, as ``done`` says."""
    trouble: tuple[str, ...] = ()
    """What went wrong beside the changes: a verify that could not observe, a failed revert."""
    files_left: bool = False
    """Whether a file that had to go, such as a key, is still there. ``trouble`` says why."""

    @property
    def result(self) -> Result:
        """How it ended, in one word."""
        if self.refused:
            return Result.REFUSED
        if self.reverted is not None:
            return Result.REVERTED if self.reverted else Result.NOT_REVERTED
        if self.files_left:
            return Result.FILES_LEFT
        return Result.CONFLICT if self.plan.conflicts or self.left.conflicts else Result.CONVERGED


Announce = Callable[[Plan], None]
"""Called once with what is about to be done. What it raises stops the work before it begins."""


def announce_nothing(plan: Plan) -> None:
    """Begin without a word."""


Progress = Callable[[str, int, int], None]
"""Called before each step with its kind, the changes made so far, and their total."""


def be_silent(kind: str, done: int, total: int) -> None:
    """Report no progress."""
