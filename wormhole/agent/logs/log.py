"""Log records to single lines, in logfmt or JSON, that nobody's text can forge."""

import json
import logging
import re
import sys
import time
import traceback
from typing import Any, Final, Literal, TextIO

from schemas.problems import neutralise
from wormhole.agent.wording import clip, redact
from wormhole.debuglog import is_debugging

LOGGER_NAME: Final = "wormhole.agent"
Format = Literal["text", "json"]

_BARE: Final = re.compile(r"[^\s\"=\\]+")


class LineFormatter(logging.Formatter):
    """Log records to single lines: logfmt, or JSON. No text can begin a line of its own."""

    def __init__(self, form: Format) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; ``record.fields`` is what follows the message."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said: dict[str, Any] = {
            "time": f"{moment}.{int(record.created % 1 * 1000):03}Z",
            "level": "warn" if record.levelno == logging.WARNING else record.levelname.lower(),
            "msg": clip(redact(_say(record))),
        }
        if record.name != LOGGER_NAME:
            said["logger"] = record.name
        for name, value in getattr(record, "fields", ()):
            said[name] = neutralise(value) if isinstance(value, str) else value
        if self._form == "json":
            return json.dumps(said)
        return " ".join(f"{name}={_quote(value)}" for name, value in said.items())


def set_up_log(form: Format, stream: TextIO | None = None) -> logging.Logger:
    """Send all log lines of the process to a stream (standard error).

    Ours are heard from INFO on; with ``WORMHOLE_DEBUG=1`` so is each write to the kernel.
    Other people's libraries are heard from WARNING on, except urllib3, which warns of each retry.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter(form))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.raiseExceptions = False  # whoever reads our log may be gone; the agent goes on
    logging.captureWarnings(capture=True)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    logging.getLogger("wormhole").setLevel(logging.DEBUG if is_debugging() else logging.INFO)
    return logging.getLogger(LOGGER_NAME)


def _say(record: logging.LogRecord) -> str:
    """Return the message; of an exception its name, its words and its place."""
    message = record.getMessage()
    if not record.exc_info or record.exc_info[1] is None:
        return message
    error = record.exc_info[1]
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{message}: {type(error).__name__}: {error}{place}"


def _quote(value: object) -> str:
    """Spell a value of logfmt: bare where a reader of it cannot go wrong, else in quotes."""
    text = str(value)
    if _BARE.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
