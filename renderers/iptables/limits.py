"""What iptables cannot express, found before anything is written.

Much of this iptables itself would accept: a match on the input device in POSTROUTING is stored
and never true. Never is less written than was asked.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

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


def refuse_unsupported(chain: Chain) -> None:
    """Raise :class:`UnsupportedRule` with everything in a chain that cannot be expressed."""
    found = [*_objections_to_chain(chain)]
    for index, rule in enumerate(chain.rules):
        found += [
            (f"rules[{index}].{field}", str(getattr(rule, field)), reason)
            for field, reason in _objections_to_rule(chain, rule)
        ]
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


def _objections_to_rule(chain: Chain, rule: Rule) -> Iterator[tuple[str, str]]:
    verdicts, without_input, without_output = _limits(chain.stage, chain.hooks)
    if rule.verdict in verdicts:
        yield "verdict", verdicts[rule.verdict]
    elif rule.verdict is Verdict.CLAMP_MSS and not rule.tcp_syn:
        yield "verdict", "TCPMSS takes only TCP segments that open a connection"
    if rule.input and (without_input or not _DEVICE.fullmatch(rule.input)):
        yield "input", without_input or "not a plain device name"
    if rule.output and (without_output or not _DEVICE.fullmatch(rule.output)):
        yield "output", without_output or "not a plain device name"


@cache
def _limits(stage: Stage, hooks: tuple[Hook, ...]) -> tuple[dict[Verdict, str], str, str]:
    """Return the verdicts that are refused here, and why there is no input or output device."""
    verdicts = {}
    if stage is Stage.NAT:
        verdicts[Verdict.DROP] = "the nat table cannot drop"
    if stage is not Stage.NAT or set(hooks) != {Hook.POSTROUTING}:
        verdicts[Verdict.MASQUERADE] = "only in nat postrouting"
    if Hook.INPUT in hooks:
        verdicts[Verdict.CLAMP_MSS] = "at input there is no path whose MTU could be taken"
    without_input = {Hook.OUTPUT, Hook.POSTROUTING}.intersection(hooks)
    without_output = Hook.INPUT in hooks
    return (
        verdicts,
        "a packet has no input device at this hook" if without_input else "",
        "a packet has no output device at this hook" if without_output else "",
    )
