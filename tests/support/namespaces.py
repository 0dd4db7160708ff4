"""Put the calling process into a network namespace of its own, for the length of a block.

No child process is needed: a failing test shows its own traceback, and coverage and timeouts work
as ever. It must be the main thread that calls, because ``/proc/net`` shows the main thread's
network. Processes started inside are inside too.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_OWN: Final = Path("/proc/self/ns/net")

_libc = ctypes.CDLL(None, use_errno=True)  # Python 3.12 has os.unshare and os.setns


@contextmanager
def network_namespace() -> Iterator[None]:
    """Enter a new, empty network namespace, and come back. Needs root; see :func:`missing`."""
    before = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        try:
            yield
        finally:
            _check(_libc.setns(before, _CLONE_NEWNET), "setns")
    finally:
        os.close(before)


def missing() -> str:
    """Return why there can be no namespaces here; empty when there can."""
    if os.geteuid() != 0:
        return "not root"
    try:
        with network_namespace():
            return ""
    except OSError as error:
        return str(error)


def _check(result: int, call: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call} of the network namespace: {os.strerror(code)}")
