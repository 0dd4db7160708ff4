"""Which source address a host's process sends from."""

import pytest
from msgspec.structs import replace
from stories import A, change_wireguard, decisions, make_documents, send

from review.model.network import build_network
from review.model.packet import Entry
from review.model.sources import select_source
from review.model.story import Stage
from schemas.values import InterfaceAddress, InterfaceName

WG, BR = InterfaceName("wormhole-wg0"), InterfaceName("wormhole-br0")
DUAL = make_documents(dual=True)


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("10.244.2.10", "10.244.1.2"),
        ("10.244.1.10", "10.244.1.1"),
        ("198.51.100.1", "192.0.2.1"),
        ("10.244.1.1", "10.244.1.1"),
        ("10.244.1.2", "10.244.1.2"),
        ("192.0.2.1", "192.0.2.1"),
        ("10.244.1.255", "10.244.1.1"),
        ("fd00:244:0:2::a", "fd00:244:0:1::2"),
        ("fd00:244:0:1::a", "fd00:244:0:1::1"),
        ("fd00:244:0:1::2", "fd00:244:0:1::2"),
    ],
)
def test_a_process_sends_from_an_address_of_the_device_that_it_leaves_by(
    destination: str, source: str
) -> None:
    story = send("", destination, entry=Entry.HOST, documents=DUAL)

    if story.arrived.destination == destination and story.host == A:
        assert story.arrived.source == source
    else:
        assert decisions(story, Stage.SOURCE)[0].startswith(f"from {source},")


def test_a_process_that_binds_keeps_its_address() -> None:
    story = send("10.244.1.1", "10.244.2.10", entry=Entry.HOST)

    assert decisions(story, Stage.SOURCE) == []
    assert story.arrived.source == "10.244.1.1"


def test_ipv4_takes_the_first_address_of_the_device() -> None:
    addresses = tuple(map(InterfaceAddress, ("10.244.1.3/32", "10.244.1.2/32")))
    documents = change_wireguard(make_documents(), A, addresses=addresses)

    assert send("", "10.244.2.10", entry=Entry.HOST, documents=documents).arrived.source == (
        "10.244.1.3"
    )


def test_ipv6_takes_the_address_that_has_most_in_common_with_the_destination() -> None:
    addresses = tuple(map(InterfaceAddress, ("fd00:244:0:1::2/128", "fd00:244:ff::2/128")))
    documents = change_wireguard(DUAL, A, addresses=addresses)
    machine = build_network(documents).machines[A]
    near, far = 0xFD00_0244_00FF_0000 << 64 | 9, 0xFD00_0244_0000_0002 << 64 | 9

    assert [
        select_source(machine, number, WG, ipv6=True).number  # type: ignore[union-attr] # there is one
        for number in (near, far)
    ] == [0xFD00_0244_00FF_0000 << 64 | 2, 0xFD00_0244_0000_0001 << 64 | 2]


def test_a_device_without_addresses_borrows_that_of_the_underlay_first() -> None:
    documents = change_wireguard(make_documents(), A, addresses=())
    story = send("", "10.244.2.10", entry=Entry.HOST, documents=documents)

    assert decisions(story, Stage.SOURCE) == ["from 192.0.2.1, an address of underlay, assumed"]


def test_without_any_address_of_the_family_there_is_no_source() -> None:
    machine = replace(build_network(DUAL).machines[A], addresses=())

    assert select_source(machine, 1, BR, ipv6=False) is None
    assert select_source(machine, 1, BR, ipv6=True) is None
