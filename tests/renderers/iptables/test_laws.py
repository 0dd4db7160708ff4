"""Reading, writing and transactions agree, on an iptables of a few lines."""

import re
from collections.abc import Iterator

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from renderers.iptables import Ruleset, parts_of, read, ruleset_of, transaction, write
from schemas.state import Chain, Hook, Position, Rule, Stage, Verdict
from schemas.values import InterfaceName, Prefix

pytestmark = pytest.mark.law

HOOKS = {
    "mangle": ("FORWARD", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD"),
    "nat": ("OUTPUT", "POSTROUTING"),
}


class Iptables:
    """Tables in memory. It knows the commands that a transaction may use, and refuses others."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, list[str]]] = {
            table: {hook: [] for hook in hooks} for table, hooks in HOOKS.items()
        }

    def restore(self, text: str) -> None:
        chains: dict[str, list[str]] = {}
        for line in text.splitlines():
            if line.startswith("*"):
                chains = self.tables[line[1:]]
            elif line.startswith(":"):
                chains[line[1:].removesuffix(" - [0:0]")] = []
            elif line == "COMMIT":
                self._check_targets(chains)
            else:
                self._run(chains, *line.split(" ", 2))

    def _run(self, chains: dict[str, list[str]], verb: str, chain: str, rest: str = "") -> None:
        match verb:
            case "-A":
                chains[chain].append(rest)
            case "-I":
                number, _, rule = rest.partition(" ")
                chains[chain].insert(int(number) - 1, rule)
            case "-D":
                chains[chain].remove(rest)
            case "-F":
                chains[chain].clear()
            case "-X":
                assert chains.pop(chain) == []
            case _:
                raise AssertionError(f"no such command: {verb}")

    @staticmethod
    def _check_targets(chains: dict[str, list[str]]) -> None:
        for rule in (rule for rules in chains.values() for rule in rules):
            for target in re.findall(r"-j (WORMHOLE-\S+)", rule):
                assert target in chains, f"no chain {target}"

    def save(self) -> str:
        return "".join(line + "\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for table, chains in self.tables.items():
            yield f"*{table}"
            yield from (f":{name} - [0:0]" for name in chains)
            for name, rules in chains.items():
                yield from (f"-A {name} {rule}" for rule in rules)
            yield "COMMIT"

    def foreign(self) -> list[str]:
        return [line for line in self._lines() if "ormhole" not in line and "WORMHOLE" not in line]


prefixes = st.sampled_from(["10.244.0.0/16", "10.0.0.0/8", "fd00::/8", "0.0.0.0/0"]).map(Prefix)
devices = st.sampled_from(["wg0", "br0", "lo"]).map(InterfaceName)
comments = st.text(max_size=40)


def _rules(stage: Stage) -> st.SearchStrategy[Rule]:
    verdicts = [Verdict.ACCEPT, Verdict.RETURN]
    return st.builds(
        Rule,
        verdict=st.sampled_from(verdicts if stage is Stage.NAT else [*verdicts, Verdict.DROP]),
        comment=comments,
        source=st.none() | prefixes,
        destination=st.none() | prefixes,
        output=devices if stage is not Stage.FILTER else st.none(),
        tcp_syn=st.booleans(),
    )


@st.composite
def _chains(draw: st.DrawFn) -> tuple[Chain, ...]:
    names = draw(st.lists(st.sampled_from("abcdef"), unique=True, max_size=4))
    return tuple(_chain(draw, name) for name in names)


def _chain(draw: st.DrawFn, name: str) -> Chain:
    stage = draw(st.sampled_from(list(Stage)))
    hooks = [Hook(hook.lower()) for hook in HOOKS[stage.value]]
    return Chain(
        name=name,
        stage=stage,
        hooks=tuple(draw(st.lists(st.sampled_from(hooks), unique=True))),
        position=draw(st.sampled_from(list(Position))),
        rules=tuple(draw(st.lists(_rules(stage), max_size=3))),
    )


FOREIGN = ("-j ACCEPT", "-j DROP", "-i eth0 -j LOG", "-j KUBE-X", '-m comment --comment "a b"')


@st.composite
def _kernels(draw: st.DrawFn) -> Iptables:
    """Foreign rules, an older version of ours, and somebody who has been at it."""
    kernel = Iptables()
    for table, hooks in HOOKS.items():
        for hook in hooks:
            kernel.tables[table][hook] += draw(st.lists(st.sampled_from(FOREIGN), max_size=3))
    kernel.restore(transaction(Ruleset(), write(draw(_chains()))))
    for _ in range(draw(st.integers(0, 3))):
        _damage(draw, kernel)
    return kernel


def _damage(draw: st.DrawFn, kernel: Iptables) -> None:
    chains = kernel.tables[draw(st.sampled_from(list(HOOKS)))]
    rules = chains[draw(st.sampled_from(list(chains)))]
    if not rules or draw(st.booleans()):
        rules.insert(draw(st.integers(0, len(rules))), draw(st.sampled_from(FOREIGN)))
        return
    rule = rules.pop(draw(st.integers(0, len(rules) - 1)))
    for _ in range(draw(st.integers(0, 2))):
        rules.insert(draw(st.integers(0, len(rules))), rule)


@given(_chains())
def test_what_is_written_reads_back_as_it_was_written(chains: tuple[Chain, ...]) -> None:
    kernel = Iptables()
    kernel.restore(transaction(Ruleset(), write(chains)))
    assert write(chains) == read(kernel.save())


@given(_kernels(), _chains())
def test_one_transaction_leads_from_anywhere_to_what_is_desired(
    kernel: Iptables, chains: tuple[Chain, ...]
) -> None:
    foreign = kernel.foreign()
    desired = write(chains)
    kernel.restore(transaction(read(kernel.save()), desired))
    assert desired == read(kernel.save())
    assert foreign == kernel.foreign()
    assert transaction(read(kernel.save()), desired) == ""


@given(_kernels())
def test_a_removal_leaves_nothing_of_ours_and_all_that_is_foreign(kernel: Iptables) -> None:
    foreign = kernel.foreign()
    kernel.restore(transaction(read(kernel.save()), Ruleset()))
    assert Ruleset() == read(kernel.save())
    assert foreign == kernel.foreign()


@given(_kernels())
def test_parts_put_together_are_the_ruleset(kernel: Iptables) -> None:
    ruleset = read(kernel.save())
    assert ruleset == ruleset_of(parts_of(ruleset))


@settings(max_examples=examples(50))
@given(_chains().filter(lambda chains: any(chain.rules for chain in chains)), st.data())
def test_any_edit_of_a_rule_that_keeps_its_mark_is_seen(
    chains: tuple[Chain, ...], data: st.DataObject
) -> None:
    desired = write(chains)
    index = data.draw(st.sampled_from([i for i, c in enumerate(desired.chains) if c.rules]))
    chain = desired.chains[index]
    edited = (chain.rules[0].replace("-j ", "-p udp -j ", 1), *chain.rules[1:])
    damaged = replace(
        desired,
        chains=(
            *desired.chains[:index],
            replace(chain, rules=edited),
            *desired.chains[index + 1 :],
        ),
    )
    kernel = Iptables()
    kernel.restore(transaction(Ruleset(), damaged))
    assert desired != read(kernel.save())
