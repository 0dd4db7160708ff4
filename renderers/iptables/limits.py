"""What iptables cannot express, found before anything is written.

Much of this iptables itself would accept: a match on the input device in POSTROUTING is stored
and never true. Never is less written than was asked.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from schemas.marks import CHAIN_PREFIX
from schemas.problems import Problem, Problems
from schemas.state import Chain, Hook, Rule, Stage, Verdict

MAX_CHAIN_NAME: Final = 28
"""Characters; iptables refuses 29 (``XT_EXTENSION_MAXNAMELEN`` less the NUL)."""

_HOOKS: Final = {
    Stage.MANGLE: {Hook.INPUT, Hook.FORWARD, Hook.OUTPUT, Hook.POSTROUTING},
    Stage.NAT: {Hook.INPUT, Hook.OUTPUT, Hook.POSTROUTING},
    Stage.FILTER: {Hook.INPUT, Hook.FORWARD, Hook.OUTPUT},
}
_DEVICE: Final = re.compile(r"[A-Za-z0-9_.:@-]+")
"""Names that mean themselves. A ``+`` at the end is a wildcard, ``!`` a negation."""


class UnsupportedRule(Problems):
    """Chains or rules that iptables cannot express."""


class _Limits(NamedTuple):
    """What rules may not say in a table, at some hooks: each with the reason."""

    verdicts: dict[Verdict, str]
    input: str
    output: str


def refuse_unsupported(chain: Chain) -> None:
    """Raise :class:`UnsupportedRule` with everything in a chain that cannot be expressed."""
    limits = _limits_at(chain.stage, chain.hooks)
    found = [*_objections_to_chain(chain)]
    for index, rule in enumerate(chain.rules):
        for field, reason in _objections_to_rule(limits, rule):
            found.append((f"rules[{index}].{field}", str(getattr(rule, field)), reason))
    if found:
        name = f"Chain/{chain.name}"
        raise UnsupportedRule(
            Problem(object=name, path=path, value=value, rule=f"iptables: {reason}")
            for path, value, reason in found
        )


def _objections_to_chain(chain: Chain) -> Iterator[tuple[str, str, str]]:
    if len(CHAIN_PREFIX + chain.name) > MAX_CHAIN_NAME:
        longest = MAX_CHAIN_NAME - len(CHAIN_PREFIX)
        yield "name", chain.name, f"a chain's name has at most {longest} characters"
    for hook in chain.hooks:
        if hook not in _HOOKS[chain.stage]:
            yield "hooks", hook.value, f"the {chain.stage} table has no such hook"


def _objections_to_rule(limits: _Limits, rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.verdict in limits.verdicts:
        yield "verdict", limits.verdicts[rule.verdict]
    elif rule.verdict is Verdict.CLAMP_MSS and not rule.tcp_syn:
        yield "verdict", "TCPMSS takes only TCP segments that open a connection"
    if rule.input and (limits.input or not _DEVICE.fullmatch(rule.input)):
        yield "input", limits.input or "not a plain device name"
    if rule.output and (limits.output or not _DEVICE.fullmatch(rule.output)):
        yield "output", limits.output or "not a plain device name"


@cache
def _limits_at(stage: Stage, hooks: tuple[Hook, ...]) -> _Limits:
    verdicts = {}
    if stage is Stage.NAT:
        verdicts[Verdict.DROP] = "the nat table cannot drop"
    if stage is not Stage.NAT or set(hooks) != {Hook.POSTROUTING}:
        verdicts[Verdict.MASQUERADE] = "only in nat postrouting"
    if Hook.INPUT in hooks:
        verdicts[Verdict.CLAMP_MSS] = "at input there is no path whose MTU could be taken"
    leaving = {Hook.OUTPUT, Hook.POSTROUTING}.intersection(hooks)
    return _Limits(
        verdicts=verdicts,
        input="a packet has no input device at this hook" if leaving else "",
        output="a packet has no output device at this hook" if Hook.INPUT in hooks else "",
    )
