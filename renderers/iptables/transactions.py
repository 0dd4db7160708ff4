"""Two rulesets to the input of ``iptables-restore --noflush`` that turns one into the other.

One table is one transaction: the kernel shows packets the old rules or the new, never a part of
them. Between two tables there is an instant; the order of tables decides what it shows.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from renderers.iptables.ruleset import Jump, Ruleset
from schemas.state import Position

_ORDER: Final = ("mangle", "filter", "nat")
"""The guard (mangle) stands before filter accepts pod traffic and nat gives it an address that
the outside answers. Tables that we leave altogether come after all others, in reverse: the guard
is the last to go."""


def transaction(before: Ruleset, after: Ruleset) -> str:
    """Return the least input for ``iptables-restore --noflush`` that turns before into after.

    Only tables, chains and hooks that differ are touched, and nothing foreign is: our jumps are
    deleted by value, never by number, so that a stranger's rule inserted meanwhile is safe (a jump
    that is gone meanwhile fails the whole table, which is what we want). A hook whose jumps
    differ at all gets all of ours anew, in the same transaction.

    Returns the empty string when the two are equal.
    """
    arriving = sorted(_tables_of(after), key=_rank)
    leaving = sorted(_tables_of(before) - _tables_of(after), key=_rank, reverse=True)
    return "".join(_write_table(table, before, after) for table in arriving + leaving)


def _rank(table: str) -> tuple[int, str]:
    return (_ORDER.index(table) if table in _ORDER else -1), table


def _write_table(table: str, before: Ruleset, after: Ruleset) -> str:
    lines = [
        *_rewrite_chains(_chains_of(before, table), _chains_of(after, table)),
        *_rewrite_hooks(_hooks_of(before, table), _hooks_of(after, table)),
        *_remove_chains(_chains_of(before, table).keys() - _chains_of(after, table).keys()),
    ]
    return "\n".join((f"*{table}", *lines, "COMMIT\n")) if lines else ""


def _rewrite_chains(
    before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]
) -> Iterator[str]:
    """Declare every chain before any rule: a declared chain is created, or emptied."""
    changed = {name: rules for name, rules in after.items() if before.get(name) != rules}
    yield from (f":{name} - [0:0]" for name in changed)
    for name, rules in changed.items():
        yield from (f"-A {name} {rule}" for rule in rules)


def _rewrite_hooks(before: dict[str, list[Jump]], after: dict[str, list[Jump]]) -> Iterator[str]:
    for hook in sorted(before.keys() | after.keys()):
        old, new = before.get(hook, []), after.get(hook, [])
        if old == new:
            continue
        yield from (f"-D {hook} {jump.rule}" for jump in old)
        last = [jump for jump in new if jump.position is Position.LAST]
        first = [jump for jump in new if jump.position is not Position.LAST]
        yield from (f"-I {hook} 1 {jump.rule}" for jump in reversed(first))
        yield from (f"-A {hook} {jump.rule}" for jump in last)


def _remove_chains(names: Iterable[str]) -> Iterator[str]:
    """Empty all before removing any: one may still jump to another."""
    stale = sorted(names)
    yield from (f"-F {name}" for name in stale)
    yield from (f"-X {name}" for name in stale)


def _tables_of(ruleset: Ruleset) -> set[str]:
    chains = {chain.table for chain in ruleset.chains}
    return chains | {jump.table for jump in ruleset.jumps}


def _chains_of(ruleset: Ruleset, table: str) -> dict[str, tuple[str, ...]]:
    return {chain.name: chain.rules for chain in ruleset.chains if chain.table == table}


def _hooks_of(ruleset: Ruleset, table: str) -> dict[str, list[Jump]]:
    hooks: dict[str, list[Jump]] = {}
    for jump in ruleset.jumps:
        if jump.table == table:
            hooks.setdefault(jump.hook, []).append(jump)
    return hooks
