"""The way of an answer: what hosts remember of a connection."""

import pytest
from stories import OUTSIDE, POD_A, POD_B, A, B, change_peer, decisions, make_documents

from review.model.network import build_network
from review.model.packet import Entry, Packet, Protocol, Start
from review.model.story import Fate, Stage, Story
from review.model.walk import find_answer, walk, walk_both_ways
from schemas.values import NodeName


def converse(
    source: str, destination: str, entry: Entry, host: NodeName = A
) -> tuple[Story, Story | None]:
    network = build_network(make_documents())
    packet = Packet(
        source=source,
        destination=destination,
        protocol=Protocol.UDP,
        source_port=4000,
        destination_port=53,
    )
    return walk_both_ways(network, packet, Start(host=host, entry=entry))


@pytest.mark.parametrize(
    ("source", "destination", "entry", "back", "fate", "host"),
    [
        (POD_A, POD_B, Entry.POD, POD_A, Fate.DELIVERED, A),
        (POD_A, OUTSIDE, Entry.POD, POD_A, Fate.DELIVERED, A),
        (POD_A, "192.0.2.2", Entry.POD, POD_A, Fate.DELIVERED, A),
        (OUTSIDE, POD_A, Entry.OUTSIDE, OUTSIDE, Fate.LEFT, A),
        (OUTSIDE, POD_B, Entry.OUTSIDE, OUTSIDE, Fate.LEFT, A),
        ("", POD_B, Entry.HOST, "10.244.1.2", Fate.DELIVERED, A),
        ("", "10.244.1.11", Entry.HOST, "10.244.1.1", Fate.DELIVERED, A),
        ("", "10.244.2.1", Entry.HOST, "10.244.1.2", Fate.DELIVERED, A),
        ("", "192.0.2.2", Entry.HOST, "192.0.2.1", Fate.DELIVERED, A),
        ("", OUTSIDE, Entry.HOST, "192.0.2.1", Fate.DELIVERED, A),
        (POD_A, "10.244.1.11", Entry.POD, POD_A, Fate.DELIVERED, A),
    ],
)
def test_an_answer_comes_back_to_who_asked(  # noqa: PLR0913, PLR0917 - the columns of a table
    source: str, destination: str, entry: Entry, back: str, fate: Fate, host: NodeName
) -> None:
    _, answer = converse(source, destination, entry)

    assert answer is not None
    assert (answer.fate, answer.host, answer.arrived.destination) == (fate, host, back)
    assert (answer.arrived.source_port, answer.arrived.destination_port) == (53, 4000)


@pytest.mark.parametrize("many", ["224.0.0.1", "255.255.255.255", "10.244.1.255"])
def test_nobody_answers_as_many(many: str) -> None:
    story, answer = converse(POD_A, many, Entry.POD)

    assert (story.fate, answer) == (Fate.DELIVERED, None)


def test_an_answer_keeps_its_source_though_a_new_connection_would_not() -> None:
    """A pod that answers to the outside is not masqueraded: its connection is known."""
    _, answer = converse(OUTSIDE, POD_A, Entry.OUTSIDE)

    assert answer is not None
    assert (answer.arrived.source, decisions(answer, Stage.NAT)) == (POD_A, [])


def test_nobody_answers_what_did_not_arrive() -> None:
    story, answer = converse(POD_A, "10.244.9.10", Entry.POD)

    assert (story.fate, answer) == (Fate.UNREACHABLE, None)


def test_who_was_spoken_to_knows_where_the_speaker_is() -> None:
    network = build_network(change_peer(make_documents(), A, endpoint=None))
    packet = Packet(source=POD_A, destination=POD_B)
    story, answer = walk_both_ways(network, packet, Start(host=A, entry=Entry.POD))
    back = find_answer(network, story)

    assert back is not None
    assert walk(network, *back).fate is Fate.LOST
    assert answer is not None
    assert decisions(answer, Stage.UNDERLAY) == ["to node-a, where it spoke from last"]


def test_the_answer_starts_where_the_packet_ended() -> None:
    network = build_network(make_documents())
    host = walk(
        network, Packet(source=POD_A, destination="10.244.2.1"), Start(host=A, entry=Entry.POD)
    )

    assert find_answer(network, host) == (
        Packet(source="10.244.2.1", destination=POD_A),
        Start(host=B, entry=Entry.HOST),
    )


def test_nobody_answers_what_comes_from_the_unspecified_address() -> None:
    """Such as a pod that has no address yet, and looks whether somebody else has it."""
    network = build_network(make_documents(dual=True))
    packet = Packet(source="::", destination="ff02::1:ff00:a")
    story, answer = walk_both_ways(network, packet, Start(host=A, entry=Entry.POD))

    assert (story.fate, answer) == (Fate.DELIVERED, None)
