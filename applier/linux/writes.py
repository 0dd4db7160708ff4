"""Every change to the host passes through :func:`write`, which leaves one line in the log."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from applier.errors import HostError

LOGGER_NAME: Final = "wormhole.host"


@contextmanager
def write(operation: str, target: str) -> Iterator[None]:
    """Log one change at DEBUG when it has ended: what, to what, and the errno if it failed.

    Neither word may hold a secret. ``KeyboardInterrupt`` and bugs are logged too: the change may
    have been made.
    """
    outcome = "interrupted"
    try:
        yield
        outcome = "done"
    except HostError as error:
        outcome = f"{type(error).__name__} {errno.errorcode.get(error.code, error.code)}"
        raise
    finally:
        # A run that changes nothing does not pay for this import (13 ms).
        import logging  # noqa: PLC0415 - see above

        logging.getLogger(LOGGER_NAME).debug("%s %s: %s", operation, target, outcome)
