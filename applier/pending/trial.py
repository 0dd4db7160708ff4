"""Put a converge on trial: the note and the watchdog are there before the first write."""

from collections.abc import Callable
from secrets import token_hex

from msgspec.structs import replace

from applier.host import Host
from applier.kinds.sysctls import SYSCTLS
from applier.memory import load_applied, load_attempted
from applier.outcome import Outcome
from applier.paths import Paths
from applier.pending.note import Note, Phase, drop_note, store_note
from applier.pending.verdict import Moment
from applier.situation import Situation
from schemas.problems import Problems
from schemas.state import ResolvedHost

Arm = Callable[[Situation, Note], None]
"""Starts a watchdog over a situation; returns when it watches. What it raises stops the apply."""


class Trial:
    """One apply that is to be confirmed. Give its :meth:`begin` to ``converge``."""

    def __init__(  # noqa: PLR0913 - all but two go by name
        self,
        host: Host,
        resolved: ResolvedHost,
        *,
        paths: Paths,
        read_moment: Callable[[], Moment],
        seconds: int,
        arm: Arm,
    ) -> None:
        self._host = host
        self._resolved = resolved
        self._paths = paths
        self._read_moment = read_moment
        self._seconds = seconds
        self._arm = arm
        self.note: Note | None = None
        """What is on trial; None as long as nothing is."""

    def begin(self, before: Situation) -> None:
        """Write the note, and have the watchdog watch; the host was not touched so far.

        Raises:
            Problems: this host has things of ours, and nobody knows what it had converged to.
            HostError: the note, or the watchdog, could not be made.

        """
        previous = load_applied(self._host, self._paths)
        if previous is None and _has_ours(before):
            raise Problems.one(
                "this host does not remember what was applied, so that after a restart nobody"
                " could go back: apply without --confirm, once",
                file=str(self._paths.applied),
            )
        moment = self._read_moment()  # now, so that looking at the host took none of the time
        note = Note(
            id=token_hex(8),
            desired=self._resolved,
            previous=previous,
            attempted=load_attempted(self._host, self._paths),
            boot_id=moment.boot_id,
            deadline=moment.now + self._seconds,
            began=self._host.now(),
        )
        store_note(self._host, self._paths, note)
        try:
            self._arm(before, note)
        except BaseException:
            drop_note(self._host, self._paths)
            raise
        self.note = note

    def end(self, outcome: Outcome) -> None:
        """Let the change wait for its confirmation; or drop it, if it is put back already.

        What could not be put back stays with the watchdog, who tries again at once.
        """
        if self.note is None:
            return
        if outcome.reverted is None:
            kinds = tuple(sorted({change.kind for change in outcome.left.conflicts}))
            self.note = replace(self.note, phase=Phase.APPLIED, conflicts=kinds)
            store_note(self._host, self._paths, self.note)
        elif outcome.reverted:
            drop_note(self._host, self._paths)
            self.note = None


def _has_ours(situation: Situation) -> bool:
    """Whether anything of ours is on the host; a parameter that we want is everybody's."""
    found = situation.observed.items()
    return any(content.owned for kind, content in found if kind != SYSCTLS.name)
