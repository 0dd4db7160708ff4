"""How people name the two ends of a packet, and what they are told about names that are none."""

import pytest
from stories import A, B, change_peer, make_documents

from review.model.ends import Ends, read_ends
from review.model.network import build_network
from review.model.packet import Entry, Start
from schemas.problems import Problems

DUAL = build_network(make_documents(dual=True))
PLAIN = build_network(make_documents())


@pytest.mark.parametrize(
    ("sender", "start", "source"),
    [
        ("10.244.1.77", Start(host=A, entry=Entry.POD), "10.244.1.77"),
        ("10.244.1.1", Start(host=A, entry=Entry.HOST), "10.244.1.1"),
        ("192.0.2.1", Start(host=A, entry=Entry.HOST), "192.0.2.1"),
        ("node-a/pod", Start(host=A, entry=Entry.POD), "10.244.1.10"),
        ("node-a/pod4", Start(host=A, entry=Entry.POD), "10.244.1.10"),
        ("node-a", Start(host=A, entry=Entry.HOST), ""),
        ("outside:node-a", Start(host=A, entry=Entry.OUTSIDE), "198.51.100.1"),
        ("peer:node-a", Start(host=B, entry=Entry.PEER, peer=A), "10.244.1.10"),
    ],
)
def test_a_sender_may_be_named_in_these_ways(sender: str, start: Start, source: str) -> None:
    expected = Ends(start=start, source=source, destination="10.244.2.10")

    assert read_ends(DUAL, sender, "10.244.2.10") == expected


@pytest.mark.parametrize(
    ("receiver", "destination"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("node-b/pod", "10.244.2.10"),
        ("node-b/pod6", "fd00:244:0:2::a"),
        ("node-b", "192.0.2.2"),
    ],
)
def test_a_receiver_may_be_named_in_these_ways(receiver: str, destination: str) -> None:
    assert read_ends(DUAL, "node-a/pod", receiver).destination == destination


def test_the_family_is_that_of_the_end_that_names_one() -> None:
    ends = read_ends(DUAL, "node-a/pod6", "node-b/pod")

    assert (ends.source, ends.destination) == ("fd00:244:0:1::a", "fd00:244:0:2::a")
    assert read_ends(DUAL, "outside:node-a", "node-b/pod6").source == "2001:db8::1"
    assert read_ends(DUAL, "node-a/pod6", "node-b").destination == "fd00:244:0:2::2"
    assert read_ends(DUAL, "node-a/pod", "node-b/pod", "fd00::7").destination == "fd00:244:0:2::a"


def test_a_misspelt_node_is_answered_with_one_that_there_is() -> None:
    with pytest.raises(Problems, match='did you mean "node-a"'):
        read_ends(PLAIN, "nodea/pod", "node-b/pod")


def test_a_node_without_endpoint_is_reached_at_its_tunnel_s_address() -> None:
    network = build_network(change_peer(make_documents(), B, endpoint=None))

    assert read_ends(network, "node-a/pod", "node-b").destination == "10.244.2.2"


def test_the_source_may_be_forged() -> None:
    ends = read_ends(PLAIN, "node-a/pod", "node-b/pod", "10.244.3.3")

    assert (ends.start.host, ends.source) == (A, "10.244.3.3")


@pytest.mark.parametrize(
    ("sender", "receiver", "source", "problem"),
    [
        (
            "rack-z",
            "node-b/pod",
            "",
            (
                "--from 'rack-z': no such host, nor an address as documents spell it: write a"
                " pod's address, NODE/pod, NODE (its host network), outside:NODE (comes to it in"
                " clear) or peer:NODE (what that node encrypts)"
            ),
        ),
        (
            "node-a",
            "010.1.1.1",
            "",
            (
                "--to '010.1.1.1': no such host, nor an address as documents spell it: write an"
                " address, NODE/pod, or NODE (the host itself)"
            ),
        ),
        (
            "203.0.113.7",
            "node-b/pod",
            "",
            (
                "--from '203.0.113.7': is on no host of this state; for a sender outside of it"
                " write outside:NODE"
            ),
        ),
        (
            "peer:node-a",
            "203.0.113.7",
            "",
            "--to '203.0.113.7': is on no host of this state; a peer speaks to one of its hosts",
        ),
        ("node-a/pod6", "node-b/pod6", "", "--to 'node-b': has no pods with IPv6"),
        ("node-a/pod", "fd00::1", "", "--from 'node-a': has no pods with IPv6"),
        (
            "10.244.1.10",
            "fd00::1",
            "",
            "--from '10.244.1.10': is not of the same IP family as fd00::1",
        ),
        ("node-a/pod", "node-b", "fd00::1", "--to 'node-b': has no address of this IP family"),
        ("node-a/pod", "node-b/pod", "nonsense", "--source 'nonsense': is no IP address"),
    ],
)
def test_a_name_that_is_none_is_explained(
    sender: str, receiver: str, source: str, problem: str
) -> None:
    with pytest.raises(Problems) as error:
        read_ends(PLAIN, sender, receiver, source)

    assert str(error.value) == problem
