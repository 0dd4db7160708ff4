"""Cut the address space into pieces in which nothing tells one address from another.

A decision about a packet compares an address to prefixes that stand in documents. Cut the address
space wherever such a prefix begins or ends: all addresses of a piece then meet the same answers,
and one of them stands for all.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from review.model.numbers import BITS
from review.proof.belongings import Span

FAMILIES: Final = (False, True)
"""Whether a family is IPv6."""

_POD_OFFSET: Final = 10

Holders = tuple[Span, ...]
"""The prefixes around a piece, the widest first."""


class Atlas:
    """The address space of both families, cut at the ends of prefixes."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(set(spans), key=lambda span: (span.ipv6, span.first, -span.last))
        self._spans = {ipv6: [one for one in ordered if one.ipv6 is ipv6] for ipv6 in FAMILIES}
        self._starts = {ipv6: _list_starts(self._spans[ipv6], ipv6=ipv6) for ipv6 in FAMILIES}
        self._holders = {
            ipv6: list(_hold(self._starts[ipv6], self._spans[ipv6])) for ipv6 in FAMILIES
        }

    def find_holders(self, span: Span) -> Holders | None:
        """Return the prefixes that contain a range; None when some begin or end within it."""
        starts = self._starts[span.ipv6]
        index = bisect_right(starts, span.first) - 1
        if bisect_right(starts, span.last) - 1 != index:
            return None
        return self._holders[span.ipv6][index]

    def pick(self, *spans: Span) -> tuple[int, ...]:
        """Return one address for each answer that the addresses of some ranges can meet.

        Pieces that the same prefixes contain are told apart by nothing.
        """
        found: dict[Holders, int] = {}
        for span in spans:
            for piece in self.list_pieces(span):
                # Not the first, which looks like a network: the first that could be a pod's.
                found.setdefault(
                    self.find_holders(piece) or (), min(piece.first + _POD_OFFSET, piece.last)
                )
        return tuple(sorted(found.values()))

    def list_pieces(self, span: Span) -> Iterator[Span]:
        """Yield the pieces of a range, in order."""
        starts = self._starts[span.ipv6]
        first = span.first
        while first <= span.last:
            index = bisect_right(starts, first)
            end = starts[index] - 1 if index < len(starts) else span.last
            last = min(end, span.last)
            yield Span(span.ipv6, first, last)
            first = last + 1


def whole_space(*, ipv6: bool) -> Span:
    """Return all addresses of a family."""
    return Span(ipv6, 0, (1 << BITS[ipv6]) - 1)


def _list_starts(spans: Iterable[Span], *, ipv6: bool) -> list[int]:
    end = 1 << BITS[ipv6]
    starts = {0} | {span.first for span in spans} | {span.last + 1 for span in spans}
    return sorted(starts - {end})


def _hold(starts: Iterable[int], spans: list[Span]) -> Iterator[Holders]:
    """Yield what contains each piece. Prefixes nest or are apart, so a stack is enough."""
    opened: list[Span] = []
    index = 0
    for start in starts:
        while opened and opened[-1].last < start:
            opened.pop()
        while index < len(spans) and spans[index].first <= start:
            opened.append(spans[index])
            index += 1
        yield tuple(opened)
