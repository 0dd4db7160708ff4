"""What a command does about changes on trial, before and after its own work."""

import argparse
import shlex
from typing import Final

from msgspec.structs import replace

from applier.errors import GoingBack, Unconfirmed, Unobservable
from applier.host import Host
from applier.paths import Paths
from applier.pending.note import Note, Phase, load_note, load_reverted
from applier.pending.settle import settle, unconfirmed
from applier.pending.trial import Trial
from applier.pending.verdict import must_go_back
from applier.status import Status
from applier.vault import Vault
from schemas.document import digest
from schemas.problems import neutralise
from schemas.state import ResolvedHost
from wormhole import thishost
from wormhole.console import err, out
from wormhole.exit import Exit
from wormhole.views.trial import describe_pending, describe_reverted, say_pending, say_reverted

_TOO_SLOW: Final = (
    "the time was over before the apply was done: this host goes back; --again, with more seconds,"
    " tries it once more"
)


def settle_first(host: Host, vault: Vault, paths: Paths) -> bool:
    """Go back, and say so, if a change was left on trial; return whether one was.

    The caller holds the host's lock.

    Raises:
        Unconfirmed: one is on trial, and has its time.
        NotGoneBack: it could not be taken back whole.

    """
    reverted = settle(host, vault=vault, paths=paths, moment=thishost.read_moment(paths))
    if reverted is not None:
        err(f"wormhole: {say_reverted(reverted)}")
    return reverted is not None


def prepare(
    host: Host, vault: Vault, paths: Paths, resolved: ResolvedHost, arguments: argparse.Namespace
) -> int | None:
    """Settle what was left on trial; return an exit code if the apply is to end here.

    Raises:
        Unconfirmed, NotGoneBack: as :func:`settle_first`.

    """
    try:
        said = settle_first(host, vault, paths)
    except GoingBack:
        raise
    except Unconfirmed:
        note = load_note(host, paths)
        if note is None or note.phase is Phase.APPLYING or note.desired != resolved:
            raise
        moment = thishost.read_moment(paths)
        out(f"No changes: {say_pending(note, moment)}.")
        return Exit.OK
    reverted = load_reverted(host, paths)
    if reverted is None or reverted.digest != digest(resolved) or arguments.again:
        return None
    if not said:
        err(f"wormhole: {say_reverted(reverted)}")
    err("--again tries it all the same")
    out("Refused: this state was taken back, and has not changed since; nothing was changed.")
    return Exit.REFUSED


def refuse_trial(host: Host, paths: Paths) -> None:
    """Leave a change alone that has its time; one that was left behind goes with all else.

    Raises:
        Unconfirmed: a change is on trial.

    """
    try:
        note = load_note(host, paths)
    except Unobservable:
        return  # whatever the damaged note says, nothing of ours is to stay
    moment = thishost.read_moment(paths)
    if note is not None and not must_go_back(note, moment):
        raise unconfirmed(note, moment)


def open_trial(
    host: Host, vault: Vault, paths: Paths, resolved: ResolvedHost, seconds: int | None
) -> Trial | None:
    """Return what puts an apply on trial for so many seconds; None without them."""
    if seconds is None:
        return None
    return Trial(
        host,
        resolved,
        paths=paths,
        read_moment=lambda: thishost.read_moment(paths),
        seconds=seconds,
        arm=lambda before, note: thishost.arm_watchdog(before, note, vault, paths),
    )


def say_how_to_keep(note: Note, paths: Paths) -> bool:
    """Say what is to be typed, and by when; return false if it is too late for that."""
    if note.phase is Phase.APPLYING:
        err(f"the watchdog goes on putting it back: {paths.watchdog_log} tells")
        return True
    left = note.deadline - thishost.read_moment(paths).now
    if left <= 0:
        err(f"wormhole: {_TOO_SLOW}")
        return False
    command = shlex.join(["wormhole", "confirm", *_spell_folders(paths)])
    out(f'Confirm within {max(left, 1):.0f} s with "{command}", or this host goes back.')
    return True


def tell_of_trials(host: Host, paths: Paths, resolved: ResolvedHost) -> None:
    """Say beside a plan what stands against its apply."""
    note = load_note(host, paths)
    if note is not None:
        err(f"note: {neutralise(say_pending(note, thishost.read_moment(paths)))}")
    reverted = load_reverted(host, paths)
    if reverted is not None and reverted.digest == digest(resolved):
        err(f"note: {say_reverted(reverted)}; apply refuses it without --again")


def add_trials(status: Status, host: Host, paths: Paths) -> Status:
    """Return a status with what is on trial, and what was taken back."""
    note = load_note(host, paths)
    reverted = load_reverted(host, paths)
    return replace(
        status,
        pending=describe_pending(note, thishost.read_moment(paths)) if note else None,
        reverted=describe_reverted(reverted) if reverted else None,
    )


def _spell_folders(paths: Paths) -> list[str]:
    """Return the options that name these folders, where they are not the usual ones."""
    usual = Paths()
    options = {
        "--data-dir": (paths.data, usual.data),
        "--cni-conf-dir": (paths.cni, usual.cni),
        "--run-dir": (paths.run, usual.run),
    }
    return [
        word
        for option, (given, default) in options.items()
        if given != default
        for word in (option, str(given))
    ]
