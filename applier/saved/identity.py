"""Identify a host: what tells it from others, and from itself before a boot."""

import hmac
from hashlib import sha256
from pathlib import Path
from typing import Final

from applier.errors import Missing, Unobservable
from applier.host import Host
from applier.keys import load_key
from applier.paths import Paths
from applier.saved.document import Identity

BOOT_ID: Final = "kernel.random.boot_id"
"""Made at random when the kernel starts (``proc_do_uuid``, ``drivers/char/random.c``)."""

MACHINE_ID: Final = Path("/etc/machine-id")
"""Made when the system was installed; machine-id(5)."""

_PURPOSE: Final = b"wormhole/saved-plan/v1"


def identify(host: Host, paths: Paths) -> Identity:
    """Return a host's identity.

    Raises:
        Problems: the host has no key, or a damaged one.
        Unobservable: it cannot be read.

    """
    try:
        boot = host.read_sysctl(BOOT_ID)
    except Missing as error:
        raise Unobservable(error.operation, error.target, error.reason, error.code) from error
    return Identity(
        public_key=load_key(host, paths)[0], machine=_machine_of(host), boot=boot.strip()
    )


def _machine_of(host: Host) -> str:
    """Return the machine's id as only we know it.

    It should not be told to others as it is (machine-id(5)); hashed with it as the key, it is as
    good for comparing.
    """
    text = (host.read_file(MACHINE_ID) or b"").strip()
    return hmac.digest(text, _PURPOSE, sha256).hex()[:16] if text else ""
