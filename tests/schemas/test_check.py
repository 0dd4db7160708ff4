"""States that people edited or merged: what does not fit together."""

from collections.abc import Callable
from typing import Any

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from schemas.check import check_host, check_state
from schemas.keys import NO_KEY
from schemas.state import HostState, MeshState, Peer, Rule, Verdict
from schemas.values import NodeName

DOCUMENTS = compile_mesh(
    make_inventory(
        make_mesh("10.244.0.0/16", "fd00:244::/48"),
        make_node("a", "10.244.0.0/24", "fd00:244:0:1::/64", endpoint="192.0.2.1:9806"),
        make_node("b", "10.244.1.0/24", "fd00:244:0:2::/64", endpoint="192.0.2.2:9806"),
    )
)
MESH = DOCUMENTS.mesh
HOSTS = list(DOCUMENTS.hosts.values())
A, B = HOSTS
KEY_A, KEY_B = make_key("a"), make_key("b")


def with_peer(**fields: object) -> MeshState:
    """Return the mesh with peer b changed."""
    peers: dict[NodeName, Peer] = dict(MESH.peer_groups["mesh"])
    peers[B.name] = replace(peers[B.name], **fields)
    return replace(MESH, peer_groups={"mesh": peers})


def with_wireguard(**fields: object) -> HostState:
    return replace(B, wireguard=replace(B.wireguard, **fields))


def with_bridge(**fields: object) -> HostState:
    return replace(B, bridge=replace(B.bridge, **fields))


def with_rule(**fields: object) -> HostState:
    rule = Rule(verdict=Verdict.DROP, comment="edited", **fields)  # type: ignore[arg-type] # a test names the fields
    chain = replace(B.firewall.ipv4[0], rules=(rule,))
    return replace(B, firewall=replace(B.firewall, ipv4=(chain,)))


def complaints(mesh: MeshState, *hosts: HostState) -> list[str]:
    return [str(problem) for problem in check_state(mesh, hosts)]


def test_what_the_compiler_writes_fits_together() -> None:
    assert complaints(MESH, A, B) == []


PEER_B = "mesh.json: peerGroups.mesh.b"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"public_key": KEY_A},
            [
                (
                    f"hosts/b.json: wireguard.publicKey {KEY_B!r}:"
                    f" its peers know it by another key, {KEY_A}"
                ),
                f"{PEER_B}.publicKey {KEY_A!r}: peer 'a' has the same",
            ],
        ),
        (
            {"endpoint": "192.0.2.1:9806"},
            [f"{PEER_B}.endpoint '192.0.2.1:9806': peer 'a' has the same"],
        ),
        (
            {"public_key": NO_KEY},
            [
                (
                    f"hosts/b.json: wireguard.publicKey {KEY_B!r}:"
                    f" its peers know it by another key, {NO_KEY}"
                ),
                (
                    f"{PEER_B}.publicKey {NO_KEY!r}: is all zeros, which is nobody's key:"
                    " no host can use it"
                ),
            ],
        ),
        (
            {"endpoint": "192.0.2.1:98066"},
            [f"{PEER_B}.endpoint '192.0.2.1:98066': the port must be at most 65535"],
        ),
        (
            {"endpoint": "192.0.2.300:9806"},
            [f"{PEER_B}.endpoint '192.0.2.300:9806': is not an IP address"],
        ),
        (
            {"endpoint": "[2001:db8:0::1]:9806"},
            [f"{PEER_B}.endpoint '[2001:db8:0::1]:9806': must be written 2001:db8::1"],
        ),
        (
            {"allowed_ips": ("10.244.1.0/24", "10.244.0.128/25", "fd00:244:0:2::/64")},
            [
                f"{PEER_B}.allowedIPs '10.244.0.128/25': overlaps 10.244.0.0/24 of peer 'a'",
                (
                    f"{PEER_B}.allowedIPs '10.244.1.0/24, 10.244.0.128/25, fd00:244:0:2::/64':"
                    " must be sorted by family, address, length:"
                    " 10.244.0.128/25, 10.244.1.0/24, fd00:244:0:2::/64"
                ),
            ],
        ),
        (
            {"allowed_ips": ("10.244.1.7/24", "fd00:244:0:2::/64")},
            [
                f"{PEER_B}.allowedIPs[0] '10.244.1.7/24': must be written 10.244.1.0/24",
            ],
        ),
        (
            {"allowed_ips": ("10.244.1.0/24", "fd00:244:0:2:0::/64")},
            [
                f"{PEER_B}.allowedIPs[1] 'fd00:244:0:2:0::/64': must be written fd00:244:0:2::/64",
            ],
        ),
        (
            {"allowed_ips": ("10.244.1.0/33", "fd00:244:0:2::/64")},
            [
                f"{PEER_B}.allowedIPs[0] '10.244.1.0/33': is not an IP prefix",
            ],
        ),
    ],
)
def test_peers_that_contradict_each_other_are_named(
    fields: dict[str, Any], expected: list[str]
) -> None:
    assert expected == complaints(with_peer(**fields), A, B)


def test_one_wide_prefix_overlaps_all_that_it_holds() -> None:
    mesh = with_peer(allowed_ips=("10.0.0.0/8", "10.244.1.0/24", "fd00:244:0:2::/64"))
    assert complaints(mesh, A, B) == [
        "mesh.json: peerGroups.mesh.a.allowedIPs '10.244.0.0/24': overlaps 10.0.0.0/8 of peer 'b'",
        f"{PEER_B}.allowedIPs '10.244.1.0/24': overlaps 10.0.0.0/8 of peer 'b'",
    ]


def test_a_peer_without_document_is_named() -> None:
    assert complaints(MESH, A) == [f"{PEER_B}: a peer without a document b.json"]


def test_a_host_that_is_nobodys_peer_is_named() -> None:
    peers = {A.name: MESH.peer_groups["mesh"][A.name]}
    assert complaints(replace(MESH, peer_groups={"mesh": peers}), A, B) == [
        "hosts/b.json: name 'b': no peer of this name in the groups it joins"
    ]


def test_two_documents_of_one_host_are_named() -> None:
    assert complaints(MESH, A, B, B) == ["hosts/b.json: name 'b': two documents for one host"]


V4_GUARD = "firewall.ipv4[0].rules[0]"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: replace(B, mesh="other"), "mesh 'other': the mesh document is 'demo'"),
        (
            lambda: with_wireguard(peer_groups=("mesh", "edge")),
            "wireguard.peerGroups[1] 'edge': no such peer group in mesh 'demo' (known: mesh)",
        ),
        (
            lambda: with_wireguard(addresses=("10.244.0.2/32",)),
            (
                "wireguard.addresses[0] '10.244.0.2/32':"
                " outside its own allowed IPs, 10.244.1.0/24, fd00:244:0:2::/64"
            ),
        ),
        (
            lambda: with_wireguard(addresses=("10.244.1.2",)),
            "wireguard.addresses[0] '10.244.1.2': must be written 10.244.1.2/32",
        ),
        (
            lambda: with_bridge(addresses=("10.244.1.999/24",)),
            "bridge.addresses[0] '10.244.1.999/24': is not an IP address with a length",
        ),
        (
            lambda: with_bridge(mtu=1264),
            "bridge.mtu '1264': must be at least 1280 for IPv6",
        ),
        (
            lambda: with_bridge(mtu=1500),
            "bridge.mtu '1500': must not exceed the WireGuard device's, 1440",
        ),
        (
            lambda: with_bridge(interface="wormhole-wg0"),
            "bridge.interface 'wormhole-wg0': must differ from the WireGuard device's name",
        ),
        (
            lambda: replace(B, routes=B.routes[:1]),
            (
                "routes[0] '10.244.0.0/16':"
                " needs an unreachable route of a worse metric, or it may leave in clear"
            ),
        ),
        (
            lambda: replace(B, routes=(B.routes[1], replace(B.routes[0], device="eth0"))),
            "routes[1].device 'eth0': must be the WireGuard device, 'wormhole-wg0'",
        ),
        (
            lambda: replace(B, routes=(B.routes[1], replace(B.routes[0], device=None))),
            "routes[1].device: must be the WireGuard device, 'wormhole-wg0'",
        ),
        (
            lambda: replace(B, routes=(replace(B.routes[1], device="eth0"),)),
            "routes[0].device 'eth0': an unreachable route has no device",
        ),
        (
            lambda: replace(B, routes=(B.routes[0], replace(B.routes[1], metric=5000))),
            (
                "routes[1].metric '5000': must be 4294967295:"
                " a guard is known by it, and made first and removed last"
            ),
        ),
        (
            lambda: replace(B, routes=(B.routes[1], B.routes[1])),
            "routes[1].destination '10.244.0.0/16': a second route with metric 4294967295",
        ),
        (
            lambda: replace(B, routes=(replace(B.routes[1], destination="10.244.0.1/16"),)),
            "routes[0].destination '10.244.0.1/16': must be written 10.244.0.0/16",
        ),
        (
            lambda: with_rule(source="10.244.0.1/16"),
            f"{V4_GUARD}.source '10.244.0.1/16': must be written 10.244.0.0/16",
        ),
        (
            lambda: with_rule(destination="fd00::/8"),
            f"{V4_GUARD}.destination 'fd00::/8': is not IPv4",
        ),
        (
            lambda: replace(B, firewall=replace(B.firewall, ipv4=B.firewall.ipv4[:1] * 2)),
            "firewall.ipv4[1].name 'guard': a second chain of this name",
        ),
    ],
)
def test_a_host_that_does_not_fit_is_named(make: Callable[[], HostState], expected: str) -> None:
    assert [f"hosts/b.json: {expected}"] == complaints(MESH, A, make())


def test_one_host_is_checked_without_the_documents_of_the_others() -> None:
    assert check_host(MESH, A) == ()
    shared = with_peer(endpoint="192.0.2.1:9806")
    assert [str(problem) for problem in check_host(shared, with_bridge(mtu=1500))] == [
        "hosts/b.json: bridge.mtu '1500': must not exceed the WireGuard device's, 1440",
        f"{PEER_B}.endpoint '192.0.2.1:9806': peer 'a' has the same",
    ]
