"""What chains decide at their hooks, in the order in which the kernel asks them."""

import pytest
from msgspec.structs import replace
from stories import (
    OUTSIDE,
    POD_A,
    POD_B,
    A,
    B,
    change_host,
    decisions,
    ending,
    make_documents,
    send,
)

from review.model.packet import Entry, Protocol
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings
from schemas import state
from schemas.state import Chain, Documents, HostState, Position, Rule, Verdict
from schemas.values import InterfaceName, NodeName, Prefix


def with_chain(chain: Chain, *, name: str = "node-a") -> Documents:
    def add(host: HostState) -> HostState:
        chains = (chain, *host.firewall.ipv4)
        return replace(host, firewall=replace(host.firewall, ipv4=chains))

    return change_host(make_documents(), NodeName(name), add)


def make_chain(*rules: Rule, stage: state.Stage, hook: state.Hook) -> Chain:
    return Chain(name="odd", stage=stage, hooks=(hook,), position=Position.FIRST, rules=rules)


def make_rule(verdict: Verdict, **fields: object) -> Rule:
    return Rule(verdict=verdict, comment="odd", **fields)  # type: ignore[arg-type] # a test names the fields


DROP_FORWARD = Surroundings(forward_policy=Verdict.DROP)


def test_our_chains_accept_pod_traffic_where_forward_drops_by_default() -> None:
    assert send(POD_A, POD_B, surroundings=DROP_FORWARD).fate is Fate.DELIVERED
    assert send(POD_A, OUTSIDE, surroundings=DROP_FORWARD).fate is Fate.LEFT


def test_what_no_rule_decides_meets_the_policy_of_forward() -> None:
    story = send(OUTSIDE, "198.51.100.9", entry=Entry.OUTSIDE, surroundings=DROP_FORWARD)

    assert ending(story) == (
        Fate.DROPPED,
        A,
        "dropped by the policy of FORWARD: no rule of ours decided",
    )


def test_an_accept_ends_its_table_and_not_the_next_one() -> None:
    accept = make_rule(Verdict.ACCEPT)
    chain = make_chain(accept, stage=state.Stage.MANGLE, hook=state.Hook.POSTROUTING)
    story = send(POD_A, POD_B, documents=with_chain(chain))

    assert decisions(story, Stage.MANGLE, A) == ["accepted: odd (odd)"]
    assert decisions(story, Stage.NAT, A) == [
        "not translated: no translation inside the overlay (nat)"
    ]


def test_a_return_hands_the_packet_to_the_next_chain() -> None:
    chain = make_chain(make_rule(Verdict.RETURN), stage=state.Stage.FILTER, hook=state.Hook.FORWARD)
    story = send(POD_A, POD_B, documents=with_chain(chain))

    assert decisions(story, Stage.FILTER, A)[:2] == [
        "goes on: odd (odd)",
        "goes on: from a pod of this host (antispoof)",
    ]


def test_the_input_device_is_not_seen_at_output_nor_the_output_device_at_input() -> None:
    hook = state.Hook
    by = make_rule(Verdict.DROP, input=InterfaceName("lo"))
    to = make_rule(Verdict.DROP, output=InterfaceName("wormhole-br0"))
    from_host = with_chain(make_chain(by, stage=state.Stage.FILTER, hook=hook.OUTPUT))
    to_host = with_chain(make_chain(to, stage=state.Stage.FILTER, hook=hook.INPUT))

    assert send("", POD_B, entry=Entry.HOST, documents=from_host).fate is Fate.DELIVERED
    assert send(POD_A, "10.244.1.1", documents=to_host).fate is Fate.DELIVERED


def test_what_a_process_sends_passes_output_before_it_leaves() -> None:
    drop = make_rule(Verdict.DROP, output=InterfaceName("wormhole-wg0"))
    chain = make_chain(drop, stage=state.Stage.FILTER, hook=state.Hook.OUTPUT)
    story = send("", POD_B, entry=Entry.HOST, documents=with_chain(chain))

    assert ending(story) == (Fate.DROPPED, A, "dropped: odd (odd)")
    assert decisions(story, Stage.MANGLE) == []


def test_a_rule_for_the_other_family_matches_nothing() -> None:
    rule = make_rule(Verdict.DROP, source=Prefix("::/0"))
    chain = make_chain(rule, stage=state.Stage.FILTER, hook=state.Hook.FORWARD)

    assert send(POD_A, POD_B, documents=with_chain(chain)).fate is Fate.DELIVERED


def test_only_segments_that_open_a_connection_are_clamped_and_rules_behind_go_on() -> None:
    clamp = make_rule(Verdict.CLAMP_MSS, tcp_syn=True)
    chain = make_chain(
        clamp,
        make_rule(Verdict.DROP, tcp_syn=True),
        stage=state.Stage.MANGLE,
        hook=state.Hook.POSTROUTING,
    )
    documents = with_chain(chain)
    opening = send(POD_A, POD_B, documents=documents, protocol=Protocol.TCP, tcp_syn=True)
    later = send(POD_A, POD_B, documents=documents, protocol=Protocol.TCP)
    not_tcp = send(POD_A, POD_B, documents=documents, protocol=Protocol.UDP, tcp_syn=True)

    assert decisions(opening, Stage.MANGLE) == ["MSS clamped: odd (odd)", "dropped: odd (odd)"]
    assert (later.fate, not_tcp.fate) == (Fate.DELIVERED, Fate.DELIVERED)


def test_the_guard_stands_before_source_translation() -> None:
    """So it sees the overlay's destination, and the packet is gone before nat looks at it."""
    documents = change_host(make_documents(), A, lambda host: replace(host, routes=()))
    story = send(POD_A, POD_B, documents=documents)

    assert ending(story) == (Fate.DROPPED, A, "dropped: the overlay is never sent in clear (guard)")
    assert decisions(story, Stage.NAT) == []


@pytest.mark.parametrize(
    ("source", "entry", "reason"),
    [
        ("10.244.2.10", Entry.POD, "no pod uses a foreign source"),
        ("198.51.100.9", Entry.POD, "no pod uses a foreign source"),
        ("10.244.2.10", Entry.OUTSIDE, "overlay sources come by the tunnel only"),
        ("10.244.1.77", Entry.OUTSIDE, "overlay sources come by the tunnel only"),
    ],
)
def test_a_forged_source_is_dropped_before_anything_else(
    source: str, entry: Entry, reason: str
) -> None:
    for destination in ("10.244.3.10", "10.244.1.1"):
        story = send(source, destination, entry=entry)
        assert ending(story) == (Fate.DROPPED, A, f"dropped: {reason} (antispoof)")


def test_pods_leave_the_overlay_with_the_host_s_address() -> None:
    story = send(POD_A, OUTSIDE)

    assert (story.fate, story.arrived.source) == (Fate.LEFT, "192.0.2.1")


def test_pods_keep_their_address_without_masquerading() -> None:
    story = send(POD_A, OUTSIDE, documents=make_documents(masquerade=False))

    assert (story.fate, story.arrived.source) == (Fate.LEFT, POD_A)


def test_outside_callers_of_remote_pods_come_from_the_tunnel_s_address() -> None:
    story = send(OUTSIDE, POD_B, entry=Entry.OUTSIDE)

    assert (story.fate, story.host, story.arrived.source) == (Fate.DELIVERED, B, "10.244.1.2")


def test_outside_callers_of_local_pods_are_seen_as_they_are() -> None:
    story = send(OUTSIDE, POD_A, entry=Entry.OUTSIDE)

    assert (story.fate, story.host, story.arrived.source) == (Fate.DELIVERED, A, OUTSIDE)
