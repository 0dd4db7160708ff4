"""What holds for the documents of every inventory."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from inventories import inventories
from msgspec.structs import replace

from compiler.compile import compile_host, compile_mesh
from compiler.inventory import Inventory, Node
from compiler.topology import tunnel_overhead
from schemas.check import check_state
from schemas.document import dump, host_file_name, load_host, load_mesh, load_resolved
from schemas.marks import WORST_METRIC
from schemas.resolve import resolve
from schemas.state import (
    Chain,
    HostState,
    Position,
    Route,
    RouteType,
    Rule,
    Stage,
    Verdict,
)
from schemas.values import Prefix, is_ipv6

pytestmark = pytest.mark.law

law = settings(max_examples=40, deadline=None)
"""Without a deadline: a busy machine is no counterexample."""


def write(inventory: Inventory) -> dict[str, bytes]:
    documents = compile_mesh(inventory)
    hosts = {f"hosts/{host_file_name(name)}": dump(host) for name, host in documents.hosts.items()}
    return {"mesh.json": dump(documents.mesh), **hosts}


@law
@given(inventories())
def test_loading_what_was_dumped_gives_the_same_value(inventory: Inventory) -> None:
    documents = compile_mesh(inventory)
    assert documents.mesh == load_mesh(dump(documents.mesh), "mesh.json")
    for host in documents.hosts.values():
        assert host == load_host(dump(host), "host.json")
        resolved = resolve(documents.mesh, host)
        assert resolved == load_resolved(dump(resolved), "resolved.json")


@law
@given(inventories(), st.randoms(use_true_random=False))
def test_any_order_of_input_gives_the_same_bytes(inventory: Inventory, random: Random) -> None:
    def shuffle(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(items, len(items)))

    mesh, nodes = inventory.mesh, inventory.nodes
    shuffled = Inventory(
        mesh=replace(
            mesh,
            overlay_cidrs=shuffle(mesh.overlay_cidrs),
            non_masquerade_cidrs=shuffle(mesh.non_masquerade_cidrs),
        ),
        nodes=tuple(replace(node, pod_cidrs=shuffle(node.pod_cidrs)) for node in shuffle(nodes)),
    )
    assert write(inventory) == write(shuffled)


@law
@given(inventories(min_nodes=2), st.data())
def test_adding_a_node_changes_one_entry_and_adds_one_file(
    inventory: Inventory, data: st.DataObject
) -> None:
    added = data.draw(st.sampled_from(inventory.nodes))
    others = tuple(node for node in inventory.nodes if node is not added)
    assume(_overhead(others) == _overhead(inventory.nodes))

    before, after = write(replace(inventory, nodes=others)), write(inventory)
    own_file = f"hosts/{host_file_name(added.name)}"
    assert {own_file} == after.keys() - before.keys()
    assert {"mesh.json"} == {name for name in before if before[name] != after[name]}

    mesh = json.loads(after["mesh.json"])
    entry = mesh["peerGroups"]["mesh"].pop(added.name)
    assert added.public_key == entry["publicKey"]
    assert json.loads(before["mesh.json"]) == mesh


@law
@given(inventories())
def test_compiling_one_host_gives_its_file_of_the_whole(inventory: Inventory) -> None:
    documents = compile_mesh(inventory)
    for name, host in documents.hosts.items():
        assert (documents.mesh, host) == compile_host(inventory, name)


@law
@given(inventories())
def test_what_is_compiled_passes_its_own_check(inventory: Inventory) -> None:
    documents = compile_mesh(inventory)
    assert check_state(documents.mesh, documents.hosts.values()) == ()


@law
@given(inventories())
def test_no_document_holds_anything_like_a_secret(inventory: Inventory) -> None:
    public = {node.public_key for node in inventory.nodes}
    for content in write(inventory).values():
        text = content.decode()
        assert public >= set(re.findall(r"[A-Za-z0-9+/]{43}=", text))
        named = re.findall(r'"([^"]*(?:private|secret|psk|preshared)[^"]*)":', text, re.IGNORECASE)
        assert {"presharedKeyEpoch"} >= set(named)


@law
@given(inventories())
def test_every_overlay_prefix_has_its_guards(inventory: Inventory) -> None:
    overlay = set(inventory.mesh.overlay_cidrs)
    for host in compile_mesh(inventory).hosts.values():
        guards = [route for route in host.routes if route.type is RouteType.UNREACHABLE]
        assert overlay == {route.destination for route in guards}
        assert all(route.device is None and route.metric == WORST_METRIC for route in guards)
        tunnelled = [route for route in host.routes if route.type is RouteType.UNICAST]
        assert overlay == {route.destination for route in tunnelled}
        assert all(_is_tunnel_route(host, route) for route in tunnelled)

        guard = [chain for chain in _chains(host) if chain.name == "guard"]
        assert overlay == {
            rule.destination
            for chain in guard
            for rule in chain.rules
            if rule == _bare_drop(rule.destination, rule.comment)
        }
        assert {(Stage.MANGLE, Position.FIRST)} == {(c.stage, c.position) for c in guard}


@law
@given(inventories())
def test_a_guard_lets_out_only_by_the_tunnel_or_to_local_pods(inventory: Inventory) -> None:
    for node in inventory.nodes:
        host = compile_host(inventory, node.name)[1]
        for chain in _chains(host):
            if chain.name != "guard":
                continue
            for rule in chain.rules:
                if rule.verdict is Verdict.DROP:
                    continue
                to_the_tunnel = rule.output in (host.wireguard.interface, "lo")
                to_a_local_pod = (
                    rule.output == host.bridge.interface and rule.destination in node.pod_cidrs
                )
                assert to_the_tunnel or to_a_local_pod


@law
@given(inventories())
def test_the_hosts_own_addresses_are_never_given_to_pods(inventory: Inventory) -> None:
    for host in compile_mesh(inventory).hosts.values():
        addresses = [
            ip_interface(text).ip for text in (*host.wireguard.addresses, *host.bridge.addresses)
        ]
        for given_range in _pod_ranges(host):
            first = ip_address(given_range["rangeStart"])
            last = ip_address(given_range["rangeEnd"])
            subnet = ip_network(given_range["subnet"])
            assert first in subnet
            assert last in subnet
            assert int(first) <= int(last)
            assert first.version == 6 or last != subnet.broadcast_address
            own = [address for address in addresses if address in subnet]
            assert len(own) == 2
            assert all(int(address) < int(first) for address in own)


@law
@given(inventories())
def test_no_chain_or_address_is_of_a_family_that_the_overlay_does_not_use(
    inventory: Inventory,
) -> None:
    families = {is_ipv6(prefix) for prefix in inventory.mesh.overlay_cidrs}
    for host in compile_mesh(inventory).hosts.values():
        assert bool(host.firewall.ipv4) is (False in families)
        assert bool(host.firewall.ipv6) is (True in families)
        assert len(families) == len(host.sysctls)
        for ipv6, chains in ((False, host.firewall.ipv4), (True, host.firewall.ipv6)):
            assert all(ipv6 is is_ipv6(prefix) for prefix in _prefixes(chains))


@law
@given(inventories())
def test_every_reason_can_be_read_in_any_tool(inventory: Inventory) -> None:
    for host in compile_mesh(inventory).hosts.values():
        for chain in _chains(host):
            for rule in chain.rules:
                assert re.fullmatch(r"[A-Za-z0-9 ,.:;()/_-]{1,60}", rule.comment)


@law
@given(inventories())
def test_a_host_sees_everybody_but_itself(inventory: Inventory) -> None:
    documents = compile_mesh(inventory)
    for name, host in documents.hosts.items():
        resolved = resolve(documents.mesh, host)
        assert list(resolved.peers) == sorted(documents.hosts.keys() - {name})


def _overhead(nodes: tuple[Node, ...]) -> int:
    return tunnel_overhead(node.endpoint for node in nodes)


def _chains(host: HostState) -> tuple[Chain, ...]:
    return host.firewall.ipv4 + host.firewall.ipv6


def _prefixes(chains: tuple[Chain, ...]) -> Iterator[Prefix]:
    for chain in chains:
        for rule in chain.rules:
            yield from (prefix for prefix in (rule.source, rule.destination) if prefix)


def _is_tunnel_route(host: HostState, route: Route) -> bool:
    return route.device == host.wireguard.interface and route.metric < WORST_METRIC


def _bare_drop(destination: Prefix | None, comment: str) -> Rule:
    return Rule(verdict=Verdict.DROP, destination=destination, comment=comment)


def _pod_ranges(host: HostState) -> list[dict[str, str]]:
    config: Any = host.cni.config
    return [entry for entries in config["plugins"][0]["ipam"]["ranges"] for entry in entries]
