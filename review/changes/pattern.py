"""A host's rule to its pattern: what is left when the host's own values are taken out.

Hosts have the same rules for different pod CIDRs; two overlays have the same rules for different
prefixes. A rule has several patterns where a value is both, as on the one node of a mesh whose pod
CIDR is the whole overlay.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import product

from schemas.state import Rule
from schemas.values import InterfaceName, Prefix

Pattern = tuple[object, ...]

_POD, _OVERLAY = "a pod CIDR", "the overlay"
_DEVICE, _BRIDGE = "the device", "the bridge"


class Values:
    """What the rules of one host are made of."""

    def __init__(
        self,
        pods: Collection[Prefix],
        overlay: Collection[Prefix],
        device: InterfaceName,
        bridge: InterfaceName,
    ) -> None:
        self._words: dict[str | None, tuple[str, ...]] = {}
        for words, word in ((pods, _POD), (overlay, _OVERLAY), ((device,), _DEVICE)):
            for each in words:
                self._words[each] = (*self._words.get(each, ()), word)
        self._words[bridge] = (*self._words.get(bridge, ()), _BRIDGE)

    def patterns(self, rules: Iterable[Rule]) -> frozenset[Pattern]:
        """Return the patterns of all these rules."""
        return frozenset(pattern for rule in rules for pattern in self._patterns_of(rule))

    def pattern(self, rule: Rule) -> Pattern:
        """Return the first pattern of a rule: the one that is told."""
        return next(self._patterns_of(rule))

    def _patterns_of(self, rule: Rule) -> Iterator[Pattern]:
        places = (rule.input, rule.output, rule.source, rule.destination)
        # A word is a tuple of one, a value of nobody's is itself, so that they cannot be mixed up.
        choices = [
            [(word,) for word in self._words[place]] if place in self._words else [place]
            for place in places
        ]
        for chosen in product(*choices):
            yield (rule.verdict, rule.comment, rule.tcp_syn, *chosen)
