"""What fits where, what is cut, and who is told."""

import copy

import pytest
from msgspec.structs import replace
from stories import (
    POD_A,
    POD_A6,
    POD_B,
    POD_B6,
    A,
    B,
    change_host,
    change_wireguard,
    ending,
    make_documents,
    send,
)

from review.model.packet import Entry
from review.model.story import Fate
from review.model.surroundings import Surroundings
from schemas.state import Documents

DUAL = make_documents(dual=True)


def with_bridge_mtu(documents: Documents, name: str, mtu: int) -> Documents:
    def change(host: object) -> object:
        config = copy.deepcopy(host.cni.config)  # type: ignore[attr-defined] # a HostState
        config["plugins"][0]["mtu"] = mtu
        return replace(
            host,  # type: ignore[type-var] # as above
            bridge=replace(host.bridge, mtu=mtu),  # type: ignore[attr-defined] # as above
            cni=replace(host.cni, config=config),  # type: ignore[attr-defined] # as above
        )

    return change_host(documents, name, change)  # type: ignore[arg-type] # as above


def test_a_packet_of_the_tunnel_s_mtu_fits() -> None:
    story = send(POD_A, POD_B, size=1440, dont_fragment=True)

    assert (story.fate, story.arrived.size) == (Fate.DELIVERED, 1440)


def test_a_pod_is_told_at_once_by_its_own_device() -> None:
    assert ending(send(POD_A, POD_B, size=1441, dont_fragment=True)) == (
        Fate.TOO_BIG,
        A,
        "too big: 1441 bytes, and the pod's own device carries 1440",
    )


def test_a_pod_s_kernel_cuts_what_may_be_cut() -> None:
    story = send(POD_A, POD_B, size=4000)

    assert (story.fate, story.arrived.size) == (Fate.DELIVERED, 1440)
    assert story.steps[0].decision == (
        "cut to pieces: 4000 bytes, and the pod's own device carries 1440"
    )


@pytest.mark.parametrize(
    ("source", "destination", "fate"),
    [(POD_A, POD_B, Fate.DELIVERED), (POD_A6, POD_B6, Fate.TOO_BIG)],
)
def test_a_router_cuts_ipv4_and_never_ipv6(source: str, destination: str, fate: Fate) -> None:
    documents = change_wireguard(DUAL, A, mtu=1300)

    assert send(source, destination, size=1440, documents=documents).fate is fate


def test_a_router_cuts_nothing_that_forbids_it() -> None:
    documents = change_wireguard(make_documents(), A, mtu=1380)

    assert ending(send(POD_A, POD_B, size=1440, dont_fragment=True, documents=documents)) == (
        Fate.TOO_BIG,
        A,
        "too big: 1440 bytes, and wormhole-wg0 carries 1380",
    )


def test_the_receiver_s_bridge_must_carry_it_too() -> None:
    documents = with_bridge_mtu(make_documents(), B, 1400)

    assert ending(send(POD_A, POD_B, size=1440, dont_fragment=True, documents=documents)) == (
        Fate.TOO_BIG,
        B,
        "too big: 1440 bytes, and wormhole-br0 carries 1400",
    )


def test_a_process_s_own_ipv6_packet_is_cut_by_its_host() -> None:
    story = send("", POD_B6, entry=Entry.HOST, size=4000, documents=DUAL)

    assert (story.fate, story.arrived.size) == (Fate.DELIVERED, 1440)


def test_the_size_counts_before_the_firewall() -> None:
    """``ip_forward`` compares with the MTU before it asks FORWARD."""
    documents = change_wireguard(make_documents(), A, mtu=1380)
    story = send("10.244.3.9", POD_B, size=1440, dont_fragment=True, documents=documents)

    assert story.fate is Fate.TOO_BIG


def test_below_1280_bytes_a_device_has_no_ipv6() -> None:
    documents = change_wireguard(DUAL, A, mtu=1279)

    assert send(POD_A6, POD_B6, documents=documents).fate is Fate.UNREACHABLE
    assert send(POD_A, POD_B, documents=documents).fate is Fate.DELIVERED


@pytest.mark.parametrize(
    ("size", "most", "fate"),
    [
        (1440, 1500, Fate.DELIVERED),
        (1440, 1499, Fate.TOO_BIG),
        (1313, 1388, Fate.DELIVERED),
        (1313, 1387, Fate.TOO_BIG),
        (1328, 1388, Fate.DELIVERED),
    ],
)
def test_what_is_encrypted_is_padded_to_sixteen_bytes_and_wrapped_in_sixty(
    size: int, most: int, fate: Fate
) -> None:
    around = Surroundings(path_mtus={frozenset((A, B)): most})

    assert send(POD_A, POD_B, size=size, surroundings=around).fate is fate
