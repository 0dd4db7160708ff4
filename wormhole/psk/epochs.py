"""Names of epochs, and the spelling of a master secret in the cluster's Secret."""

import re
from base64 import b64decode, b64encode
from collections.abc import Collection
from datetime import date
from itertools import count
from typing import Final

EPOCH: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,62}")
"""As ``mesh.schema.json`` has it: a plain file name, so that no epoch leads out of its folder."""
RULE: Final = (
    "must be a plain file name: 1 to 63 letters, digits, '-', '_' and '.', not beginning with a dot"
)
MASTER_LENGTH: Final = 32


def is_epoch(name: str) -> bool:
    """Whether a name may name an epoch."""
    return EPOCH.fullmatch(name) is not None


def name_epoch(today: date, taken: Collection[str]) -> str:
    """Return a new epoch's name: the date, or the date and a number that is free."""
    day = today.isoformat()
    names = (day if number == 1 else f"{day}.{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def encode_master(master: bytes) -> str:
    """Return a master as a Secret's ``data`` has it: base64 of what the file of the epoch holds."""
    return b64encode(b64encode(master) + b"\n").decode()


def decode_master(value: object) -> bytes | None:
    """Return the 32 bytes of an entry in a Secret's ``data``; None when it holds no master."""
    if not isinstance(value, str):
        return None
    try:
        master = b64decode(b64decode(value, validate=True).strip(), validate=True)
    except ValueError:
        return None
    return master if len(master) == MASTER_LENGTH and any(master) else None
