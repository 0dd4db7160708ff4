"""What the laboratory of ``tests/kernel/test_model_agreement.py`` has taught the model."""

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

from review.model.network import build_network, replace_machines
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate, Stage
from review.model.surroundings import PLAIN, Surroundings
from review.model.variants import with_device_down, without_device
from review.model.walk import walk_both_ways
from schemas.state import Documents
from schemas.values import InterfaceAddress


def with_bridge_addresses(*addresses: str) -> Documents:
    given = tuple(map(InterfaceAddress, addresses))
    return change_host(
        make_documents(),
        A,
        lambda host: replace(host, bridge=replace(host.bridge, addresses=given)),
    )


def test_a_neighbour_is_asked_from_the_address_that_is_on_link_with_it() -> None:
    documents = with_bridge_addresses("10.244.1.1/24", "10.244.7.1/24")

    story = send("", "10.244.7.10", entry=Entry.HOST, documents=documents)

    assert decisions(story, Stage.SOURCE) == ["from 10.244.7.1, an address of wormhole-br0"]


@pytest.mark.parametrize("destination", ["224.0.0.1", "255.255.255.255"])
@pytest.mark.parametrize(
    ("source", "fate"),
    [
        ("10.244.1.1", Fate.DELIVERED),
        ("10.244.1.2", Fate.UNREACHABLE),
        ("192.0.2.1", Fate.LEFT),
        ("198.51.100.1", Fate.UNREACHABLE),
    ],
)
def test_ipv4_sends_to_many_by_the_device_that_has_the_source(
    destination: str, source: str, fate: Fate
) -> None:
    assert send(source, destination, entry=Entry.HOST).fate is fate


BRIDGED = Surroundings(sysctls={"net.bridge.bridge-nf-call-iptables": "1"})


def test_a_broadcast_of_a_pod_is_shown_to_iptables_where_bridged_packets_are() -> None:
    story = send(POD_A, "255.255.255.255", surroundings=BRIDGED)

    assert (story.fate, story.arrived.source) == (Fate.DELIVERED, "10.244.1.1")


def test_a_forged_broadcast_reaches_neither_pods_nor_host_where_iptables_sees_it() -> None:
    story = send(POD_B, "255.255.255.255", surroundings=BRIDGED)

    assert (story.fate, decisions(story, Stage.FILTER)) == (
        Fate.DROPPED,
        ["dropped: no pod uses a foreign source (antispoof)"] * 2,
    )


def test_a_pod_is_told_of_its_own_devices_mtu_before_the_bridge_is_missed() -> None:
    network = build_network(make_documents())
    machine = without_device(network.machines[A], network.machines[A].bridge)

    story = send(
        POD_A,
        POD_B,
        network=replace_machines(network, [machine]),
        size=1441,
        dont_fragment=True,
    )

    assert story.fate is Fate.TOO_BIG


def test_ipv4_looks_for_a_way_before_it_doubts_the_source() -> None:
    """``ip_route_input_slow``: what has no way is refused, whoever says to have sent it."""
    network = build_network(make_documents())
    machine = without_device(network.machines[A], network.machines[A].tunnel)
    network = replace_machines(network, [machine])

    own = send("192.0.2.1", POD_B, network=network)
    foreign = send("192.0.2.1", OUTSIDE, network=network)

    assert ending(own) == (Fate.UNREACHABLE, A, "unreachable: 10.244.0.0/16, metric 4294967295")
    assert ending(foreign) == (Fate.DROPPED, A, "dropped: 192.0.2.1 is this host's own")


def test_a_device_that_is_down_decrypts_nothing() -> None:
    network = build_network(make_documents())
    machine = with_device_down(network.machines[A], network.machines[A].tunnel)

    story = send(
        POD_B, POD_A, network=replace_machines(network, [machine]), entry=Entry.PEER, peer=B
    )

    assert ending(story) == (Fate.LOST, A, "lost: wormhole-wg0 is not up")


def test_a_host_that_is_masqueraded_to_itself_gets_the_answer() -> None:
    packet = Packet(source="10.244.1.1", destination="192.0.2.1")
    start = Start(host=A, entry=Entry.HOST)

    asked, answer = walk_both_ways(build_network(make_documents()), packet, start)

    assert asked.arrived.source == "192.0.2.1"
    assert answer is not None
    assert (answer.fate, answer.arrived.destination) == (Fate.DELIVERED, "10.244.1.1")


def test_a_pod_looks_for_its_neighbour_before_iptables_sees_what_it_sends() -> None:
    story = send(POD_B, "10.244.1.5", surroundings=BRIDGED)

    assert ending(story) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: no pod gets 10.244.1.5, so nobody on wormhole-br0 answers",
    )


@pytest.mark.parametrize(
    ("bridged", "size", "fate"),
    [(True, 1441, Fate.DROPPED), (True, 1440, Fate.DELIVERED), (False, 1441, Fate.DELIVERED)],
)
def test_iptables_cannot_cut_again_what_is_larger_than_the_bridge(
    size: int, fate: Fate, *, bridged: bool
) -> None:
    """``br_nf_ip_fragment``: it puts pieces together, and drops what were too large ones."""
    documents = change_host(
        make_documents(), A, lambda host: replace(host, bridge=replace(host.bridge, mtu=1280))
    )

    story = send(
        POD_A,
        "10.244.1.11",
        documents=documents,
        surroundings=BRIDGED if bridged else PLAIN,
        size=size,
    )

    assert story.fate is fate
