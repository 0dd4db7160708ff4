import pytest
from msgspec.structs import replace

from renderers.iptables import Jump, OwnedChain, Ruleset, UnsupportedRule, write
from renderers.iptables.text import canonical_text, split_tokens
from schemas.state import Chain, Hook, Position, ResolvedHost, Rule, Stage, Verdict
from schemas.values import InterfaceName, Prefix


def _chain(*rules: Rule, **changes: object) -> Chain:
    chain = Chain(
        name="guard",
        stage=Stage.MANGLE,
        hooks=(Hook.POSTROUTING,),
        position=Position.FIRST,
        rules=rules,
    )
    return replace(chain, **changes)


DROP = Rule(verdict=Verdict.DROP, comment="no", destination=Prefix("10.244.0.0/16"))


def _marks(ruleset: Ruleset) -> list[str]:
    return [
        split_tokens(rule)[split_tokens(rule).index("--comment") + 1][:21]
        for chain in ruleset.chains
        for rule in chain.rules
    ]


def test_a_chain_is_written_as_iptables_save_prints_it() -> None:
    expected = Ruleset(
        chains=(
            OwnedChain(
                table="mangle",
                name="WORMHOLE-GUARD",
                rules=('-d 10.244.0.0/16 -m comment --comment "wormhole:195543030ff9 no" -j DROP',),
            ),
        ),
        jumps=(
            Jump(
                table="mangle",
                hook="POSTROUTING",
                target="WORMHOLE-GUARD",
                position=Position.FIRST,
                rule='-m comment --comment "wormhole:d6817ae8d3b0 guard, called first"'
                " -j WORMHOLE-GUARD",
            ),
        ),
    )
    assert expected == write((_chain(DROP),))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(verdict=Verdict.RETURN, comment="c"), "-j RETURN"),
        (Rule(verdict=Verdict.ACCEPT, comment="c", output=InterfaceName("b")), "-o b -j ACCEPT"),
        (
            Rule(verdict=Verdict.CLAMP_MSS, comment="c", tcp_syn=True),
            "-p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
        ),
        (
            Rule(
                verdict=Verdict.DROP,
                comment="c",
                source=Prefix("fd00::/8"),
                destination=Prefix("::/0"),
            ),
            "-s fd00::/8 -j DROP",
        ),
    ],
)
def test_each_match_and_verdict_has_its_words(rule: Rule, text: str) -> None:
    (written,) = write((_chain(rule),)).chains[0].rules
    comment = written[written.index("-m comment") : written.index("-j")]
    assert text == written.replace(comment, "")


def test_every_rule_is_in_canonical_spelling(resolved: ResolvedHost) -> None:
    firewall = resolved.host.firewall
    for ruleset in (write(firewall.ipv4), write(firewall.ipv6)):
        rules = [rule for chain in ruleset.chains for rule in chain.rules]
        rules += [jump.rule for jump in ruleset.jumps]
        assert rules == [canonical_text(rule) for rule in rules]


def test_jumps_are_called_in_the_order_of_their_chains(desired: Ruleset) -> None:
    expected = [
        ("filter", "FORWARD", "WORMHOLE-ANTISPOOF", "first"),
        ("filter", "FORWARD", "WORMHOLE-FORWARD", "last"),
        ("filter", "INPUT", "WORMHOLE-ANTISPOOF", "first"),
        ("mangle", "POSTROUTING", "WORMHOLE-GUARD", "first"),
        ("mangle", "POSTROUTING", "WORMHOLE-MSS", "first"),
        ("nat", "POSTROUTING", "WORMHOLE-NAT", "first"),
    ]
    assert expected == [(j.table, j.hook, j.target, j.position) for j in desired.jumps]


def test_a_chain_called_last_stands_behind_those_called_first() -> None:
    first = _chain(DROP, name="a", stage=Stage.FILTER, hooks=(Hook.FORWARD,))
    last = replace(first, name="b", position=Position.LAST)
    targets = [jump.target for jump in write((last, first)).jumps]
    assert targets == ["WORMHOLE-A", "WORMHOLE-B"]


def test_a_mark_chains_in_all_rules_before_it() -> None:
    other = replace(DROP, destination=Prefix("10.0.0.0/8"))
    first, second, third = _marks(write((_chain(DROP, DROP, other),)))
    assert len({first, second, third}) == 3
    assert [first, second] == _marks(write((_chain(DROP, DROP),)))
    assert third not in _marks(write((_chain(other, DROP, other),)))


def test_equal_chains_of_different_names_have_different_marks() -> None:
    one, two = (_marks(write((_chain(DROP, name=name),))) for name in ("a", "b"))
    assert one != two


def test_a_table_is_plain_text_so_that_it_is_equal_to_and_hashes_as_what_is_read() -> None:
    (chain,) = write((_chain(DROP),)).chains
    assert {"mangle"} == {"mangle", chain.table}


def test_a_long_reason_is_cut_and_keeps_its_mark() -> None:
    (rule,) = write((_chain(replace(DROP, comment="x" * 300)),)).chains[0].rules
    comment = split_tokens(rule)[split_tokens(rule).index("--comment") + 1]
    assert len(comment) == 255
    assert comment.startswith("wormhole:")


SYN = Rule(verdict=Verdict.CLAMP_MSS, comment="fit", tcp_syn=True)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        (
            _chain(name="x" * 20),
            f"Chain/guard name {'x' * 20!r}: iptables: a chain's name has at most 19 characters",
        ),
        (
            _chain(stage=Stage.NAT, hooks=(Hook.FORWARD,)),
            "Chain/guard hooks 'forward': iptables: the nat table has no such hook",
        ),
        (
            _chain(DROP, stage=Stage.NAT),
            "Chain/guard rules[0].verdict 'drop': iptables: the nat table cannot drop",
        ),
        (
            _chain(DROP, Rule(verdict=Verdict.MASQUERADE, comment="m")),
            "Chain/guard rules[1].verdict 'masquerade': iptables: only in nat postrouting",
        ),
        (
            _chain(replace(SYN, tcp_syn=False)),
            (
                "Chain/guard rules[0].verdict 'clampMSS': "
                "iptables: TCPMSS takes only TCP segments that open a connection"
            ),
        ),
        (
            _chain(SYN, hooks=(Hook.INPUT,)),
            (
                "Chain/guard rules[0].verdict 'clampMSS': "
                "iptables: at input there is no path whose MTU could be taken"
            ),
        ),
        (
            _chain(replace(DROP, input=InterfaceName("eth0"))),
            (
                "Chain/guard rules[0].input 'eth0': "
                "iptables: a packet has no input device at this hook"
            ),
        ),
        (
            _chain(replace(DROP, output=InterfaceName("eth0")), hooks=(Hook.INPUT,)),
            (
                "Chain/guard rules[0].output 'eth0': "
                "iptables: a packet has no output device at this hook"
            ),
        ),
        (
            _chain(replace(DROP, output=InterfaceName("eth+"))),
            "Chain/guard rules[0].output 'eth+': iptables: not a plain device name",
        ),
    ],
)
def test_what_iptables_cannot_express_is_refused_by_name(chain: Chain, message: str) -> None:
    with pytest.raises(UnsupportedRule) as raised:
        write((chain,))
    assert message.replace("Chain/guard", f"Chain/{chain.name}") == str(raised.value)


def test_all_that_cannot_be_expressed_is_said_at_once() -> None:
    wild = replace(DROP, output=InterfaceName("eth+"))
    with pytest.raises(UnsupportedRule) as raised:
        write((_chain(wild, DROP, wild),))
    assert [p.path for p in raised.value.problems] == ["rules[0].output", "rules[2].output"]
