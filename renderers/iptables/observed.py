"""What ``iptables-save`` prints to the ruleset that is ours in it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from renderers.iptables.ruleset import Jump, OwnedChain, Ruleset, sort_ruleset
from renderers.iptables.text import canonical_text, split_tokens
from schemas.marks import CHAIN_PREFIX, RULE_PREFIX
from schemas.state import Position, Stage

_HARMLESS_BEFORE: Final = {"", "DROP", "REJECT", "LOG", "NFLOG"}
"""Targets that cannot let a packet pass by a chain that is called first."""

_HARMLESS_BEHIND: Final = {"", "ACCEPT", "LOG", "NFLOG"}
"""Targets that cannot refuse a packet that a chain called last accepts."""

_CALLED: Final = re.compile(r", called (first|last)$")

_HIDDEN: Final = re.compile(r"^# Table `(\w+)' is incompatible", re.MULTILINE)
"""``iptables-nft-save`` prints it in place of a table that another program wrote, with status 0."""

_Tables = dict[str, dict[str, list[str]]]
"""Table to chain to rules, in the order of the dump."""


class UnreadableDump(ValueError):  # noqa: N818 - says what is wrong, as all errors here do
    """A dump that cannot be trusted to be whole. Unreadable is not empty."""


def read(dump: str) -> Ruleset:
    """Return everything of ours in a dump of one family.

    That is: chains named ``WORMHOLE-*`` with all their rules, and of other chains the rules that
    jump to such a chain or have our mark. ``read`` and ``write`` agree: what
    :func:`~renderers.iptables.transaction` loads reads back as what ``write`` returned.

    Raises:
        UnreadableDump: the dump was cut off, holds a line that is no part of this format, or
            says that a table which may hold rules of ours cannot be shown.

    """
    if hidden := find_hidden(dump):
        raise UnreadableDump(f"the iptables dump does not show table {', '.join(hidden)}")
    chains: list[OwnedChain] = []
    jumps: list[Jump] = []
    for table, content in _parse_dump(dump).items():
        for name, rules in content.items():
            if name.startswith(CHAIN_PREFIX):
                owned = tuple(canonical_text(rule) for rule in rules)
                chains.append(OwnedChain(table=table, name=name, rules=owned))
            elif any(map(_may_be_ours, rules)):
                jumps.extend(_jumps_in(table, name, rules))
    return sort_ruleset(chains, jumps)


def find_hidden(text: str) -> tuple[str, ...]:
    """Return the tables that a tool says it cannot show, of those that rules of ours stand in.

    Any other may be somebody's own: the ``raw`` table of a CNI plugin, written by ``nft``.
    """
    return tuple(sorted(frozenset(Stage).intersection(_HIDDEN.findall(text))))


def _parse_dump(dump: str) -> _Tables:
    tables: _Tables = {}
    table = ""
    for number, line in enumerate(dump.split("\n"), 1):  # a comment may hold other line ends
        match line[:1]:
            case "" if not line.strip():
                continue
            case "#":
                continue
            case "*" if not table:
                table = line[1:].strip()
                tables.setdefault(table, {})
            case ":" if table:
                tables[table].setdefault(line[1:].split(" ", 1)[0], [])
            case "-" if table and line.startswith("-A "):
                chain, _, rule = line[3:].partition(" ")
                tables[table].setdefault(chain, []).append(rule)
            case "C" if table and line.rstrip() == "COMMIT":
                table = ""
            case _:
                raise UnreadableDump(f"line {number} of the iptables dump: unexpected {line!r}")
    if table:
        raise UnreadableDump(f"the iptables dump ends inside table {table}")
    return tables


def _may_be_ours(rule: str) -> bool:
    """Tell cheaply, before any rule is split: most rules of a Kubernetes host are not ours."""
    return CHAIN_PREFIX in rule or RULE_PREFIX in rule


def _jumps_in(table: str, hook: str, rules: list[str]) -> Iterator[Jump]:
    split = [split_tokens(rule) for rule in rules]
    ours = [_is_ours(tokens) for tokens in split]
    targets = [_target_of(tokens) for tokens in split]
    foreign = ["" if own else target for own, target in zip(ours, targets, strict=True)]
    for index, own in enumerate(ours):
        if own:
            yield Jump(
                table=table,
                hook=hook,
                target=targets[index],
                position=_position(split[index], foreign[:index], foreign[index + 1 :]),
                rule=canonical_text(rules[index]),
            )


def _is_ours(tokens: tuple[str, ...]) -> bool:
    comments = _arguments_of("--comment", tokens)
    return _target_of(tokens).startswith(CHAIN_PREFIX) or any(
        comment.startswith(RULE_PREFIX) for comment in comments
    )


def _position(tokens: tuple[str, ...], before: list[str], behind: list[str]) -> Position | None:
    claims = (_CALLED.search(comment) for comment in _arguments_of("--comment", tokens))
    match [claim[1] for claim in claims if claim]:
        case ["first"] if _HARMLESS_BEFORE.issuperset(before):
            return Position.FIRST
        case ["last"] if _HARMLESS_BEHIND.issuperset(behind):
            return Position.LAST
        case _:
            return None


def _target_of(tokens: tuple[str, ...]) -> str:
    """Return what a rule jumps or goes to; empty when it only counts."""
    targets = [*_arguments_of("-j", tokens), *_arguments_of("-g", tokens)]
    return targets[0] if targets else ""


def _arguments_of(option: str, tokens: tuple[str, ...]) -> list[str]:
    return [argument for word, argument in pairwise(tokens) if word == option]
