"""Text of unknown origin to text that may be logged, stored in the API and shown to anybody."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from applier.plan import Action, Change
from schemas.problems import neutralise
from wormhole.remarks import count
from wormhole.views.kinds import fields_of
from wormhole.views.plan import describe_change

LIMIT: Final = 1024
"""Bytes of a message: what events.k8s.io takes (``NoteLengthLimit``), and enough for a reader."""

_NAMED: Final = 3
"""How many of several are named in a sentence; the log has them all."""
_CUT: Final = " ..."
_KEY: Final = re.compile(
    r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{59}=|[A-Za-z0-9+/]{58}0K(?![A-Za-z0-9+/]))"
)
"""32 bytes in base64, as key files have them; and that in base64 again, as Secrets have it, without
a line end and with one (``=`` and a line feed are ``0K``)."""
_WHOLE: Final = (Action.CREATE, Action.DELETE)


def clip(text: str, limit: int = LIMIT) -> str:
    """Return at most so many bytes of a text, on one line, with nothing that a terminal obeys."""
    text = neutralise(text)
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len(_CUT)].decode(errors="ignore") + _CUT


def redact(text: str) -> str:
    """Return a text of somebody else's without what could be a key.

    No value of ours holds a secret; but the API server quotes what it refuses, and that may be a
    Secret. Public keys look the same and go too: names say whose they were.
    """
    return _KEY.sub("(a key)", text)


def name_some(sentences: Iterable[str]) -> str:
    """Return the first three sentences as one, and how many more there are."""
    said = list(sentences)
    named = "; ".join(said[:_NAMED])
    more = len(said) - _NAMED
    return f"{named}; and {count(more, 'more', 'more')}" if more > 0 else named


def say_change(change: Change) -> str:
    """Return one change and what it is about, on one line."""
    if change.action is Action.CONFLICT:
        return clip(f"{describe_change(change)}: {change.note}")
    # A whole firewall chain is many rules; that it came or went is enough for a line.
    brief = change.kind == "firewall" and change.action in _WHOLE
    fields = "" if brief else ", ".join(map(str, fields_of(change)))
    details = "; ".join(part for part in (fields, change.note) if part)
    said = describe_change(change)
    return clip(f"{said}: {details}" if details else said)


def spell_time(moment: float) -> str:
    """Return a Unix time as ``metav1.Time`` has it: RFC 3339, whole seconds, UTC."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
