"""Reduce a rule to its pattern: what is left when the host's own values are taken out.

Hosts have the same rules for different pod CIDRs; two overlays have the same rules for different
prefixes. A rule has several patterns where a value is both, as on the one node of a mesh whose pod
CIDR is the whole overlay.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import product
from typing import Final

from schemas.state import Rule
from schemas.values import InterfaceName, Prefix

Pattern = tuple[str, str, bool, tuple[object, ...]]

Word = tuple[str]
"""What stands in place of a value. A tuple, so that it equals nothing that a rule can hold."""

_POD: Final[Word] = ("a pod CIDR",)
_OVERLAY: Final[Word] = ("the overlay",)
_DEVICE: Final[Word] = ("the device",)
_BRIDGE: Final[Word] = ("the bridge",)


class Values:
    """What the rules of one host are made of."""

    def __init__(
        self,
        pods: Collection[Prefix],
        overlay: Collection[Prefix],
        device: InterfaceName,
        bridge: InterfaceName,
    ) -> None:
        self._words: dict[str | None, tuple[Word, ...]] = {}
        named = ((pods, _POD), (overlay, _OVERLAY), ((device,), _DEVICE), ((bridge,), _BRIDGE))
        for values, word in named:
            for value in values:
                self._words[value] = (*self._words.get(value, ()), word)

    def patterns(self, rules: Iterable[Rule]) -> frozenset[Pattern]:
        """Return the patterns of all these rules."""
        return frozenset(pattern for rule in rules for pattern in self._patterns_of(rule))

    def pattern(self, rule: Rule) -> Pattern:
        """Return the first pattern of a rule: the one that is told."""
        return next(self._patterns_of(rule))

    def _patterns_of(self, rule: Rule) -> Iterator[Pattern]:
        places = (rule.input, rule.output, rule.source, rule.destination)
        words = self._words
        choices = [words.get(place, (place,)) for place in places]
        for chosen in product(*choices):
            yield rule.verdict, rule.comment, rule.tcp_syn, chosen
