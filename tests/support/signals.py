"""Signals that whoever started the tests ignores, heeded by the programs that the tests start."""

import signal
from typing import Final

_OURS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""What the tests send, or have sent."""


def heed_signals() -> None:
    """Undo for our children what ``nohup`` does, and a shell without a terminal to its jobs.

    A signal that is ignored stays so after exec; one that is handled, if by doing nothing, does not
    (signal(7)).
    """
    for number in _OURS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(*_: object) -> None:
    """Take a signal, and go on."""
