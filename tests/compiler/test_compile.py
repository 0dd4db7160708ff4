"""An inventory to documents: what each part of a host's document says."""

from typing import Any

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node

from compiler.bridge import bridge_mac
from compiler.compile import compile_host, compile_mesh
from schemas.problems import Problems
from schemas.state import Bridge, Route, RouteType, WireGuard
from schemas.values import InterfaceAddress, InterfaceName, NodeName, Prefix

WG = InterfaceName("wormhole-wg0")
BR = InterfaceName("wormhole-br0")

MESH = make_mesh("10.244.0.0/16", "fd00:244::/48", preshared_key_epoch="2026-11")
A = make_node("a", "fd00:244:0:1::/64", "10.244.0.0/24", persistent_keepalive=25, listen_port=1234)
B = make_node("b", "10.244.1.0/24", underlay_mtu=1420)
DOCUMENTS = compile_mesh(make_inventory(MESH, B, A))
HOST = DOCUMENTS.hosts[A.name]


def test_there_is_a_document_for_each_node_sorted_by_name() -> None:
    assert list(DOCUMENTS.hosts) == ["a", "b"]
    assert list(DOCUMENTS.mesh.peer_groups["mesh"]) == ["a", "b"]


def test_a_device_has_the_nodes_own_key_port_and_addresses() -> None:
    expected = WireGuard(
        interface=WG,
        public_key=make_key("a"),
        listen_port=1234,
        mtu=1440,
        addresses=(InterfaceAddress("10.244.0.2/32"), InterfaceAddress("fd00:244:0:1::2/128")),
        peer_groups=("mesh",),
        persistent_keepalive=25,
        preshared_key_epoch="2026-11",
    )
    assert expected == HOST.wireguard


def test_a_bridge_is_the_gateway_of_each_pod_cidr() -> None:
    expected = Bridge(
        interface=BR,
        mac="02:c3:fe:c0:13:5e",
        mtu=1440,
        addresses=(InterfaceAddress("10.244.0.1/24"), InterfaceAddress("fd00:244:0:1::1/64")),
    )
    assert expected == HOST.bridge


def test_a_smaller_underlay_is_the_nodes_own_affair() -> None:
    host = DOCUMENTS.hosts[B.name]
    config: Any = host.cni.config
    assert {1360} == {host.wireguard.mtu, host.bridge.mtu, config["plugins"][0]["mtu"]}


def test_a_bridges_mac_depends_on_both_names_and_is_locally_administered() -> None:
    macs = {bridge_mac(mesh, NodeName(node)) for mesh in ("m", "n") for node in ("a", "b")}
    assert len(macs) == 4
    assert all(mac.startswith("02:") and len(mac) == 17 for mac in macs)


def test_each_overlay_prefix_leads_into_the_tunnel_or_nowhere() -> None:
    expected = tuple(
        route
        for prefix in (Prefix("10.244.0.0/16"), Prefix("fd00:244::/48"))
        for route in (
            Route(destination=prefix, type=RouteType.UNICAST, metric=1024, device=WG),
            Route(destination=prefix, type=RouteType.UNREACHABLE, metric=4294967295),
        )
    )
    assert expected == HOST.routes


@pytest.mark.parametrize(
    ("overlay", "sysctls"),
    [
        (["10.244.0.0/16"], {"net.ipv4.ip_forward": "1"}),
        (["fd00:244::/48"], {"net.ipv6.conf.all.forwarding": "1"}),
        (
            ["fd00:244::/48", "10.244.0.0/16"],
            {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"},
        ),
    ],
)
def test_forwarding_is_asked_for_in_the_families_of_the_overlay(
    overlay: list[str], sysctls: dict[str, str]
) -> None:
    inventory = make_inventory(make_mesh(*overlay), make_node("a", overlay[0]))
    assert sysctls == compile_mesh(inventory).hosts[NodeName("a")].sysctls


def test_the_cni_file_plugs_pods_into_the_bridge() -> None:
    expected = {
        "cniVersion": "1.0.0",
        "name": "wormhole",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "wormhole-br0",
                "mtu": 1440,
                "isGateway": True,
                "hairpinMode": True,
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [
                        [
                            {
                                "subnet": "10.244.0.0/24",
                                "rangeStart": "10.244.0.10",
                                "rangeEnd": "10.244.0.254",
                                "gateway": "10.244.0.1",
                            }
                        ],
                        [
                            {
                                "subnet": "fd00:244:0:1::/64",
                                "rangeStart": "fd00:244:0:1::a",
                                "rangeEnd": "fd00:244:0:1:ffff:ffff:ffff:ffff",
                                "gateway": "fd00:244:0:1::1",
                            }
                        ],
                    ],
                    "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    assert HOST.cni.file_name == "10-wormhole.conflist"
    assert expected == HOST.cni.config


def test_several_pod_cidrs_of_a_family_are_alternatives_in_one_set() -> None:
    node = make_node("a", "10.244.8.0/24", "fd00:244::/64", "10.244.0.0/24")
    config: Any = compile_mesh(make_inventory(MESH, node)).hosts[node.name].cni.config
    ranges = config["plugins"][0]["ipam"]["ranges"]
    assert [[entry["subnet"] for entry in entries] for entries in ranges] == [
        ["10.244.0.0/24", "10.244.8.0/24"],
        ["fd00:244::/64"],
    ]


def test_a_host_without_a_family_gets_no_pod_range_and_no_default_route_of_it() -> None:
    config: Any = DOCUMENTS.hosts[B.name].cni.config
    ipam = config["plugins"][0]["ipam"]
    assert len(ipam["ranges"]) == 1
    assert ipam["routes"] == [{"dst": "0.0.0.0/0"}]


def test_one_host_is_compiled_as_with_all_others() -> None:
    inventory = make_inventory(MESH, A, B)
    assert (DOCUMENTS.mesh, HOST) == compile_host(inventory, A.name)


def test_compiling_an_unknown_host_says_so() -> None:
    with pytest.raises(Problems) as caught:
        compile_host(make_inventory(MESH, A, B), NodeName("c"))
    assert str(caught.value) == "MeshNode/c: no such node in mesh 'demo', which has 2"
