"""Hosts are sorted into one class only if no document could tell them apart."""

from typing import Any

from inventories import make_inventory, make_mesh, make_node
from msgspec import convert
from msgspec.structs import replace

from compiler.compile import compile_mesh
from review.proof.classes import HostClass, sort_into_classes
from review.proof.prove import prove
from schemas.state import Documents, HostState
from schemas.values import Endpoint, InterfaceAddress, NodeName

NAMES = tuple(NodeName(f"node-{letter}") for letter in "abcde")


def make_documents() -> Documents:
    nodes = [
        make_node(name, f"10.244.{number}.0/24", endpoint=Endpoint(f"192.0.2.{number + 1}:9806"))
        for number, name in enumerate(NAMES)
    ]
    return compile_mesh(make_inventory(make_mesh(), *nodes))


def plugins_of(host: HostState) -> tuple[dict[str, Any], dict[str, Any]]:
    bridge, portmap = convert(host.cni.config["plugins"], list[dict[str, Any]])
    return bridge, portmap


def spell_first_pod(host: HostState, text: str) -> HostState:
    """Write a text where a document says which pod address is the first."""
    bridge, portmap = plugins_of(host)
    ranges = [[bridge["ipam"]["ranges"][0][0] | {"rangeStart": text}]]
    plugins = [bridge | {"ipam": bridge["ipam"] | {"ranges": ranges}}, portmap]
    return replace(host, cni=replace(host.cni, config=host.cni.config | {"plugins": plugins}))


def test_no_text_passes_for_an_address_of_the_host_s_own() -> None:
    documents = make_documents()
    assert (HostClass(names=NAMES),) == sort_into_classes(documents)
    last = NAMES[-1]
    forged = documents.hosts | {last: spell_first_pod(documents.hosts[last], "<0+10/>")}
    documents = replace(documents, hosts=forged)
    assert [NAMES[:-1], (last,)] == [each.names for each in sort_into_classes(documents)]


def test_pods_of_a_family_that_the_overlay_lacks_are_walked_too() -> None:
    documents = make_documents()
    first = NAMES[0]
    host = documents.hosts[first]
    given = {"subnet": "fd00::/64", "gateway": "fd00::1"}
    given |= {"rangeStart": "fd00::a", "rangeEnd": "fd00::ff"}
    bridge, portmap = plugins_of(host)
    ipam = bridge["ipam"] | {"ranges": [*bridge["ipam"]["ranges"], [given]]}
    ipam |= {"routes": [*ipam["routes"], {"dst": "::/0"}]}
    config = host.cni.config | {"plugins": [bridge | {"ipam": ipam}, portmap]}
    bridged = replace(
        host.bridge, addresses=(*host.bridge.addresses, InterfaceAddress("fd00::1/64"))
    )
    host = replace(host, bridge=bridged, cni=replace(host.cni, config=config))
    proof = prove(replace(documents, hosts=documents.hosts | {first: host}))
    assert proof.families == ("IPv4", "IPv6")
    assert {each.place.file for each in proof.counterexamples} == {"hosts/node-a.json"}
