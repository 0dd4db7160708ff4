"""What pods do on their bridge before a host looks at it."""

import copy

import pytest
from msgspec.structs import replace
from stories import OUTSIDE, POD_A, POD_B, A, change_host, decisions, ending, make_documents, send

from review.model.network import build_network, replace_machines
from review.model.packet import Entry
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings
from review.model.variants import with_device_down, without_device
from schemas.state import Documents
from schemas.values import InterfaceAddress, InterfaceName

BR = InterfaceName("wormhole-br0")
DUAL = make_documents(dual=True)
NETFILTER = Surroundings(sysctls={"net.bridge.bridge-nf-call-iptables": "1"})


def with_ipam(**changes: object) -> Documents:
    documents = make_documents()
    config = copy.deepcopy(documents.hosts[A].cni.config)
    config["plugins"][0]["ipam"] |= changes  # type: ignore[index] # the compiler's own shape
    return change_host(
        documents, A, lambda host: replace(host, cni=replace(host.cni, config=config))
    )


def test_pods_of_one_host_talk_without_passing_a_hook() -> None:
    story = send(POD_A, "10.244.1.11")

    assert [(step.stage, step.decision) for step in story.steps] == [
        (Stage.DELIVER, "reaches pod 10.244.1.11 by wormhole-br0")
    ]


def test_nobody_checks_a_neighbour_s_source_unless_bridged_packets_pass_iptables() -> None:
    forged, neighbour = "10.244.2.10", "10.244.1.11"

    assert send(forged, neighbour).fate is Fate.DELIVERED
    assert ending(send(forged, neighbour, surroundings=NETFILTER)) == (
        Fate.DROPPED,
        A,
        "dropped: no pod uses a foreign source (antispoof)",
    )


def test_bridged_packets_that_pass_iptables_arrive_all_the_same() -> None:
    assert send(POD_A, "10.244.1.11", surroundings=NETFILTER).fate is Fate.DELIVERED


@pytest.mark.parametrize(
    ("source", "destination", "fate"),
    [
        (POD_A, "10.244.1.1", Fate.DELIVERED),
        (POD_A, "10.244.1.2", Fate.DELIVERED),
        ("fd00:244:0:1::a", "fd00:244:0:1::1", Fate.DELIVERED),
        ("fd00:244:0:1::a", "fd00:244:0:1::2", Fate.UNREACHABLE),
        ("fd00:244:0:1::a", "fd00:244:0:2::2", Fate.DELIVERED),
    ],
)
def test_arp_answers_for_any_address_of_the_host_and_ipv6_for_the_bridge_s_alone(
    source: str, destination: str, fate: Fate
) -> None:
    assert send(source, destination, documents=DUAL).fate is fate


@pytest.mark.parametrize("destination", ["ff02::1", "fe80::1", "224.0.0.251", "255.255.255.255"])
def test_what_is_for_the_link_stays_on_the_bridge(destination: str) -> None:
    source = "fe80::a" if ":" in destination else POD_A

    story = send(source, destination, documents=DUAL)
    assert (story.fate, story.host, len(story.steps)) == (Fate.DELIVERED, A, 1)


def test_a_link_local_source_is_not_forwarded() -> None:
    assert ending(send("fe80::a", "2001:db8::7", documents=DUAL)) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: a packet from fe80::a stays on its link",
    )


def test_a_pod_looks_for_its_address_before_it_has_one() -> None:
    """Duplicate address detection is from the unspecified address, to multicast (RFC 4862)."""
    assert send("::", "ff02::1:ff00:a", documents=DUAL).fate is Fate.DELIVERED


def test_a_pod_without_a_route_sends_nothing_beyond_its_link() -> None:
    documents = with_ipam(routes=[])

    assert send(POD_A, "10.244.1.11", documents=documents).fate is Fate.DELIVERED
    assert ending(send(POD_A, POD_B, documents=documents)) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: pods have no route to 10.244.2.10",
    )


def test_a_pod_whose_gateway_is_not_the_bridge_reaches_nobody_beyond() -> None:
    documents = change_host(
        make_documents(),
        A,
        lambda host: replace(
            host, bridge=replace(host.bridge, addresses=(InterfaceAddress("10.244.1.3/24"),))
        ),
    )

    assert ending(send(POD_A, POD_B, documents=documents)) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: the pods' gateway is no address of wormhole-br0",
    )


def test_pods_have_no_family_that_they_have_no_range_of() -> None:
    story = send("fd00:244:0:1::a", "fd00:244:0:2::a")

    assert ending(story) == (Fate.UNREACHABLE, A, "unreachable: pods have no IPv6")


@pytest.mark.parametrize("happen", [without_device, with_device_down])
def test_without_the_bridge_pods_are_alone(happen: object) -> None:
    network = build_network(make_documents())
    machine = happen(network.machines[A], BR)  # type: ignore[operator] # one of the two above
    network = replace_machines(network, [machine])

    assert send(POD_A, POD_B, network=network).fate is Fate.UNREACHABLE
    assert send(OUTSIDE, POD_A, entry=Entry.OUTSIDE, network=network).fate is Fate.UNREACHABLE


def test_a_pod_range_that_cannot_be_read_gives_no_pods() -> None:
    documents = with_ipam(ranges=[[{"subnet": "10.244.1.0/24", "rangeStart": 7}], "odd"])

    assert send("", POD_A, entry=Entry.HOST, documents=documents).fate is Fate.UNREACHABLE


def test_pods_of_one_host_in_two_cidrs_talk_by_their_gateway() -> None:
    """``host-local`` gives a pod one address of a family, so the other CIDR is not on its link."""
    documents = make_documents()
    ipam = documents.hosts[A].cni.config["plugins"][0]["ipam"]  # type: ignore[index] # as above
    first = ipam["ranges"][0][0]
    second = {
        "subnet": "10.244.9.0/24",
        "rangeStart": "10.244.9.10",
        "rangeEnd": "10.244.9.254",
        "gateway": "10.244.9.1",
    }
    documents = with_ipam(ranges=[[first, second]])
    documents = change_host(
        documents,
        A,
        lambda host: replace(
            host,
            bridge=replace(
                host.bridge,
                addresses=(*host.bridge.addresses, InterfaceAddress("10.244.9.1/24")),
            ),
        ),
    )
    story = send(POD_A, "10.244.9.10", documents=documents)

    assert decisions(story, Stage.ROUTE) == ["by wormhole-br0: 10.244.9.0/24 is on link there"]
