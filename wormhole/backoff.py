"""How often something failed in a row to how long to wait before it is tried again. Pure."""

from typing import Final

_MOST_DOUBLINGS: Final = 32
"""No pause is longer than two to this many of the first, and no float is overrun."""


def double(times: int, *, first: float, longest: float) -> float:
    """Return the seconds to wait after so many times, at least one: doubled each time."""
    return min(longest, first * 2.0 ** min(times - 1, _MOST_DOUBLINGS))
