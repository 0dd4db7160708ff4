"""Who encrypts for whom, what arrives, and what is believed."""

import pytest
from msgspec.structs import replace
from stories import (
    POD_A,
    POD_B,
    A,
    B,
    C,
    change_host,
    change_peer,
    change_wireguard,
    decisions,
    ending,
    make_documents,
    send,
)

from review.model.network import build_network, replace_machines
from review.model.packet import Entry
from review.model.story import Fate, Stage
from review.model.surroundings import Surroundings
from review.model.variants import without_device, without_peer
from schemas.state import Chain, Documents, Hook, Position, Rule, Verdict
from schemas.state import Stage as Table
from schemas.values import Endpoint, InterfaceName, NodeName, Prefix

WG = InterfaceName("wormhole-wg0")
SPOKEN = Surroundings(everybody_spoke=True)


def allow(documents: Documents, name: NodeName, *prefixes: str) -> Documents:
    return change_peer(documents, name, allowed_ips=tuple(map(Prefix, prefixes)))


def test_the_longest_allowed_ip_decides_who_gets_a_packet() -> None:
    documents = allow(make_documents(), C, "10.244.2.0/28", "10.244.3.0/24")
    story = send(POD_A, POD_B, documents=documents)

    assert decisions(story, Stage.ENCRYPT, A) == ["for node-c: 10.244.2.0/28 is its own"]


def test_equal_allowed_ips_are_whose_peer_came_last() -> None:
    documents = allow(make_documents(), C, "10.244.2.0/24", "10.244.3.0/24")
    story = send(POD_A, POD_B, documents=documents)

    assert decisions(story, Stage.ENCRYPT, A) == ["for node-c: 10.244.2.0/24 is its own"]


def test_what_is_nobody_s_is_refused() -> None:
    assert ending(send(POD_A, "10.244.9.10")) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: no peer has 10.244.9.10 in its allowed IPs",
    )


def test_a_host_is_no_peer_of_its_own() -> None:
    assert send("", "10.244.1.5", entry=Entry.HOST).fate is Fate.UNREACHABLE


@pytest.mark.parametrize(
    ("source", "whose"),
    [("10.244.3.10", "node-c's"), ("10.244.1.10", "no peer's"), ("198.51.100.1", "no peer's")],
)
def test_a_peer_is_believed_only_about_its_own_addresses(source: str, whose: str) -> None:
    story = send(source, "10.244.1.11", entry=Entry.PEER, peer=B)

    assert ending(story) == (Fate.DROPPED, A, f"dropped: node-b sent it, and {source} is {whose}")


def test_a_peer_that_speaks_for_itself_is_heard() -> None:
    assert send(POD_B, POD_A, entry=Entry.PEER, peer=B).fate is Fate.DELIVERED


def test_a_peer_may_not_reach_the_outside_in_its_own_name_only_by_the_rules() -> None:
    story = send(POD_B, "198.51.100.1", entry=Entry.PEER, peer=B)

    assert (story.fate, story.arrived.source) == (Fate.LEFT, POD_B)


def test_a_stranger_is_not_heard() -> None:
    story = send(POD_B, POD_A, entry=Entry.PEER, peer=NodeName("node-z"))

    assert ending(story) == (Fate.LOST, A, "lost: node-a knows nobody with node-z's key")


def lost(documents: Documents, surroundings: Surroundings = SPOKEN) -> tuple[object, str]:
    story = send(POD_A, POD_B, documents=documents, surroundings=surroundings)
    return story.fate, story.steps[-1].decision


def test_each_side_must_know_the_other_s_key() -> None:
    other = make_documents().hosts[C].wireguard.public_key
    ours = change_wireguard(make_documents(), A, public_key="x" * 43 + "=")

    assert lost(change_peer(make_documents(), B, public_key=other)) == (
        Fate.LOST,
        "lost: node-a knows node-b by a key that it does not have",
    )
    assert lost(ours) == (Fate.LOST, "lost: node-b knows nobody with node-a's key")


def test_a_peer_on_one_side_only_is_no_peer() -> None:
    network = build_network(make_documents())
    network = replace_machines(network, [without_peer(network.machines[B], A)])
    story = send(POD_A, POD_B, network=network)

    assert ending(story) == (Fate.LOST, A, "lost: node-b knows nobody with node-a's key")


def test_both_must_be_of_one_epoch_of_pre_shared_keys() -> None:
    documents = make_documents(preshared_key_epoch="two")

    assert lost(change_wireguard(documents, B, preshared_key_epoch="one")) == (
        Fate.LOST,
        "lost: pre-shared keys differ: two here, one on node-b",
    )
    assert lost(change_wireguard(documents, B, preshared_key_epoch=None)) == (
        Fate.LOST,
        "lost: pre-shared keys differ: two here, none on node-b",
    )


def test_a_port_on_which_nobody_listens_loses_what_is_sent_there() -> None:
    documents = change_wireguard(make_documents(), B, listen_port=51820)
    story = send(POD_A, POD_B, documents=documents)

    missed = "lost: it goes to port 9806, and node-b listens on 51820"
    assert ending(story) == (Fate.LOST, A, f"{missed}: it must speak first (no keepalive)")


def test_an_endpoint_where_somebody_else_is_loses_what_is_sent_there() -> None:
    documents = make_documents()
    peers = documents.mesh.peer_groups["mesh"]
    network = build_network(documents)
    moved = change_peer(documents, B, endpoint=peers[C].endpoint)
    machine = build_network(moved).machines[A]
    story = send(POD_A, POD_B, network=replace_machines(network, [machine]))

    assert story.steps[-1].decision == (
        "lost: it goes to 192.0.2.3, and that is node-c: it must speak first (no keepalive)"
    )


def test_a_peer_without_endpoint_is_reached_where_it_spoke_from() -> None:
    silent = change_peer(make_documents(), B, endpoint=None)
    keeping = change_wireguard(silent, B, persistent_keepalive=25)

    assert lost(silent, Surroundings()) == (
        Fate.LOST,
        "lost: node-b has no endpoint: it must speak first (no keepalive)",
    )
    assert lost(silent)[0] is Fate.DELIVERED
    assert lost(keeping, Surroundings())[0] is Fate.DELIVERED
    assert send(POD_B, POD_A, host=B, documents=silent).fate is Fate.DELIVERED


def test_two_without_endpoint_never_meet() -> None:
    documents = change_peer(make_documents(), B, endpoint=None)
    documents = change_peer(documents, A, endpoint=None)

    assert lost(documents) == (
        Fate.LOST,
        "lost: node-b has no endpoint, and node-b has none of node-a either",
    )


def test_ciphertext_that_is_routed_into_its_own_tunnel_is_lost() -> None:
    documents = change_host(
        make_documents(),
        A,
        lambda host: replace(
            host,
            routes=(*host.routes, replace(host.routes[0], destination=Prefix("192.0.2.0/24"))),
        ),
    )

    assert lost(documents, Surroundings())[1].startswith(
        "lost: the route to 192.0.2.2, an endpoint, leads into the overlay"
    )


@pytest.mark.parametrize(("name", "hook"), [(A, Hook.OUTPUT), (B, Hook.INPUT)])
def test_ciphertext_passes_the_chains_of_both_hosts(name: NodeName, hook: Hook) -> None:
    rule = Rule(verdict=Verdict.DROP, comment="odd", destination=Prefix("192.0.2.2/32"))
    chain = Chain(
        name="odd", stage=Table.FILTER, hooks=(hook,), position=Position.FIRST, rules=(rule,)
    )
    documents = change_host(
        make_documents(),
        name,
        lambda host: replace(
            host, firewall=replace(host.firewall, ipv4=(*host.firewall.ipv4, chain))
        ),
    )

    assert lost(documents, Surroundings())[1].startswith(
        f"lost: the ciphertext is dropped: odd (odd), on {name}"
    )


def test_a_host_without_its_device_understands_nothing() -> None:
    network = build_network(make_documents())
    network = replace_machines(network, [without_device(network.machines[B], WG)])
    story = send(POD_A, POD_B, network=network)

    assert ending(story) == (Fate.LOST, A, "lost: node-b has no wormhole-wg0")


def test_a_peer_of_no_document_is_nobody() -> None:
    documents = make_documents()
    documents = replace(
        documents, hosts={name: host for name, host in documents.hosts.items() if name != B}
    )

    assert lost(documents) == (Fate.LOST, "lost: there is no host node-b")


def test_a_packet_that_goes_round_in_circles_ends_after_64_hops() -> None:
    """Each believes the other about every address, and sends it everything."""
    documents = allow(make_documents(nodes=2), A, "10.244.0.0/16")
    network = build_network(allow(documents, B, "10.244.0.0/16"))
    story = send("10.244.7.7", "10.244.9.9", entry=Entry.PEER, peer=B, network=network)

    assert ending(story) == (Fate.DROPPED, A, "dropped: 64 hops, in circles")


def test_an_endpoint_may_be_ipv6() -> None:
    documents = make_documents()
    for name, number in ((A, 1), (B, 2)):
        documents = change_peer(documents, name, endpoint=Endpoint(f"[2001:db8::{number}]:9806"))

    assert send(POD_A, POD_B, documents=documents).fate is Fate.DELIVERED


def test_two_peers_with_one_endpoint_are_found_by_neither() -> None:
    documents = make_documents()
    shared = change_peer(documents, B, endpoint=documents.mesh.peer_groups["mesh"][C].endpoint)
    story = send(POD_A, POD_B, documents=shared)

    assert story.fate is Fate.LOST
    assert story.steps[-1].decision == (
        "lost: it goes to 192.0.2.3, port 9806, and so does node-c's: "
        "it must speak first (no keepalive)"
    )
