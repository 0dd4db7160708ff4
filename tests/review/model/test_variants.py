"""Hosts after a failure, and hosts one by one."""

from stories import POD_A, POD_B, A, B, ending, make_documents, send

from review.model.halves import enter, leave
from review.model.network import build_network, replace_machines
from review.model.packet import Entry, Packet
from review.model.story import Fate
from review.model.variants import (
    with_device_down,
    without_chains,
    without_device,
    without_peer,
    without_route,
)
from schemas.values import InterfaceName, Prefix

NETWORK = build_network(make_documents())
HOST_A, HOST_B = NETWORK.machines[A], NETWORK.machines[B]
WG, OVERLAY = InterfaceName("wormhole-wg0"), Prefix("10.244.0.0/16")
UNREACHABLE = (Fate.UNREACHABLE, A, "unreachable: 10.244.0.0/16, metric 4294967295")


def test_without_the_tunnel_the_overlay_is_unreachable() -> None:
    for happen in (without_device, with_device_down):
        network = replace_machines(NETWORK, [happen(HOST_A, WG)])
        assert ending(send(POD_A, POD_B, network=network)) == UNREACHABLE


def test_a_device_that_is_not_there_cannot_go_down() -> None:
    assert with_device_down(HOST_A, InterfaceName("eth9")) == HOST_A


def test_without_its_route_into_the_tunnel_the_overlay_is_unreachable() -> None:
    network = replace_machines(NETWORK, [without_route(HOST_A, OVERLAY, 1024)])

    assert ending(send(POD_A, POD_B, network=network)) == UNREACHABLE


def test_without_all_routes_the_guard_holds_and_without_it_the_packet_leaks() -> None:
    routeless = without_route(HOST_A, OVERLAY)
    guarded = replace_machines(NETWORK, [routeless])
    bare = replace_machines(NETWORK, [without_chains(routeless, "guard")])

    assert send(POD_A, POD_B, network=guarded).fate is Fate.DROPPED
    assert send(POD_A, POD_B, network=bare).fate is Fate.LEAKED


def test_without_our_chains_packets_for_the_overlay_stay_in_the_tunnel() -> None:
    network = replace_machines(NETWORK, [without_chains(HOST_A), without_chains(HOST_B)])

    assert send(POD_A, POD_B, network=network).fate is Fate.DELIVERED


def test_without_one_peer_only_that_one_is_out_of_reach() -> None:
    network = replace_machines(NETWORK, [without_peer(HOST_A, B)])

    assert send(POD_A, POD_B, network=network).fate is Fate.UNREACHABLE
    assert send(POD_A, "10.244.3.10", network=network).fate is Fate.DELIVERED


def test_halves_make_a_whole() -> None:
    packet = Packet(source=POD_A, destination=POD_B)
    first = leave(HOST_A, packet, Entry.POD, NETWORK.surroundings)
    second = enter(HOST_B, first.packet, A, NETWORK.surroundings)

    assert (first.fate, first.peer) == (None, B)
    assert (second.fate, second.peer) == (Fate.DELIVERED, None)
    whole = send(POD_A, POD_B, network=NETWORK)
    underlay = [step for step in whole.steps if step.stage == "underlay"]
    assert [*first.steps, *underlay, *second.steps] == [*whole.steps]


def test_half_a_way_may_be_the_whole() -> None:
    half = leave(HOST_A, Packet(source=POD_A, destination="198.51.100.1"), Entry.POD)

    assert (half.fate, half.peer, half.packet.source) == (Fate.LEFT, None, "192.0.2.1")
