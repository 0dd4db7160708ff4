"""What the laboratory of ``tests/kernel/test_model_agreement.py`` has taught the model."""

import pytest
from msgspec.structs import replace
from stories import A, change_host, decisions, make_documents, send

from review.model.packet import Entry
from review.model.story import Fate, Stage
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
