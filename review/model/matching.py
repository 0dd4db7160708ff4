"""Look an address up in a table of prefixes: the longest match comes first."""

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from review.model.numbers import BITS, Range

Held = TypeVar("Held")


class LongestMatch(Generic[Held]):
    """A table of prefixes of one family, never changed once it is made.

    One dictionary for each length that occurs, longest first: tables of meshes have thousands of
    prefixes and two or three lengths.
    """

    __slots__ = ("_levels",)

    def __init__(self, held: Iterable[tuple[Range, Held]], *, ipv6: bool) -> None:
        """Take the entries of one family; equal prefixes keep the order in which they came."""
        levels: dict[int, dict[int, tuple[Held, ...]]] = {}
        for prefix, what in held:
            if prefix.ipv6 is ipv6:
                shift = BITS[ipv6] - prefix.length
                level = levels.setdefault(shift, {})
                key = prefix.first >> shift
                level[key] = (*level.get(key, ()), what)
        self._levels = tuple(sorted(levels.items()))

    def find(self, number: int) -> Iterator[Held]:
        """Yield everything whose prefix an address is in, the longest first."""
        for shift, level in self._levels:
            yield from level.get(number >> shift, ())

    def find_first(self, number: int) -> Held | None:
        """Return what the longest prefix holds that an address is in."""
        for shift, level in self._levels:
            if found := level.get(number >> shift):
                return found[0]
        return None
