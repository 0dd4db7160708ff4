"""A host's chains to what they decide about a packet at a hook.

The rules of iptables in the order in which the kernel asks: by table within a hook
(``enum nf_ip_hook_priorities``), by position within a table, then by rule.
"""

from functools import lru_cache
from typing import Final, NamedTuple

from review.model.numbers import BITS, read_prefix
from schemas.state import Chain, Hook, Position, Rule, Stage, Verdict

_Match = tuple[str | None, str | None, int, int, int, int, bool, Verdict]
"""Input, output, the first and last source, the first and last destination, SYN, verdict."""

_TABLES: Final = {
    Hook.INPUT: (Stage.MANGLE, Stage.FILTER, Stage.NAT),
    Hook.FORWARD: (Stage.MANGLE, Stage.FILTER),
    Hook.OUTPUT: (Stage.MANGLE, Stage.NAT, Stage.FILTER),
    Hook.POSTROUTING: (Stage.MANGLE, Stage.NAT),
}
"""``NF_IP_PRI_MANGLE`` -150, ``NAT_DST`` -100, ``FILTER`` 0, ``NAT_SRC`` 100."""


class Listed(NamedTuple):
    """A chain in the form in which it is asked."""

    position: int
    """Among the chains of its family in the document."""
    name: str
    rules: tuple[_Match, ...]
    comments: tuple[str, ...]


Hooked = dict[tuple[Hook, Stage], tuple[Listed, ...]]
"""The chains called at a hook by a table, in the order of calling."""


class Hit(NamedTuple):
    """A rule that matched."""

    chain: Listed
    rule: int
    verdict: Verdict


def hang_chains(chains: tuple[Chain, ...], *, ipv6: bool) -> Hooked:
    """Hang each chain where it is called from; those that come last after all others."""
    hooked: Hooked = {}
    for last in (False, True):
        for index, chain in enumerate(chains):
            if (chain.position is Position.LAST) is last:
                rules = tuple(_match_of(rule, ipv6) for rule in chain.rules)
                comments = tuple(rule.comment for rule in chain.rules)
                listed = Listed(index, chain.name, rules, comments)
                for hook in chain.hooks:
                    key = (hook, chain.stage)
                    hooked[key] = (*hooked.get(key, ()), listed)
    return hooked


def tables_of(hook: Hook) -> tuple[Stage, ...]:
    """Return the tables that a hook asks, in order."""
    return _TABLES[hook]


def find_hit(  # noqa: PLR0913 - what a rule can match on
    chain: Listed,
    source: int,
    destination: int,
    *,
    into: str | None,
    out: str | None,
    syn: bool,
    start: int = 0,
) -> Hit | None:
    """Return the first rule from ``start`` on that matches.

    A hook without a device of that direction shows an empty name, which no rule names
    (``ip_packet_match`` in net/ipv4/netfilter/ip_tables.c).
    """
    for index, (by, to, low, high, least, most, opens, verdict) in enumerate(chain.rules):
        if (
            low <= source <= high
            and least <= destination <= most
            and (by is None or by == into)
            and (to is None or to == out)
            and (syn or not opens)
            and index >= start
        ):
            return Hit(chain, index, verdict)
    return None


@lru_cache(maxsize=65536)
def _match_of(rule: Rule, ipv6: bool) -> _Match:  # noqa: FBT001 - a cache is asked by position
    return (
        rule.input,
        rule.output,
        *_bounds(rule.source, ipv6),
        *_bounds(rule.destination, ipv6),
        rule.tcp_syn,
        rule.verdict,
    )


def _bounds(prefix: str | None, ipv6: bool) -> tuple[int, int]:  # noqa: FBT001 - as above
    """Return the addresses that match; none of this family where the prefix is of the other."""
    if prefix is None:
        return 0, (1 << BITS[ipv6]) - 1
    read = read_prefix(prefix)
    return (read.first, read.last) if read and read.ipv6 is ipv6 else (1, 0)
