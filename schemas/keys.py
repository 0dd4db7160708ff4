"""Public keys that no honest key pair has, because every shared secret with them is zero."""

from base64 import b64encode
from typing import Final

_PRIME: Final = 2**255 - 19
_SMALL_ORDER: Final = (
    0,
    1,
    _PRIME - 1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    _PRIME,  # the same points again, not reduced
    _PRIME + 1,
)
"""The points of order 1, 2, 4 and 8 on Curve25519 and its twist, by their u (RFC 7748, 6.1)."""

NO_KEY: Final = b64encode(bytes(32)).decode()
"""All zeros: what tools print when there is no key."""

WEAK_KEYS: Final = frozenset(
    b64encode((u | top_bit).to_bytes(32, "little")).decode()
    for u in _SMALL_ORDER
    for top_bit in (0, 1 << 255)  # X25519 ignores it (RFC 7748, 5)
)
"""The kernel refuses every handshake with these."""


def weak_key_rule(key: str) -> str:
    """Return what is wrong with one of :data:`WEAK_KEYS`."""
    why = "is all zeros" if key == NO_KEY else "is a point of small order"
    return f"{why}, which is nobody's key: no host can use it"
