"""A host's chains to the ruleset that iptables should hold."""

import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from renderers.iptables.ruleset import Jump, OwnedChain, Ruleset, sort_ruleset
from renderers.iptables.text import (
    Options,
    cut_comment,
    join_options,
    quote_comment,
    spell_prefix,
)
from schemas.marks import CHAIN_PREFIX, RULE_PREFIX
from schemas.problems import Problem, Problems
from schemas.state import Chain, Hook, Position, Rule, Stage, Verdict

MAX_CHAIN_NAME: Final = 28
"""Characters; iptables refuses 29 (``XT_EXTENSION_MAXNAMELEN`` less the NUL)."""

_HOOKS: Final = {
    Stage.MANGLE: {Hook.INPUT, Hook.FORWARD, Hook.OUTPUT, Hook.POSTROUTING},
    Stage.NAT: {Hook.INPUT, Hook.OUTPUT, Hook.POSTROUTING},
    Stage.FILTER: {Hook.INPUT, Hook.FORWARD, Hook.OUTPUT},
}
_WITHOUT_INPUT: Final = {Hook.OUTPUT, Hook.POSTROUTING}
_WITHOUT_OUTPUT: Final = {Hook.INPUT}

_TARGETS: Final[dict[Verdict, Options]] = {
    Verdict.ACCEPT: {"-j": ("ACCEPT",)},
    Verdict.DROP: {"-j": ("DROP",)},
    Verdict.RETURN: {"-j": ("RETURN",)},
    Verdict.MASQUERADE: {"-j": ("MASQUERADE",), "--random-fully": ()},
    Verdict.CLAMP_MSS: {"-j": ("TCPMSS",), "--clamp-mss-to-pmtu": ()},
}
_DEVICE: Final = re.compile(r"[A-Za-z0-9_.:@-]+")


class UnsupportedRule(Problems):
    """A chain or a rule that iptables cannot express. Never is less written than was asked."""


def write(chains: tuple[Chain, ...]) -> Ruleset:
    """Return what iptables should hold for these chains of one family.

    Raises:
        UnsupportedRule: iptables cannot say this; names the rule.

    """
    jumps = [jump for chain in chains for jump in _jumps_to(chain)]
    jumps.sort(key=lambda jump: jump.position is Position.LAST)
    return sort_ruleset([_own(chain) for chain in chains], jumps)


def _own(chain: Chain) -> OwnedChain:
    """Write a chain; each mark hashes its rule and, through the mark before, all before it."""
    name = _chain_name(chain)
    mark = f"{chain.stage} {name}"
    rules = []
    for index, rule in enumerate(chain.rules):
        _refuse(chain, index, rule)
        options = _options_of(rule)
        mark = _next_mark(mark, options, rule.comment)
        rules.append(_marked(options, mark, rule.comment))
    return OwnedChain(table=chain.stage, name=name, rules=tuple(rules))


def _jumps_to(chain: Chain) -> Iterator[Jump]:
    name = _chain_name(chain)
    options: Options = {"-j": (name,)}
    reason = f"{chain.name}, called {chain.position}"
    for hook in chain.hooks:
        mark = _next_mark(f"{chain.stage} {hook.upper()}", options, reason)
        yield Jump(
            table=chain.stage,
            hook=hook.upper(),
            target=name,
            position=chain.position,
            rule=_marked(options, mark, reason),
        )


def _next_mark(before: str, options: Options, reason: str) -> str:
    return sha256(f"{before}\n{join_options(options)}\n{reason}".encode()).hexdigest()


def _marked(options: Options, mark: str, reason: str) -> str:
    comment = quote_comment(cut_comment(f"{RULE_PREFIX}{mark[:12]} {reason}"))
    return join_options({**options, "-m comment": (), "--comment": (comment,)})


def _options_of(rule: Rule) -> Options:
    matches = {
        "-s": spell_prefix(rule.source) if rule.source else "",
        "-d": spell_prefix(rule.destination) if rule.destination else "",
        "-i": rule.input or "",
        "-o": rule.output or "",
    }
    options: Options = {option: (value,) for option, value in matches.items() if value}
    if rule.tcp_syn:
        options |= {"-p": ("tcp",), "-m tcp": (), "--tcp-flags": ("SYN,RST", "SYN")}
    return options | _TARGETS[rule.verdict]


def _chain_name(chain: Chain) -> str:
    name = CHAIN_PREFIX + chain.name.upper()
    if len(name) > MAX_CHAIN_NAME:
        raise _unsupported(chain, "name", name, f"longer than {MAX_CHAIN_NAME} characters")
    for hook in chain.hooks:
        if hook not in _HOOKS[chain.stage]:
            raise _unsupported(chain, "hooks", hook, f"the {chain.stage} table has no such hook")
    return name


def _refuse(chain: Chain, index: int, rule: Rule) -> None:
    """Raise if the rule would be refused, or would quietly never match."""
    hooks = set(chain.hooks)
    objections = (
        ("input", rule.input and hooks & _WITHOUT_INPUT, "no input device is known at this hook"),
        ("output", rule.output and hooks & _WITHOUT_OUTPUT, "no output device at this hook yet"),
        ("verdict", rule.verdict is Verdict.DROP and chain.stage is Stage.NAT, "nat cannot drop"),
        (
            "verdict",
            rule.verdict is Verdict.MASQUERADE and not _may_masquerade(chain),
            "only in nat postrouting",
        ),
        (
            "verdict",
            rule.verdict is Verdict.CLAMP_MSS and not _may_clamp(chain, rule),
            "only on tcpSyn, not in input",
        ),
        ("input", rule.input and not _DEVICE.fullmatch(rule.input), "a wildcard or odd name"),
        ("output", rule.output and not _DEVICE.fullmatch(rule.output), "a wildcard or odd name"),
    )
    for field, holds, reason in objections:
        if holds:
            value = str(getattr(rule, field))
            raise _unsupported(chain, f"rules[{index}].{field}", value, reason)


def _may_masquerade(chain: Chain) -> bool:
    return chain.stage is Stage.NAT and set(chain.hooks) == {Hook.POSTROUTING}


def _may_clamp(chain: Chain, rule: Rule) -> bool:
    """``xt_TCPMSS`` takes SYN segments only, and at INPUT there is no path to take a MTU from."""
    return rule.tcp_syn and Hook.INPUT not in chain.hooks


def _unsupported(chain: Chain, path: str, value: str, reason: str) -> UnsupportedRule:
    rule = f"iptables cannot express this: {reason}"
    return UnsupportedRule(
        [Problem(object=f"Chain/{chain.name}", path=path, value=value, rule=rule)]
    )
