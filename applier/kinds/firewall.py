"""Chains of ours, and our jumps to them, in both iptables variants and both IP families.

What is wanted lives in one variant. What is ours in the other one is left over, from before the
host's tools changed, and is removed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import ClassVar, Final, NamedTuple

from applier.errors import HostError, Unobservable, Unsupported
from applier.host import Host
from applier.kind import Difference, Kind, Need
from applier.plan import Action, Change, Observed
from applier.view import View
from applier.wanted import Scope, Wanted
from renderers.iptables import (
    Jump,
    OwnedChain,
    Part,
    UnreadableDump,
    parts_of,
    read,
    ruleset_of,
    transaction,
    write,
)
from schemas.marks import CHAIN_PREFIX
from schemas.state import IptablesVariant, Position

_MISPLACED: Final = {
    Position.FIRST: "stands behind foreign rules that could let a packet pass it by",
    Position.LAST: "stands before foreign rules that could refuse what it accepts",
}

_OLD_CHAIN: Final = f"{CHAIN_PREFIX}ANTISPOOFING"
_OLD_WORMHOLE: Final = (
    "of the Wormhole of 2019, whose rules still call it; docs/migrate.md ('Without a reboot') says"
    " how to remove both"
)

_TOOLS: Final = {False: "iptables", True: "ip6tables"}


class Table(NamedTuple):
    """One family's iptables in one variant: what one ``iptables-restore`` loads."""

    variant: IptablesVariant
    ipv6: bool

    @property
    def tool(self) -> str:
        """Return the tool that shows it: ``ip6tables-nft``."""
        return f"{_TOOLS[self.ipv6]}-{self.variant}"


class FirewallKind(Kind[Part]):
    """Key: the tool, the table, and the chain: ``iptables-nft mangle WORMHOLE-GUARD``.

    All jumps from one chain that is not ours share a key, because their order counts.
    """

    name: ClassVar[str] = "firewall"
    value_type: ClassVar[object] = Part
    as_one: ClassVar[bool] = True

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, Part]:
        """Return the chains and jumps of both families, in the variant of this host."""
        del scope
        firewall = wanted.host.firewall
        return {
            f"{Table(wanted.iptables_variant, ipv6).tool} {key}": part
            for ipv6, chains in ((False, firewall.ipv4), (True, firewall.ipv6))
            for key, part in parts_of(write(chains)).items()
        }

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return what is ours in all variants that this host has."""
        return Observed(
            owned={
                f"{table.tool} {key}": part
                for table in _tables_of(view)
                for key, part in _read(table, view, scope).items()
            }
        )

    def compare(
        self, desired: Part | None, observed: Part | None, last: Part | None
    ) -> Difference | None:
        """Compare text in one spelling, and where jumps stand."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE, note=_describe(observed))
        if observed is None:
            return Difference(action=Action.CREATE, note=_describe(desired))
        if isinstance(desired, OwnedChain) and isinstance(observed, OwnedChain):
            note = _compare_rules(desired.rules, observed.rules)
        elif isinstance(desired, tuple) and isinstance(observed, tuple):
            note = _compare_jumps(desired, observed)
        else:
            note = "a chain of ours has the name of one that is not"
        return Difference(action=Action.UPDATE, note=note) if note else None

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Load once per family and variant; within it each table is one transaction."""
        del scope
        failures: dict[str, HostError] = {}
        for table, group in groupby(sorted(changes, key=_tool_of), key=lambda c: _table_of(c.key)):
            batch = tuple(group)
            before = ruleset_of({c.key: c.before for c in batch if c.before is not None})
            after = ruleset_of({c.key: c.after for c in batch if c.after is not None})
            text = transaction(before, after)
            try:
                host.iptables_restore(table.variant, text, ipv6=table.ipv6)
            except HostError as error:
                failures |= dict.fromkeys((change.key for change in batch), error)
        return failures

    def needs(self, key: str, value: Part) -> tuple[Need, ...]:
        """Return our links: rules trust them by name, and a stranger may have the name."""
        del key, value
        return (Need("link"),)

    def explain_leftover(self, key: str, value: Part) -> str:
        """Name the old program's chain, which its rules call until somebody removes both."""
        del key
        return _OLD_WORMHOLE if isinstance(value, OwnedChain) and value.name == _OLD_CHAIN else ""

    def elsewhere(self, key: str) -> str:
        """Return the key in the other variant: a chain that is wanted there only moves."""
        table = _table_of(key)
        other = (
            IptablesVariant.LEGACY if table.variant is IptablesVariant.NFT else IptablesVariant.NFT
        )
        return f"{table._replace(variant=other).tool} {key.split(' ', 1)[1]}"


FIREWALL: Final = FirewallKind()


def _tables_of(view: View) -> Iterator[Table]:
    for variant in view.iptables_variants:
        for ipv6 in _TOOLS:
            yield Table(variant, ipv6)


def _read(table: Table, view: View, scope: Scope) -> dict[str, Part]:
    """Return what is ours in one dump.

    A variant that we do not use may be unreadable: another program writes to it in words that the
    tool cannot print. There is nothing of ours to converge there, so it stops nobody. One that the
    kernel lacks is truly empty.
    """
    unused = scope.iptables_variant not in {None, table.variant}
    try:
        return parts_of(read(view.iptables_save(table.variant, ipv6=table.ipv6)))
    except Unsupported:
        if scope.iptables_variant is table.variant:
            raise
        return {}
    except UnreadableDump as error:
        if unused:
            return {}
        raise Unobservable("read", table.tool, str(error)) from error
    except Unobservable:
        if unused:
            return {}
        raise


def _tool_of(change: Change) -> str:
    return change.key.split(" ", 1)[0]


def _table_of(key: str) -> Table:
    tool, variant = key.split(" ", 1)[0].split("-")
    return Table(IptablesVariant(variant), tool == _TOOLS[True])


def _describe(part: Part | None) -> str:
    match part:
        case OwnedChain():
            return _count(len(part.rules), "rule")
        case tuple():
            return "jump to " + ", ".join(jump.target or "nowhere" for jump in part)
        case None:
            return ""


def _compare_rules(desired: tuple[str, ...], observed: tuple[str, ...]) -> str:
    """Say what happened to a chain's rules; empty when nothing did."""
    if desired == observed:
        return ""
    missing = [rule for rule in desired if rule not in observed]
    strange = [rule for rule in observed if rule not in desired]
    if not missing and not strange:
        return "rules in another order" if len(desired) == len(observed) else "rules repeated"
    if len(missing) == len(strange):
        edited = ", ".join(str(desired.index(rule) + 1) for rule in missing)
        return f"{'rule' if len(missing) == 1 else 'rules'} {edited} edited"
    if not observed:
        return f"flushed: all {_count(len(desired), 'rule')} missing"
    parts = (
        f"{_count(len(missing), 'rule')} missing" if missing else "",
        f"{_count(len(strange), 'rule')} inserted" if strange else "",
    )
    return ", ".join(filter(None, parts))


def _compare_jumps(desired: tuple[Jump, ...], observed: tuple[Jump, ...]) -> str:
    """Say what happened to the jumps of one chain; empty when nothing did."""
    if len(desired) == len(observed) and all(map(_same_jump, desired, observed)):
        return ""
    there = {jump.rule: jump.position for jump in reversed(observed)}
    for jump in desired:
        if jump.rule not in there:
            return f"the jump to {jump.target} is missing or edited"
        if jump.position not in {None, there[jump.rule]}:
            return f"the jump to {jump.target} {_MISPLACED[jump.position]}"
    return "jumps repeated, in another order, or added"


def _same_jump(desired: Jump, observed: Jump) -> bool:
    """Whether two are the same.

    A position of None is what a snapshot holds of a jump that stood wrong: nobody wants that back.
    """
    placed = desired.position is None or desired.position == observed.position
    return placed and desired.rule == observed.rule


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
