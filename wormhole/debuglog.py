"""The log of changes to the host to standard error, for whoever asks with ``WORMHOLE_DEBUG=1``."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


def is_debugging() -> bool:
    """Whether the environment asks for all that is known."""
    return os.environ.get("WORMHOLE_DEBUG") == "1"


@contextmanager
def log_changes() -> Iterator[None]:
    """Write a line for each change to the host while the context lasts, if asked to."""
    if not is_debugging():
        yield
        return
    import logging  # noqa: PLC0415 - 13 ms that only who debugs has to pay

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    logger = logging.getLogger("wormhole")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
