"""What is Wormhole's in one family's iptables, as one comparable value."""

from collections.abc import Mapping
from itertools import groupby

from schemas.state import Position, Value


class OwnedChain(Value, frozen=True, kw_only=True):
    """A chain of ours and all its rules, ours or not."""

    table: str
    name: str
    """``WORMHOLE-GUARD`` and the like."""
    rules: tuple[str, ...]
    """What follows ``-A CHAIN``, spelled as ``iptables-save`` does, mark included."""


class Jump(Value, frozen=True, kw_only=True):
    """A rule of ours in a chain that is not ours: it jumps to a chain of ours, or has our mark."""

    table: str
    hook: str
    """The chain that holds the rule: ``FORWARD``, or anybody's."""
    target: str
    """The chain that it jumps to; empty when it jumps nowhere."""
    position: Position | None
    """Where it is called, which its comment says. None: it says nothing, or it says ``first`` and
    a foreign rule before it could let packets by, or ``last`` and one behind it could refuse
    what it accepts."""
    rule: str


class Ruleset(Value, frozen=True, kw_only=True):
    """Everything of ours in one family. Two are equal exactly when nothing is to be done."""

    chains: tuple[OwnedChain, ...] = ()
    """Sorted by table and name."""
    jumps: tuple[Jump, ...] = ()
    """Sorted by table and hook; within a hook in the order in which packets meet them."""


Part = OwnedChain | tuple[Jump, ...]
"""What one key stands for: a chain, or all jumps from one hook. The jumps of a hook belong
together because their order counts, and because a jump may be there twice."""


def parts_of(ruleset: Ruleset) -> dict[str, Part]:
    """Take a ruleset apart, for a plan: ``mangle WORMHOLE-GUARD``, ``filter FORWARD``."""
    chains = {_key(chain.table, chain.name): chain for chain in ruleset.chains}
    hooks = groupby(ruleset.jumps, key=lambda jump: _key(jump.table, jump.hook))
    return {**chains, **{key: tuple(jumps) for key, jumps in hooks}}


def ruleset_of(parts: Mapping[str, Part]) -> Ruleset:
    """Put parts together again: the inverse of :func:`parts_of`, whatever the parts' order."""
    chains = [part for part in parts.values() if isinstance(part, OwnedChain)]
    jumps = [jump for part in parts.values() if isinstance(part, tuple) for jump in part]
    return sort_ruleset(chains, jumps)


def sort_ruleset(chains: list[OwnedChain], jumps: list[Jump]) -> Ruleset:
    """Build a ruleset in its one order; jumps of one hook keep the order in which they came."""
    return Ruleset(
        chains=tuple(sorted(chains, key=lambda chain: (chain.table, chain.name))),
        jumps=tuple(sorted(jumps, key=lambda jump: (jump.table, jump.hook))),
    )


def _key(table: str, chain: str) -> str:
    return f"{table} {chain}"
