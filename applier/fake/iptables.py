"""One family's iptables in memory: loads what ``iptables-restore`` takes, prints what it prints."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Final

from applier.errors import HostError

BUILT_IN: Final = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}
TARGETS: Final = {
    "ACCEPT",
    "DROP",
    "RETURN",
    "MASQUERADE",
    "TCPMSS",
    "REJECT",
    "LOG",
    "NFLOG",
    "DNAT",
    "SNAT",
    "MARK",
}
_TARGET: Final = re.compile(r"(?:^| )-[jg] (\S+)")

Chains = dict[str, list[str]]


class FakeTables:
    """Tables to chains to rules; a table is there once something was loaded into it."""

    def __init__(self) -> None:
        self.tables: dict[str, Chains] = {}

    def save(self) -> str:
        """Print everything, as ``iptables-save`` does."""
        lines: list[str] = []
        for table, chains in self.tables.items():
            lines += [f"*{table}"]
            lines += [f":{name} {_policy(table, name)} [0:0]" for name in chains]
            lines += [f"-A {name} {rule}" for name, rules in chains.items() for rule in rules]
            lines += ["COMMIT"]
        return "".join(f"{line}\n" for line in lines)

    def restore(self, text: str, step: Callable[[], None]) -> None:
        """Load with ``--noflush``. Each table is one transaction; a step is made between two."""
        sections = list(_sections(text))
        for index, (table, lines) in enumerate(sections):
            if table not in BUILT_IN:
                raise HostError("load iptables", table, "no such table", 2)
            chains = deepcopy(self.tables.get(table)) or {name: [] for name in BUILT_IN[table]}
            for number, line in enumerate(lines, 1):
                _execute(chains, table, line, number)
            _check_targets(chains, table)
            self.tables[table] = chains
            if index + 1 < len(sections):
                step()


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    table, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith("*"):
            table, lines = line[1:], []
        elif line == "COMMIT" and table:
            yield table, lines
            table = ""
        elif line and not line.startswith("#"):
            lines.append(line)
    if table:
        raise HostError("load iptables", table, "COMMIT expected at the end", 2)


def _execute(chains: Chains, table: str, line: str, number: int) -> None:
    try:
        if line.startswith(":"):
            _declare(chains, table, line[1:])
        else:
            command, _, rest = line.partition(" ")
            _COMMANDS[command](chains, table, *rest.partition(" ")[::2])
    except KeyError as error:
        reason = f"line {number} failed: unknown {error}: {line!r}"
        raise HostError("load iptables", table, reason, 1) from error
    except ValueError as error:
        reason = f"line {number} failed: {error}: {line!r}"
        raise HostError("load iptables", table, reason, 1) from error


def _declare(chains: Chains, table: str, rest: str) -> None:
    name, policy, *_ = rest.split(" ")
    if name in BUILT_IN[table] or policy != "-":
        raise ValueError("a built-in chain and its policy are not ours to set")
    chains[name] = []


def _append(chains: Chains, _table: str, name: str, rule: str) -> None:
    chains[name].append(rule)


def _insert(chains: Chains, _table: str, name: str, rest: str) -> None:
    position, _, rule = rest.partition(" ")
    chains[name].insert(int(position) - 1, rule)


def _delete(chains: Chains, _table: str, name: str, rule: str) -> None:
    if rule not in chains[name]:
        raise ValueError("no rule like this")
    chains[name].remove(rule)


def _flush(chains: Chains, _table: str, name: str, _rest: str) -> None:
    chains[name].clear()


def _remove(chains: Chains, table: str, name: str, _rest: str) -> None:
    if chains[name] or name in BUILT_IN[table]:
        raise ValueError("the chain is not empty, or built in")
    if any(name in _targets(rule) for rules in chains.values() for rule in rules):
        raise ValueError("the chain is in use")
    del chains[name]


_COMMANDS: Final[dict[str, Callable[[Chains, str, str, str], None]]] = {
    "-A": _append,
    "-I": _insert,
    "-D": _delete,
    "-F": _flush,
    "-X": _remove,
}


def _check_targets(chains: Chains, table: str) -> None:
    for rules in chains.values():
        for rule in rules:
            for target in _targets(rule):
                if target not in chains and target not in TARGETS:
                    raise HostError("load iptables", table, f"no target {target!r}: {rule!r}", 2)


def _targets(rule: str) -> list[str]:
    without_comments = re.sub(r'"(?:[^"\\]|\\.)*"', '""', rule)
    return _TARGET.findall(without_comments)


def _policy(table: str, chain: str) -> str:
    return "ACCEPT" if chain in BUILT_IN[table] else "-"
