"""Hosts after a failure."""

from stories import POD_A, POD_B, A, B, ending, make_documents, send

from review.model.network import build_network, replace_machines
from review.model.story import Fate
from review.model.variants import (
    with_device_down,
    without_chain,
    without_chains,
    without_device,
    without_peer,
    without_route,
)
from schemas.values import InterfaceName

NETWORK = build_network(make_documents())
HOST_A, HOST_B = NETWORK.machines[A], NETWORK.machines[B]
WG = InterfaceName("wormhole-wg0")
UNREACHABLE = (Fate.UNREACHABLE, A, "unreachable: 10.244.0.0/16, metric 4294967295")


def test_without_the_tunnel_the_overlay_is_unreachable() -> None:
    for happen in (without_device, with_device_down):
        network = replace_machines(NETWORK, [happen(HOST_A, WG)])
        assert ending(send(POD_A, POD_B, network=network)) == UNREACHABLE


def test_a_device_that_is_not_there_cannot_go_down() -> None:
    assert with_device_down(HOST_A, InterfaceName("eth9")) == HOST_A


def test_without_its_route_into_the_tunnel_the_overlay_is_unreachable() -> None:
    network = replace_machines(NETWORK, [without_route(HOST_A, 0)])

    assert ending(send(POD_A, POD_B, network=network)) == UNREACHABLE


def test_without_all_routes_the_guard_holds_and_without_it_the_packet_leaks() -> None:
    routeless = without_route(without_route(HOST_A, 0), 1)
    guarded = replace_machines(NETWORK, [routeless])
    bare = replace_machines(NETWORK, [without_chain(routeless, "guard")])

    assert send(POD_A, POD_B, network=guarded).fate is Fate.DROPPED
    assert send(POD_A, POD_B, network=bare).fate is Fate.LEAKED


def test_without_our_chains_packets_for_the_overlay_stay_in_the_tunnel() -> None:
    network = replace_machines(NETWORK, [without_chains(HOST_A), without_chains(HOST_B)])

    assert send(POD_A, POD_B, network=network).fate is Fate.DELIVERED


def test_without_one_peer_only_that_one_is_out_of_reach() -> None:
    network = replace_machines(NETWORK, [without_peer(HOST_A, B)])

    assert send(POD_A, POD_B, network=network).fate is Fate.UNREACHABLE
    assert send(POD_A, "10.244.3.10", network=network).fate is Fate.DELIVERED
