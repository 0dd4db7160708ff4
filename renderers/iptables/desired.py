"""A host's chains to the ruleset that iptables should hold."""

from functools import cache
from hashlib import sha256
from typing import Final

from renderers.iptables.limits import refuse_unsupported
from renderers.iptables.ruleset import Jump, OwnedChain, Ruleset, sort_ruleset
from renderers.iptables.text import cut_comment, is_any, quote_comment
from schemas.marks import CHAIN_PREFIX, RULE_PREFIX
from schemas.state import Chain, Hook, Position, Rule, Verdict

MARK_LENGTH: Final = 12
"""Hex digits of a mark: 48 bits, for accidents and not against enemies."""

_TARGETS: Final = {
    Verdict.ACCEPT: "-j ACCEPT",
    Verdict.DROP: "-j DROP",
    Verdict.RETURN: "-j RETURN",
    Verdict.MASQUERADE: "-j MASQUERADE --random-fully",
    Verdict.CLAMP_MSS: "-j TCPMSS --clamp-mss-to-pmtu",
}


def write(chains: tuple[Chain, ...]) -> Ruleset:
    """Return what iptables should hold for these chains of one family.

    Raises:
        UnsupportedRule: iptables cannot express this; names each rule.

    """
    owned = [_own(chain) for chain in chains]
    jumps = [
        jump
        for chain in sorted(chains, key=lambda chain: chain.position is Position.LAST)
        for jump in _jumps_to(chain.name, chain.stage.value, chain.hooks, chain.position)
    ]
    return sort_ruleset(owned, jumps)


def _own(chain: Chain) -> OwnedChain:
    """Write a chain; each mark hashes its rule and, through the mark before, all before it."""
    refuse_unsupported(chain)
    name = CHAIN_PREFIX + chain.name.upper()
    mark = f"{chain.stage} {name}"
    rules = []
    for rule in chain.rules:
        matches, target = _spell_matches(rule), _TARGETS[rule.verdict]
        mark = _next_mark(mark, f"{matches} {target}", rule.comment)
        rules.append(f"{matches}{_spell_mark(mark, rule.comment)} {target}")
    return OwnedChain(table=chain.stage.value, name=name, rules=tuple(rules))


@cache
def _jumps_to(name: str, table: str, hooks: tuple[Hook, ...], position: Position) -> list[Jump]:
    """Write the jumps to a chain; their marks hash where they stand, and no predecessor."""
    target = CHAIN_PREFIX + name.upper()
    reason = f"{name}, called {position}"
    jumps = []
    for hook in map(str.upper, hooks):
        mark = _next_mark(f"{table} {hook}", target, reason)
        rule = f"{_spell_mark(mark, reason)} -j {target}"
        jumps.append(Jump(table=table, hook=hook, target=target, position=position, rule=rule))
    return jumps


def _next_mark(before: str, rule: str, reason: str) -> str:
    return sha256(f"{before}\n{rule}\n{reason}".encode()).hexdigest()


def _spell_mark(mark: str, reason: str) -> str:
    """Spell the comment, which iptables prints between the matches and the target."""
    before, behind = _frame(reason)
    return f"-m comment --comment {before}{mark[:MARK_LENGTH]}{behind}"


@cache
def _frame(reason: str) -> tuple[str, str]:
    """Return what stands around the mark; the same for all rules of one reason."""
    unmarked = "0" * MARK_LENGTH
    comment = quote_comment(cut_comment(f"{RULE_PREFIX}{unmarked} {reason}"))
    before, _, behind = comment.partition(unmarked)
    return before, behind


def _spell_matches(rule: Rule) -> str:
    """Spell the matches as ``iptables-save`` does, a space behind them if there are any."""
    text = ""
    if rule.source and not is_any(rule.source):
        text += f"-s {rule.source} "
    if rule.destination and not is_any(rule.destination):
        text += f"-d {rule.destination} "
    if rule.input:
        text += f"-i {rule.input} "
    if rule.output:
        text += f"-o {rule.output} "
    return text + "-p tcp -m tcp --tcp-flags SYN,RST SYN " if rule.tcp_syn else text
