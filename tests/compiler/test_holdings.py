from msgspec.structs import replace

from compiler.compile import compile_host
from compiler.holdings import Holdings, list_incumbents
from compiler.inventory import Inventory, Mesh, Node
from compiler.networks import parse_network
from compiler.node import Member
from compiler.unfold import Object
from schemas.resolve import resolve
from schemas.state import Peer, ResolvedHost
from schemas.values import Endpoint, InterfaceAddress, NodeName, Prefix, PublicKey

KEY = PublicKey("zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=")
OTHER = PublicKey("arnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA=")


def a_node(name: str, key: PublicKey, *cidrs: str) -> Node:
    return Node(
        name=NodeName(name),
        public_key=key,
        pod_cidrs=tuple(map(Prefix, cidrs)),
        endpoint=Endpoint("192.0.2.1:9806"),
        listen_port=9806,
        underlay_mtu=1500,
        persistent_keepalive=0,
    )


def applied() -> ResolvedHost:
    overlay = (Prefix("10.244.0.0/16"), Prefix("fd00:244::/48"))
    nodes = (
        a_node("node-a", KEY, "10.244.1.0/24", "fd00:244:0:1::/64"),
        a_node("node-b", OTHER, "10.244.2.0/25"),
    )
    inventory = Inventory(mesh=Mesh(name="demo", overlay_cidrs=overlay), nodes=nodes)
    return resolve(*compile_host(inventory, NodeName("node-a")))


def member(name: str, key: PublicKey) -> Member:
    entry = Object(value={}, source=0, path=(), line=0, kind="MeshNode", name=name)
    return Member(
        object=entry,
        public_key=key,
        networks=(),
        reach=None,
        listen_port=9806,
        underlay_mtu=1500,
        persistent_keepalive=0,
        complaints=(),
    )


def test_host_that_never_converged_knows_nobody() -> None:
    assert list_incumbents(None) == {}


def test_host_knows_its_peers_and_its_own_prefixes() -> None:
    found = list_incumbents(applied())
    assert {name: each.allowed_ips for name, each in found.items()} == {
        "node-a": ("10.244.1.0/24", "fd00:244:0:1::/64"),
        "node-b": ("10.244.2.0/25",),
    }
    assert {name: each.endpoint for name, each in found.items()} == {
        "node-a": None,
        "node-b": "192.0.2.1:9806",
    }
    assert {name: each.public_key for name, each in found.items()} == {
        "node-a": KEY,
        "node-b": OTHER,
    }


def test_memory_that_makes_no_sense_is_none() -> None:
    known = applied()
    bridge = replace(known.host.bridge, addresses=(InterfaceAddress("nonsense"),))
    spoilt = replace(known, host=replace(known.host, bridge=bridge), peers={})
    assert list_incumbents(spoilt)[NodeName("node-a")].allowed_ips == ()
    peer = Peer(public_key=KEY, allowed_ips=(Prefix("nonsense"), Prefix("10.244.1.0/24")))
    holdings = Holdings({NodeName("node-a"): peer})
    assert holdings.has_network(member("node-a", KEY), parse_network("10.244.1.0/25"))


def test_only_the_same_name_with_the_same_key_had_it() -> None:
    holdings = Holdings(list_incumbents(applied()))
    network = parse_network("10.244.1.128/25")
    for name, key, had in (
        ("node-a", KEY, True),
        ("node-a", OTHER, False),
        ("node-b", OTHER, False),
        ("node-c", KEY, False),
    ):
        assert holdings.has_network(member(name, key), network) is had
    assert holdings.has_key(member("node-b", OTHER))
    assert not holdings.has_key(member("node-b", KEY))
    assert not holdings.has_network(member("node-a", KEY), parse_network("10.244.0.0/16"))
