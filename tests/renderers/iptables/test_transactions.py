from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from renderers.iptables import (
    OwnedChain,
    Ruleset,
    parts_of,
    ruleset_of,
    transaction,
    write,
)
from schemas.state import Chain, Rule, Verdict


def _tables(text: str) -> list[str]:
    return [line[1:] for line in text.splitlines() if line.startswith("*")]


def _verbs(text: str) -> list[str]:
    return [" ".join(line.split()[:2]) for line in text.splitlines()]


def test_equal_rulesets_need_no_transaction(desired: Ruleset) -> None:
    assert transaction(desired, desired) == ""
    assert transaction(Ruleset(), Ruleset()) == ""


def test_the_guard_comes_first_and_goes_last(desired: Ruleset) -> None:
    assert _tables(transaction(Ruleset(), desired)) == ["mangle", "filter", "nat"]
    assert _tables(transaction(desired, Ruleset())) == ["nat", "filter", "mangle"]


def test_a_table_that_stays_is_written_before_one_that_goes(
    chains: tuple[Chain, ...], desired: Ruleset
) -> None:
    without_filter = write(tuple(chain for chain in chains if chain.stage != "filter"))
    changed = replace(without_filter, jumps=without_filter.jumps[:-1])
    assert _tables(transaction(desired, changed)) == ["nat", "filter"]


def test_only_the_chain_that_differs_is_written(desired: Ruleset) -> None:
    antispoof, *others = desired.chains
    damaged = replace(desired, chains=(replace(antispoof, rules=("-j ACCEPT",)), *others))
    expected = [
        "*filter",
        ":WORMHOLE-ANTISPOOF -",
        *["-A WORMHOLE-ANTISPOOF"] * len(antispoof.rules),
        "COMMIT",
    ]
    assert expected == _verbs(transaction(damaged, desired))


def test_a_missing_jump_brings_all_of_its_hook_anew(desired: Ruleset) -> None:
    damaged = replace(
        desired, jumps=tuple(jump for jump in desired.jumps if jump.target != "WORMHOLE-MSS")
    )
    guard, mss = (
        jump.rule for jump in desired.jumps if jump.hook == "POSTROUTING" and jump.table == "mangle"
    )
    expected = [
        "*mangle",
        f"-D POSTROUTING {guard}",
        f"-I POSTROUTING 1 {mss}",
        f"-I POSTROUTING 1 {guard}",
        "COMMIT",
    ]
    assert expected == transaction(damaged, desired).splitlines()


def test_stale_chains_are_emptied_before_any_is_removed() -> None:
    names = ("WORMHOLE-A", "WORMHOLE-B")
    chains = tuple(
        OwnedChain(table="filter", name=name, rules=("-j WORMHOLE-B",)) for name in names
    )
    expected = """\
*filter
-F WORMHOLE-A
-F WORMHOLE-B
-X WORMHOLE-A
-X WORMHOLE-B
COMMIT
"""
    assert expected == transaction(Ruleset(chains=chains), Ruleset())


def test_a_chain_called_last_is_appended(desired: Ruleset) -> None:
    lines = transaction(Ruleset(), desired).splitlines()
    appended = [line for line in lines if line.startswith("-A FORWARD")]
    assert [line.split()[-1] for line in appended] == ["WORMHOLE-FORWARD"]


def test_a_ruleset_is_the_sum_of_its_parts(desired: Ruleset) -> None:
    parts = parts_of(desired)
    expected = [
        "filter WORMHOLE-ANTISPOOF",
        "filter WORMHOLE-FORWARD",
        "mangle WORMHOLE-GUARD",
        "mangle WORMHOLE-MSS",
        "nat WORMHOLE-NAT",
        "filter FORWARD",
        "filter INPUT",
        "mangle POSTROUTING",
        "nat POSTROUTING",
    ]
    assert expected == list(parts)
    assert desired == ruleset_of(dict(reversed(parts.items())))


def test_a_chain_may_be_empty(chains: tuple[Chain, ...]) -> None:
    guard = replace(chains[0], rules=())
    text = transaction(Ruleset(), write((guard,)))
    assert _verbs(text) == ["*mangle", ":WORMHOLE-GUARD -", "-I POSTROUTING", "COMMIT"]


@pytest.mark.parametrize("rules", [(), (Rule(verdict=Verdict.DROP, comment="x"),)])
def test_an_edited_comment_is_a_difference(
    chains: tuple[Chain, ...], rules: Sequence[Rule]
) -> None:
    before = write((replace(chains[0], rules=tuple(rules)),))
    after = write((replace(chains[0], rules=(Rule(verdict=Verdict.DROP, comment="y"),)),))
    assert transaction(before, after) != ""
