"""What a verdict on a change on trial depends on, as this machine has it now."""

import time
from pathlib import Path
from typing import Final

from applier.errors import Unobservable
from applier.linux.lock import is_held
from applier.paths import Paths
from applier.pending.verdict import Moment

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Another one after each boot (``Documentation/admin-guide/sysctl/kernel.rst``)."""


def read_moment(paths: Paths) -> Moment:
    """Return this boot, its clock, and whether a watchdog is alive.

    Raises:
        Unobservable: the kernel does not tell.

    """
    try:
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unobservable("read", str(_BOOT_ID), reason, error.errno or 0) from error
    # Unlike CLOCK_MONOTONIC it goes on while the host is suspended (clock_gettime(2)).
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    return Moment(boot_id=boot_id, now=now, watched=is_held(paths.watchdog_lock))
