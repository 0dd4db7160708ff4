"""The real iptables, both variants and both families: what is written is what is read back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.namespace import Namespace

from renderers.iptables import OwnedChain, Ruleset, read, render, transaction, write
from schemas.document import load_host
from schemas.state import Position, ResolvedHost

pytestmark = pytest.mark.kernel

CASES = Path(__file__).parents[3] / "fixtures" / "clusters"

FOREIGN = """\
*filter
:KUBE-FORWARD - [0:0]
-A INPUT -p tcp -m tcp --dport 10250 -m comment --comment "it's \\"kubelet\\"" -j ACCEPT
-A FORWARD -j LOG --log-prefix "forward: "
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
*nat
:KUBE-POSTROUTING - [0:0]
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
"""


class Tables:
    """One family of one variant in a private machine."""

    def __init__(self, machine: Namespace, variant: str, *, ipv6: bool) -> None:
        self._machine = machine
        self._tool = f"{'ip6' if ipv6 else 'ip'}tables-{variant}"

    def restore(self, text: str) -> str:
        """Load a text; return what is there then."""
        script = f"{self._tool}-restore --noflush; {self._tool}-save"
        return self._machine.run("sh", "-euc", script, stdin=text).stdout


def _foreign(dump: str) -> list[str]:
    """Return every rule and every chain that is not ours; a table that has neither says nothing."""
    return [
        line
        for line in dump.splitlines()
        if "WORMHOLE-" not in line and (line.startswith("-A") or " - [" in line)
    ]


@pytest.fixture(params=["nft", "legacy"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["IPv4", "IPv6"])
def ipv6(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def tables(machine: Namespace, variant: str, ipv6: bool) -> Tables:  # noqa: FBT001 - a fixture
    tables = Tables(machine, variant, ipv6=ipv6)
    tables.restore(FOREIGN)
    return tables


@pytest.fixture
def desired(resolved: ResolvedHost, ipv6: bool) -> Ruleset:  # noqa: FBT001 - a fixture
    firewall = resolved.host.firewall
    return write(firewall.ipv6 if ipv6 else firewall.ipv4)


def test_what_is_loaded_reads_back_as_it_was_written(tables: Tables, desired: Ruleset) -> None:
    before = tables.restore("")
    after = tables.restore(transaction(read(before), desired))
    assert desired == read(after)
    assert _foreign(before) == _foreign(after)


def test_a_removal_leaves_every_foreign_rule_and_nothing_else(
    tables: Tables, desired: Ruleset
) -> None:
    before = tables.restore("")
    loaded = tables.restore(transaction(Ruleset(), desired))
    after = tables.restore(transaction(read(loaded), Ruleset()))
    assert Ruleset() == read(after)
    assert _foreign(before) == _foreign(after)


@pytest.mark.parametrize("case", sorted(CASES.glob("*")), ids=lambda case: case.name)
def test_the_rules_of_every_case_are_taken_and_read_back(
    machine: Namespace, variant: str, case: Path
) -> None:
    host_file = min((case / "expected" / "hosts").iterdir())
    host = load_host(host_file.read_bytes(), str(host_file))
    files = render(host)
    for ipv6, file, chains in (
        (False, "iptables.rules", host.firewall.ipv4),
        (True, "ip6tables.rules", host.firewall.ipv6),
    ):
        dump = Tables(machine, variant, ipv6=ipv6).restore(files[file])
        assert write(chains) == read(dump)


def _damages(desired: Ruleset) -> Iterator[tuple[str, str]]:
    """Yield each damage that an operator's hand can do to one rule: its name, how it is done."""
    for chain in desired.chains:
        yield from _damages_to(chain)
    for jump in desired.jumps:
        table, hook, rule = jump.table, jump.hook, jump.rule
        place = f"{hook} {jump.target}"
        wall = "-I" if jump.position is Position.FIRST else "-A"
        verdict = "ACCEPT" if jump.position is Position.FIRST else "RETURN"
        yield f"{place} removed", _load(table, f"-D {hook} {rule}")
        yield f"{place} there twice", _load(table, f"-A {hook} {rule}")
        yield f"{place} misplaced", _load(table, f"{wall} {hook} -p udp -j {verdict}")
        yield (
            f"{place} without its mark",
            _load(table, f"-D {hook} {rule}", f"-I {hook} -j {jump.target}"),
        )


def _damages_to(chain: OwnedChain) -> Iterator[tuple[str, str]]:
    name, table = chain.name, chain.table
    yield f"{name} flushed", _load(table, f"-F {name}")
    for number, rule in enumerate(chain.rules, 1):
        place = f"{name} {number}"
        verdict = "RETURN" if "-j ACCEPT" in rule else "ACCEPT"
        edited = f"{rule.partition(' -j ')[0]} -j {verdict}".removeprefix("-j")
        yield f"{place} deleted", _load(table, f"-D {name} {number}")
        yield f"{place} preceded", _load(table, f"-I {name} {number} -p icmp -j ACCEPT")
        yield f"{place} edited", _load(table, f"-R {name} {number} {edited}")
        yield f"{place} narrowed", _load(table, f"-R {name} {number} -p udp {_plain(rule)}")
        if number < len(chain.rules):
            yield f"{place} moved", _load(table, f"-D {name} {number}", f"-A {name} {rule}")


def _plain(rule: str) -> str:
    """Return a rule without its own protocol, and without the verdict that needs it."""
    return rule.replace("-p tcp -m tcp --tcp-flags SYN,RST SYN ", "").replace(
        "TCPMSS --clamp-mss-to-pmtu", "RETURN"
    )


def _load(table: str, *lines: str) -> str:
    return "\n".join((f"*{table}", *lines, "COMMIT", ""))


def test_every_damage_to_one_rule_is_seen_and_mended(tables: Tables, desired: Ruleset) -> None:
    unseen = []
    tables.restore(transaction(Ruleset(), desired))
    for name, damage in _damages(desired):
        damaged = tables.restore(damage)
        observed = read(damaged)
        if observed == desired:
            unseen.append(name)
        mended = tables.restore(transaction(observed, desired))
        assert (name, desired) == (name, read(mended))
        assert (name, _foreign(damaged)) == (name, _foreign(mended))
    assert unseen == []
