"""A note and a snapshot to a living watchdog over them."""

import os
import syslog
import time
from contextlib import suppress
from typing import Final

from applier.linux.detach import Detached, detach
from applier.linux.host import LinuxHost
from applier.linux.lock import hold, hold_within
from applier.paths import Paths
from applier.pending.note import Note
from applier.pending.verdict import Moment
from applier.pending.watchdog import Post, watch
from applier.situation import Situation
from applier.vault import Vault
from schemas.document import digest

_NAME: Final = "wormhole-watchdog"
_PATIENCE: Final = 10.0
"""Seconds in which the watchdog over the change before this one must have ended."""
_LOG: Final = 1
"""Standard output. Python's own object would keep what could not be written, and fail again."""


def arm(before: Situation, note: Note, *, vault: Vault, paths: Paths) -> None:
    """Start a watchdog; return when it watches. It holds the snapshot, and the vault's secrets.

    Raises:
        HostError: it did not get ready.

    """

    def work(detached: Detached) -> None:
        # Others who look whether a watchdog lives hold its lock for an instant, too.
        with hold_within(paths.watchdog_lock, _PATIENCE):
            _say(f"watches over a change to sha256:{digest(note.desired)[:12]}")
            detached.tell_ready()
            watch(_post(detached, note, vault, paths), note, before, paths)

    detach(work, _NAME, paths.watchdog_log)


def _post(detached: Detached, note: Note, vault: Vault, paths: Paths) -> Post:
    return Post(
        open_host=lambda: LinuxHost(vault, paths.run),
        hold_lock=lambda: hold(paths.run / "lock"),
        read_moment=lambda: _moment_of(note),
        sleep=time.sleep,
        applier=detached,
        is_dismissed=detached.is_dismissed,
        say=_say,
    )


def _moment_of(note: Note) -> Moment:
    """Return what the watchdog's verdict depends on. Without files: there may be none to be had.

    A process sees one boot only, and this one is the watchdog that lives.
    """
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Moment(boot_id=note.boot_id, now=now, watched=True)


def _say(sentence: str) -> None:
    """Tell the log, with the time, and the system's log, which has its own."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):  # a full disk: the host has to go back all the same
        os.write(_LOG, f"{moment} {sentence}\n".encode(errors="replace"))
    syslog.openlog(_NAME, syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_NOTICE, sentence)
    syslog.closelog()
