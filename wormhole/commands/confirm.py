"""``wormhole confirm``: the change on trial stays, or goes."""

import argparse
import time
from typing import TYPE_CHECKING, Final

from wormhole.console import err, out
from wormhole.exit import Exit
from wormhole.options import add_host_folders

if TYPE_CHECKING:
    from applier.host import Host
    from applier.paths import Paths
    from applier.vault import Vault

SUMMARY: Final = "Keep what 'apply --confirm' changed, or take it back."
DESCRIPTION: Final = (
    "Keep the change that 'wormhole apply --confirm' has on trial on this host. Without this, the"
    " host goes back by itself when the time is over; a confirmation that comes too late keeps"
    " nothing, and ends with exit code 6. 'wormhole status' tells whether a change is on trial."
)

_LOCK_PATIENCE: Final = 10.0
"""Seconds to wait for a turn of an agent, or for the end of the apply itself."""
_BACK_PATIENCE: Final = 60.0
"""Seconds to wait for the watchdog to go back."""
_GLANCE: Final = 0.1


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--revert", action="store_true", help="Take the change back, now.")
    way.add_argument(
        "--settle",
        action="store_true",
        help="Take back what was left behind unconfirmed, such as by a reboot; leave alone what"
        " still has its time. For a service that runs at boot.",
    )
    add_host_folders(parser)


def run(arguments: argparse.Namespace) -> int:
    """Decide under the lock, so that of this and the watchdog one wins."""
    from wormhole import thishost  # noqa: PLC0415 - the applier is for the host's commands

    thishost.require_root()
    paths = thishost.paths_from(arguments)
    with thishost.open_host(paths) as (host, vault):
        if arguments.revert:
            return _take_back(host, vault, paths)
        with thishost.hold_lock(paths, _LOCK_PATIENCE):
            return (_settle if arguments.settle else _keep)(host, vault, paths)


def _keep(host: "Host", vault: "Vault", paths: "Paths") -> int:
    from applier.pending.note import load_note  # noqa: PLC0415 - as in run
    from applier.pending.settle import keep  # noqa: PLC0415
    from schemas.document import digest  # noqa: PLC0415
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.views.plan import shorten_digest  # noqa: PLC0415

    kept = keep(host, paths=paths, moment=thishost.read_moment(paths))
    if kept is not None:
        name = shorten_digest(digest(kept.desired))
        out(f"Confirmed: {kept.desired.host.name} keeps {name}.")
        return Exit.OK
    if load_note(host, paths) is None:
        lack = "no change waits to be confirmed"
        return _say_there_is_none(host, paths, lack, "Too late", Exit.REVERTED)
    _go_back(host, vault, paths)
    out("Too late: the change is taken back.")
    return Exit.REVERTED


def _go_back(host: "Host", vault: "Vault", paths: "Paths") -> None:
    """Go back, unless the watchdog is about to."""
    from applier.errors import Unconfirmed  # noqa: PLC0415 - as in run
    from wormhole.trial import settle_first  # noqa: PLC0415

    try:
        settle_first(host, vault, paths)
    except Unconfirmed:
        return


def _say_there_is_none(host: "Host", paths: "Paths", lack: str, told: str, code: Exit) -> int:
    """Say what was taken back already, with ``told`` before it; or that there is nothing at all."""
    from applier.pending.note import load_reverted  # noqa: PLC0415 - as in run
    from wormhole.views.trial import say_reverted  # noqa: PLC0415

    reverted = load_reverted(host, paths)
    if reverted is None:
        err(f"wormhole: {lack} on this host")
        return Exit.INPUT
    out(f"{told}: {say_reverted(reverted)}.")
    return code


def _settle(host: "Host", vault: "Vault", paths: "Paths") -> int:
    from applier.errors import GoingBack, Unconfirmed  # noqa: PLC0415 - as in run
    from wormhole.trial import settle_first  # noqa: PLC0415

    try:
        settle_first(host, vault, paths)
    except GoingBack as error:
        out(f"Left alone: its watchdog takes it back: {error}.")
        return Exit.OK
    except Unconfirmed as error:
        out(f"Left alone: a change on trial has its time: {error}.")
        return Exit.OK
    out("Settled: no change is on trial on this host.")
    return Exit.OK


def _take_back(host: "Host", vault: "Vault", paths: "Paths") -> int:
    """Ask the watchdog, who knows best what was; without one, do it here."""
    from msgspec.structs import replace  # noqa: PLC0415 - as in run

    from applier.pending.note import load_note, load_reverted, store_note  # noqa: PLC0415
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.views.trial import say_reverted  # noqa: PLC0415

    with thishost.hold_lock(paths, _LOCK_PATIENCE):
        note = load_note(host, paths)
        if note is None:
            lack, told = "no change is on trial", "Nothing is left to take back"
            return _say_there_is_none(host, paths, lack, told, Exit.OK)
        store_note(host, paths, replace(note, asked_back=True))
        _go_back(host, vault, paths)
    until = time.monotonic() + _BACK_PATIENCE
    while (left := load_note(host, paths)) is not None:
        if time.monotonic() >= until:
            trouble = "; ".join(left.trouble) or _say_how_to_do_without(host, paths)
            err(f"wormhole: could not go back yet: {trouble} ({paths.watchdog_log} tells more)")
            return Exit.NOT_REVERTED
        time.sleep(_GLANCE)
    reverted = load_reverted(host, paths)
    out(f"Taken back: {say_reverted(reverted)}." if reverted else "Taken back.")
    return Exit.OK


def _say_how_to_do_without(host: "Host", paths: "Paths") -> str:
    """Name the watchdog that neither works nor says why: it may be stopped."""
    said = "its watchdog does not get on"
    pid = (host.read_file(paths.watchdog_lock) or b"").decode(errors="replace").partition(" ")[0]
    if not pid.isdecimal():
        return said
    return f"{said}; 'kill -KILL {pid}', and this once more, does without it"
