"""What a host refuses before it looks for a route: martians, and the reverse path."""

import pytest
from stories import OUTSIDE, OUTSIDE6, POD_A, POD_B, A, decisions, ending, make_documents, send

from review.model.packet import Entry
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings

DUAL = make_documents(dual=True)


def sysctl(name: str, value: str) -> Surroundings:
    return Surroundings(sysctls={name: value})


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("0.1.2.3", "this network"),
        ("127.0.0.1", "loopback"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "broadcast"),
    ],
)
def test_no_ipv4_packet_comes_from_such_a_source(source: str, what: str) -> None:
    story = send(source, POD_A, entry=Entry.OUTSIDE)

    assert ending(story) == (Fate.DROPPED, A, f"dropped: its source is a {what} address")


@pytest.mark.parametrize(("source", "what"), [("::1", "loopback"), ("ff02::1", "multicast")])
def test_no_ipv6_packet_comes_from_such_a_source(source: str, what: str) -> None:
    story = send(source, "fd00:244:0:1::a", entry=Entry.OUTSIDE, documents=DUAL)

    assert ending(story) == (Fate.DROPPED, A, f"dropped: its source is a {what} address")


@pytest.mark.parametrize(
    ("source", "destination", "what"),
    [(OUTSIDE, "127.0.0.1", "loopback"), (OUTSIDE6, "::1", "loopback")],
)
def test_loopback_is_not_reached_from_elsewhere(source: str, destination: str, what: str) -> None:
    story = send(source, destination, entry=Entry.OUTSIDE, documents=DUAL)

    assert ending(story) == (Fate.DROPPED, A, f"dropped: its destination is a {what} address")


def test_ipv4_takes_nothing_from_its_own_addresses_and_ipv6_leaves_that_to_the_firewall() -> None:
    ipv4 = send("192.0.2.1", POD_A, entry=Entry.OUTSIDE)
    ipv6 = send("fd00:244:0:1::1", "fd00:244:0:1::a", entry=Entry.OUTSIDE, documents=DUAL)

    assert ending(ipv4) == (Fate.DROPPED, A, "dropped: 192.0.2.1 is this host's own")
    assert ending(ipv6) == (
        Fate.DROPPED,
        A,
        "dropped: overlay sources come by the tunnel only (antispoof)",
    )


@pytest.mark.parametrize("where", ["all", "underlay"])
def test_a_strict_reverse_path_wants_the_way_back_by_the_same_device(where: str) -> None:
    strict = sysctl(f"net.ipv4.conf.{where}.rp_filter", "1")
    story = send("10.244.2.10", POD_A, entry=Entry.OUTSIDE, surroundings=strict)

    assert decisions(story, Stage.REVERSE_PATH) == [
        "dropped: it came by underlay, and the way back leads by wormhole-wg0"
    ]


def test_a_loose_reverse_path_wants_any_way_back() -> None:
    loose = sysctl("net.ipv4.conf.all.rp_filter", "2")
    story = send("10.244.2.10", POD_A, entry=Entry.OUTSIDE, surroundings=loose)

    assert decisions(story, Stage.REVERSE_PATH) == []


def test_a_strict_reverse_path_lets_all_pods_through() -> None:
    strict = sysctl("net.ipv4.conf.all.rp_filter", "1")

    assert send(POD_A, POD_B, surroundings=strict).fate is Fate.DELIVERED
    assert send(POD_A, OUTSIDE, surroundings=strict).fate is Fate.LEFT
    assert send(OUTSIDE, POD_A, entry=Entry.OUTSIDE, surroundings=strict).fate is Fate.DELIVERED


def test_multicast_from_outside_is_not_passed_on() -> None:
    story = send(OUTSIDE, "224.0.0.251", entry=Entry.OUTSIDE)

    assert decisions(story, Stage.ROUTE) == ["to this host: 224.0.0.251 stays on its link"]
