"""Prepare a host's chains, so that each hook can be asked what they say of a packet.

The rules of iptables in the order in which the kernel asks: by table within a hook
(``enum nf_ip_hook_priorities``), by position within a table, then by rule.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from review.model.numbers import BITS, read_prefix
from schemas.state import Chain, Hook, Position, Rule, Stage, Verdict
from schemas.values import Prefix

_TABLES: Final = {
    Hook.INPUT: (Stage.MANGLE, Stage.FILTER, Stage.NAT),
    Hook.FORWARD: (Stage.MANGLE, Stage.FILTER),
    Hook.OUTPUT: (Stage.MANGLE, Stage.NAT, Stage.FILTER),
    Hook.POSTROUTING: (Stage.MANGLE, Stage.NAT),
}
"""``NF_IP_PRI_MANGLE`` -150, ``NAT_DST`` -100, ``FILTER`` 0, ``NAT_SRC`` 100."""


class Matched(NamedTuple):
    """A rule whose devices match already: for which sources, destinations and segments it is."""

    first_source: int
    last_source: int
    first_destination: int
    last_destination: int
    tcp_syn: bool
    number: int
    """Among the chain's rules."""
    verdict: Verdict


class Listed:
    """A chain of one family, as it is asked. It never changes; what it was asked is remembered."""

    __slots__ = ("_asked", "_ipv6", "_rules", "name", "position")

    def __init__(self, chain: Chain, position: int, *, ipv6: bool) -> None:
        """Take a chain, and its place among those of its family in the document."""
        self.name, self.position = chain.name, position
        self._rules, self._ipv6 = chain.rules, ipv6
        self._asked: dict[tuple[str | None, str | None], tuple[Matched, ...]] = {}

    def ask(self, into: str | None, out: str | None) -> tuple[Matched, ...]:
        """Return the rules that may match a packet with these devices, in order.

        A hook without a device of that direction shows an empty name, which no rule names
        (``ip_packet_match`` in net/ipv4/netfilter/ip_tables.c).
        """
        found = self._asked.get((into, out))
        if found is None:
            found = self._asked[into, out] = tuple(self._select(into, out))
        return found

    def comment(self, number: int) -> str:
        """Return the reason that a rule gives for itself."""
        return self._rules[number].comment

    def _select(self, into: str | None, out: str | None) -> Iterator[Matched]:
        for number, rule in enumerate(self._rules):
            if rule.input in {None, into} and rule.output in {None, out}:
                yield self._match(rule, number)

    def _match(self, rule: Rule, number: int) -> Matched:
        sources, destinations = self._bounds(rule.source), self._bounds(rule.destination)
        return Matched(*sources, *destinations, rule.tcp_syn, number, rule.verdict)

    def _bounds(self, prefix: Prefix | None) -> tuple[int, int]:
        """Return the addresses that match: none where the prefix is of the other family."""
        if prefix is None:
            return 0, (1 << BITS[self._ipv6]) - 1
        read = read_prefix(prefix)
        return (read.first, read.last) if read and read.ipv6 is self._ipv6 else (1, 0)


Hooked = dict[Hook, tuple[tuple[Stage, tuple[Listed, ...]], ...]]
"""The chains called at a hook: by table in the order of asking, then in that of calling."""


def hang_chains(chains: tuple[Chain, ...], *, ipv6: bool) -> Hooked:
    """Hang each chain where it is called from; those that come last after all others."""
    hung: dict[tuple[Hook, Stage], tuple[Listed, ...]] = {}
    for last in (False, True):
        for position, chain in enumerate(chains):
            if (chain.position is Position.LAST) is last:
                listed = Listed(chain, position, ipv6=ipv6)
                for hook in chain.hooks:
                    key = (hook, chain.stage)
                    hung[key] = (*hung.get(key, ()), listed)
    return {
        hook: tuple((table, hung[hook, table]) for table in tables if (hook, table) in hung)
        for hook, tables in _TABLES.items()
    }


def drop_chain(hooked: Hooked, name: str) -> Hooked:
    """Return what hangs there without the chain of this name."""
    return {
        hook: tuple(
            (table, kept)
            for table, chains in tables
            if (kept := tuple(chain for chain in chains if chain.name != name))
        )
        for hook, tables in hooked.items()
    }
