"""A change on trial to its end: kept, or the host as it was before."""

import time
from typing import Final

from msgspec.structs import replace

from applier.converge import remember
from applier.diff import state_of
from applier.errors import GoingBack, HostError, NotGoneBack, Unconfirmed
from applier.host import Host
from applier.keys import load_key
from applier.kinds import KINDS
from applier.memory import forget_applied, restore, store_applied
from applier.outcome import be_silent
from applier.paths import Paths
from applier.pending.note import (
    Note,
    Reason,
    Reverted,
    drop_note,
    load_note,
    store_note,
    store_reverted,
)
from applier.pending.verdict import Moment, may_keep, must_go_back, seconds_left, why_back
from applier.plan import Observed
from applier.recall import recall
from applier.revert import Reversal, fail, revert
from applier.situation import Situation, look, look_around
from applier.vault import Vault
from applier.view import View
from schemas.document import digest
from schemas.problems import Problems

_PAUSES: Final = (0.2, 1.0)
"""Seconds before it is tried again: a link may be only coming up."""


def settle(host: Host, *, vault: Vault, paths: Paths, moment: Moment) -> Reverted | None:
    """Go back if a change was left on trial; say what the host went back from. None: nothing was.

    The caller holds the host's lock, and calls this before it looks at anything else.

    Raises:
        Unconfirmed: a change is on trial, and in good hands.
        NotGoneBack: the host could not be put back as it was; the note stays for the next one.
        Unobservable: live state, or the note, could not be read.

    """
    note = load_note(host, paths)
    if note is None:
        return None
    if not must_go_back(note, moment):
        raise unconfirmed(note, moment)
    reversal = _go_back_by_memory(host, note, vault, paths)
    if not reversal.complete:
        store_note(host, paths, replace(note, trouble=reversal.causes))
        raise NotGoneBack("go back to", "the state before", "; ".join(reversal.causes))
    # Nothing but the previous document is on the host, so no other names are in use.
    if note.previous is not None:
        store_applied(host, paths, note.previous, ended=True)
    else:
        forget_applied(host, paths)
    return _close(host, note, paths, why_back(note, moment))


def keep(host: Host, *, paths: Paths, moment: Moment) -> Note | None:
    """Make the change on trial the host's own; return it, or None when it is too late for that.

    The caller holds the host's lock: of this and the watchdog one wins.
    """
    note = load_note(host, paths)
    if note is None or not may_keep(note, moment):
        return None
    # Memory first: killed in between, the change is still on trial, and goes back.
    for trouble in remember(host, paths, note.desired, note.conflicts):
        raise HostError("remember", str(paths.applied), trouble)
    drop_note(host, paths)
    return note


def put_back(host: Host, note: Note, before: Situation, paths: Paths, moment: Moment) -> Reversal:
    """Put back what a snapshot saw, as only its holder can; the caller holds the lock."""
    reversal = revert(host, before, be_silent)
    if not reversal.complete:
        store_note(host, paths, replace(note, trouble=reversal.causes))
        return reversal
    if note.previous is None:
        forget_applied(host, paths)  # what parameters were before us, too
    restore(host, paths, note.previous, note.attempted)
    _close(host, note, paths, why_back(note, moment))
    return reversal


def unconfirmed(note: Note, moment: Moment) -> Unconfirmed:
    """Return the error that says of a change on trial that others have to wait for its end."""
    left = seconds_left(note, moment)
    kind = Unconfirmed if left else GoingBack
    reason = f"{left:.0f} s are left" if left else "its time is over"
    return kind("wait for", f"sha256:{digest(note.desired)[:12]}", reason)


def _close(host: Host, note: Note, paths: Paths, reason: Reason) -> Reverted:
    """Remember what is not to be tried again, and then that nothing is left to do."""
    reverted = store_reverted(host, paths, note, reason)
    drop_note(host, paths)
    return reverted


def _go_back_by_memory(host: Host, note: Note, vault: Vault, paths: Paths) -> Reversal:
    """Put the previous document in the place of the snapshot that nobody has any more."""
    reversal = Reversal(complete=False)
    for pause in (0.0, *_PAUSES):
        time.sleep(pause)
        try:
            reversal = revert(host, _aim(host, note, vault, paths), be_silent)
        except (HostError, Problems) as error:
            reversal = fail(str(error))
        if reversal.complete:
            break
    return reversal


def _aim(host: Host, note: Note, vault: Vault, paths: Paths) -> Situation:
    """Return a situation as if the previous document had just been seen on this host.

    What is there now counts as what was wanted last: none of it is drift to be lenient with. A key
    that was rotated meanwhile is no reason to stay: without the old one it gets the new one.
    """
    if note.previous is None:
        now = look_around(host, paths)
    else:
        view = View(host)
        previous = recall(note.previous, load_key(host, paths)[0], view)
        now = look(host, previous, vault, paths, view, keep_key=True)
    target = {kind.name: Observed(owned=now.desired.get(kind.name, {})) for kind in KINDS}
    return replace(now, desired=state_of(now.observed), last=None, observed=target)
