"""What no packet can be followed through is told, and then nothing is proven."""

from pathlib import Path
from typing import Any

import pytest
from faults import seed

from review.proof.prove import prove
from schemas.problems import spell_path
from schemas.state import Documents
from wormhole.files.statefolder import read_hosts, read_mesh

HOST = "hosts/node-b.json"
BRIDGE = "/cni/config/plugins/0"
RANGE = f"{BRIDGE}/ipam/ranges/0/0"
UNKNOWN = "what this setting does to packets is not known here"
STRANGE = "what this does to pods is not known here"
DEVICE = "documents do not say what this device is, so who is behind it is not known"
EMPTY = "gives pods no addresses: it must begin and end inside its subnet, with its gateway"
SPELT = "must be an IP prefix and addresses, as documents spell them"
FIELDS = "must have gateway, rangeEnd, rangeStart and subnet, and nothing else"
UNLOADABLE = "no host can load this: iptables"
RULE = {"verdict": "return", "comment": "by hand"}


def put(path: str, value: object, file: str = HOST) -> dict[str, list[dict[str, object]]]:
    return {file: [{"op": "add", "path": path, "value": value}]}


def read(edits: dict[str, Any], folder: Path) -> Documents:
    seed({"edits": edits}, folder)
    return Documents(mesh=read_mesh(folder), hosts={one.name: one for one in read_hosts(folder)})


def find(edits: dict[str, Any], folder: Path) -> list[str]:
    found = prove(read(edits, folder)).unfollowed
    return [f"{spell_path(each.place.path)}: {each.fault}" for each in found]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        (
            put("/sysctls/net.ipv4.ip_forward", "00"),
            'sysctls["net.ipv4.ip_forward"]: must be 0 or 1 to be understood',
        ),
        (
            put("/sysctls/net.ipv4.conf.wormhole-br0.forwarding", "0"),
            f'sysctls["net.ipv4.conf.wormhole-br0.forwarding"]: {UNKNOWN}',
        ),
        (
            put("/sysctls/net.ipv6.conf.all.disable_ipv6", "1"),
            f'sysctls["net.ipv6.conf.all.disable_ipv6"]: {UNKNOWN}',
        ),
        (
            put("/bridge/interface", "all"),
            "bridge.interface: no device of ours can have this name",
        ),
        (
            put("/wireguard/interface", "underlay"),
            "wireguard.interface: stands here for every other device: choose another name",
        ),
        (
            put("/firewall/ipv4/2/rules/0", RULE | {"input": "eth0"}),
            f"firewall.ipv4[2].rules[0].input: {DEVICE}",
        ),
        (
            put("/firewall/ipv6/0/rules/0", RULE | {"output": "eth0"}),
            f"firewall.ipv6[0].rules[0].output: {DEVICE}",
        ),
        (
            put("/firewall/ipv4/4/hooks/1", "forward"),
            f"firewall.ipv4[4].hooks: {UNLOADABLE}: the nat table has no such hook",
        ),
        (
            put("/firewall/ipv4/4/rules/0", {"verdict": "drop", "comment": "by hand"}),
            f"firewall.ipv4[4].rules[0].verdict: {UNLOADABLE}: the nat table cannot drop",
        ),
        (
            put(f"{BRIDGE}/bridge", "docker0"),
            "cni.config.plugins[0].bridge: must be 'wormhole-br0' for packets to be followed",
        ),
        (
            put(f"{BRIDGE}/type", "macvlan"),
            "cni.config.plugins[0].type: must be 'bridge' for packets to be followed",
        ),
        (
            put(f"{BRIDGE}/ipMasq", True),  # noqa: FBT003 - a value of JSON
            "cni.config.plugins[0].ipMasq: must be false for packets to be followed",
        ),
        (
            put(f"{BRIDGE}/isGateway", 1),
            "cni.config.plugins[0].isGateway: must be true for packets to be followed",
        ),
        (
            put("/cni/config/loadOnlyInlinedPlugins", False),  # noqa: FBT003 - a value of JSON
            f"cni.config.loadOnlyInlinedPlugins: {STRANGE}",
        ),
        (put(f"{BRIDGE}/vlan", 7), f"cni.config.plugins[0].vlan: {STRANGE}"),
        (
            put(f"{BRIDGE}/mtu", -5),
            "cni.config.plugins[0].mtu: must be a number of bytes, at most 65535",
        ),
        (put("/cni/config/plugins/2", {"type": "vrf"}), f"cni.config.plugins[2]: {STRANGE}"),
        (
            put(f"{BRIDGE}/ipam/type", "dhcp"),
            "cni.config.plugins[0].ipam.type: must be 'host-local' for packets to be followed",
        ),
        (
            put(f"{BRIDGE}/ipam/subnet", "10.244.9.0/24"),
            f"cni.config.plugins[0].ipam.subnet: {STRANGE}",
        ),
        (
            put(f"{BRIDGE}/ipam/routes/0/gw", "10.244.1.77"),
            "cni.config.plugins[0].ipam.routes[0]: must be a destination alone, such as 0.0.0.0/0",
        ),
        (
            put(f"{BRIDGE}/ipam/ranges", []),
            "cni.config.plugins[0].ipam.ranges: gives pods no addresses",
        ),
        (
            put(f"{RANGE}/rangeStart", "10.244.1.255"),
            f"cni.config.plugins[0].ipam.ranges[0][0]: {EMPTY}",
        ),
        (
            put(f"{RANGE}/rangeStart", "010.244.1.10"),
            f"cni.config.plugins[0].ipam.ranges[0][0]: {SPELT}",
        ),
        (
            {HOST: [{"op": "remove", "path": f"{RANGE}/rangeStart"}]},
            f"cni.config.plugins[0].ipam.ranges[0][0]: {FIELDS}",
        ),
    ],
)
def test_what_cannot_be_followed_is_told(
    edits: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    assert expected == find(edits, tmp_path)[0]


@pytest.mark.parametrize(
    "edits",
    [
        {},
        put("/sysctls/net.ipv4.conf.all.rp_filter", "2"),
        put(f"{BRIDGE}/hairpinMode", False),  # noqa: FBT003 - a value of JSON
        put("/firewall/ipv4/2/rules/0", RULE | {"input": "lo"}),
    ],
)
def test_what_the_model_knows_is_followed(edits: dict[str, Any], tmp_path: Path) -> None:
    assert find(edits, tmp_path) == []


def test_a_host_that_meets_a_peer_twice_is_told_of(tmp_path: Path) -> None:
    peer = {"publicKey": "X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k=", "allowedIPs": ["::/0"]}
    groups = put("/peerGroups/other", {"node-a": peer}, "mesh.json")
    joined = put("/wireguard/peerGroups/1", "other")
    expected = ["wireguard.peerGroups[1]: peer 'node-a' is in another one too"]
    assert expected == find(groups | joined, tmp_path)


def test_what_takes_too_many_packets_is_told_for_each_claim(tmp_path: Path) -> None:
    documents = read({}, tmp_path)
    ended = "ended after 100 packets or 2,000 counter-examples"
    claims = ("overlay-leaves-in-clear", "source-can-be-forged", "pods-not-reached")
    expected = [f"too much to walk for {claim}, with 1 class of hosts: {ended}" for claim in claims]
    proof = prove(documents, packets=100)
    assert (expected, 300) == ([each.fault for each in proof.unfollowed], proof.packets)
    assert prove(documents).unfollowed == ()


def test_a_host_with_too_many_rules_is_told_before_its_questions_are_made(tmp_path: Path) -> None:
    rules = [RULE | {"source": f"172.16.{n // 256}.{n % 256}/32"} for n in range(4000)]
    routes = [
        {"destination": f"172.17.{n}.0/24", "type": "unreachable", "metric": 4_294_967_295}
        for n in range(200)
    ]
    edits = [{"op": "add", "path": "/firewall/ipv4/2/rules/9", "value": rule} for rule in rules]
    edits += [{"op": "add", "path": "/routes/4", "value": route} for route in routes]
    proof = prove(read({HOST: edits}, tmp_path), packets=1000)
    assert "too much to walk for overlay-leaves-in-clear, " in proof.unfollowed[0].fault
