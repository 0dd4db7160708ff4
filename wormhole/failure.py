"""Turn an exception into an exit code and the sentences that its reader needs.

This is the one place that knows which exception means which exit code. Sentences go to
standard error; a traceback never does, unless ``WORMHOLE_DEBUG=1`` asks for it.
"""

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from wormhole import __version__
from wormhole.console import err
from wormhole.debuglog import is_debugging
from wormhole.exit import Exit

if TYPE_CHECKING:
    from applier.errors import HostError

_ROOT: Final = Path(__file__).resolve().parent.parent
_ROOMS: Final = ("schemas", "compiler", "renderers", "applier", "review", "wormhole")
_STOP_IT: Final = (
    "nothing was changed: stop it first, with"
    " 'kubectl -n wormhole-system delete daemonset wormhole-agent',"
    " or 'systemctl stop' where it is a service of this host"
)
_DECIDE: Final = (
    "nothing was changed: 'wormhole confirm' keeps it, 'wormhole confirm --revert' takes it back"
)
_AGAIN: Final = "nothing was changed: run this again in a minute"
_RIGHTS: Final = (errno.EACCES, errno.EPERM)
_OUTPUT_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def explain_failure(error: BaseException) -> Exit:
    """Say on standard error what went wrong; return the exit code that belongs to it."""
    if isinstance(error, KeyboardInterrupt):
        err("wormhole: interrupted")
        return Exit.INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return Exit.BROKEN_PIPE
    if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRORS:
        err(f"wormhole: cannot write the output: {(error.strerror or str(error)).lower()}")
        return Exit.INPUT
    if isinstance(error, MemoryError):
        err("wormhole: there is not enough memory for an input of this size")
        return Exit.INPUT
    known = _explain_known(error)
    return known if known is not None else _explain_bug(error)


def _explain_known(error: BaseException) -> Exit | None:
    # Only now: a command that fails early must not pay for rooms it never entered.
    from applier.errors import HostError  # noqa: PLC0415
    from schemas.problems import Problems, neutralise  # noqa: PLC0415
    from wormhole.cluster.errors import ApiError  # noqa: PLC0415
    from wormhole.remarks import count_problems  # noqa: PLC0415

    match error:
        case Problems():
            for problem in error.problems:
                err(f"error: {problem}")
            if len(error.problems) > 1:
                err(count_problems(error.problems))
            return Exit.INPUT
        case HostError():
            return _explain_host_error(error)
        case ApiError():
            err(f"wormhole: {neutralise(str(error))}")
            return Exit.UNOBSERVABLE
        case _:
            return None


def _explain_host_error(error: "HostError") -> Exit:
    from applier.errors import (  # noqa: PLC0415 - as above
        AgentRuns,
        GoingBack,
        Locked,
        NotGoneBack,
        Unconfirmed,
        Unobservable,
        Unsupported,
    )

    match error:
        case AgentRuns():
            err(f"wormhole: an agent keeps this host: {error}\n{_STOP_IT}")
            return Exit.TRY_AGAIN
        case GoingBack():
            err(f"wormhole: a change on this host is being taken back: {error}\n{_AGAIN}")
            return Exit.TRY_AGAIN
        case Unconfirmed():
            err(f"wormhole: a change is on trial on this host: {error}\n{_DECIDE}")
            return Exit.TRY_AGAIN
        case Locked():
            err(f"wormhole: another applier is at work on this host: {error}")
            return Exit.TRY_AGAIN
        case NotGoneBack():
            err(f"wormhole: {error}\nnothing else was done: the next run tries this again first")
            return Exit.NOT_REVERTED
        case Unobservable() | Unsupported():
            err(f"wormhole: {error}\nnothing was changed: what cannot be read is not empty")
        case _:
            sudo = error.code in _RIGHTS and os.geteuid() != 0
            remedy = "root may: use sudo" if sudo else "once the cause is gone, run it again"
            err(f"wormhole: {error}\nit ended there: {remedy}")
    return Exit.UNOBSERVABLE


def _explain_bug(error: BaseException) -> Exit:
    if is_debugging():
        import traceback  # noqa: PLC0415 - paid only when asked for

        traceback.print_exception(error)
    message = f": {error}" if str(error) else ""
    notes = "".join(f"  {note}\n" for note in getattr(error, "__notes__", ()))
    err(
        f"wormhole: this is a bug in wormhole {__version__}, not in your input\n"
        f"  {type(error).__name__}{message}\n"
        f"  at {_place_of(error.__traceback__)}\n"
        f"{notes}"
        "please report these lines, and the command, to whoever gave you wormhole;\n"
        "WORMHOLE_DEBUG=1 prints the whole traceback (look for secrets before you share it)"
    )
    return Exit.BUG


def _place_of(traceback: TracebackType | None) -> str:
    """Return ``file:line`` of the innermost frame that is ours."""
    place = "an unknown place"
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if file.is_relative_to(_ROOT) and file.relative_to(_ROOT).parts[0] in _ROOMS:
            place = f"{file.relative_to(_ROOT)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
