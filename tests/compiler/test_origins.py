"""Every place of every document has its rule, and every rule is a function's that there is."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from compiler.origins.cni_reasons import CNI_REASONS
from compiler.origins.firewall_reasons import _CHAINS, _KINDS, FIREWALL_REASONS
from compiler.origins.host_reasons import HOST_REASONS
from compiler.origins.mesh_reasons import MESH_REASONS
from compiler.origins.origin import Origin, Origins
from compiler.origins.registry import find_reason, may_be_absent
from compiler.source import Source

CLUSTERS = Path(__file__).parents[2] / "fixtures" / "clusters"
CASES = sorted(path.name for path in CLUSTERS.iterdir())
TABLES = {**HOST_REASONS, **CNI_REASONS, **FIREWALL_REASONS}
OPTIONAL = {
    "wireguard.persistentKeepalive",
    "wireguard.presharedKeyEpoch",
    "firewall.ipv4",
    "firewall.ipv6",
}

Steps = tuple[str | int, ...]


def read_origins(case: str) -> Origins:
    paths = sorted(
        each for each in (CLUSTERS / case).iterdir() if each.suffix in (".yaml", ".json")
    )
    return Origins([Source(name=each.name, text=each.read_text("utf-8")) for each in paths])


def places_of(value: object, path: Steps = ()) -> Iterator[Steps]:
    yield path
    if isinstance(value, dict):
        for step, inner in value.items():
            yield from places_of(inner, (*path, step))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places_of(inner, (*path, index))


@pytest.mark.parametrize("case", CASES)
def test_every_place_has_its_rule_and_its_function(case: str) -> None:
    origins = read_origins(case)
    for file in origins.files:
        for path in places_of(origins.read(file)):
            reason = find_reason(origins.read(file), path)
            assert reason is not None, (file, path)
            module, _, function = reason.made_by.partition(".py: ")
            assert callable(getattr(import_module(module.replace("/", ".")), function))


@pytest.mark.parametrize("case", CASES)
def test_what_is_explained_is_what_is_compiled(case: str) -> None:
    origins = read_origins(case)
    for file in origins.files:
        expected = json.loads((CLUSTERS / case / "expected" / file).read_bytes())
        assert origins.read(file) == expected


def test_every_rule_of_the_tables_is_in_some_fixture() -> None:
    used, kinds = set(), set()
    for case in CASES:
        origins = read_origins(case)
        for file in origins.files:
            document = origins.read(file)
            reasons = (find_reason(document, path) for path in places_of(document))
            used |= {id(reason) for reason in reasons}
            for family in ("ipv4", "ipv6"):
                for chain in document.get("firewall", {}).get(family, ()):
                    kinds |= {(chain["name"], rule["comment"]) for rule in chain["rules"]}
    tables = {**TABLES, **{f"mesh.json {key}": value for key, value in MESH_REASONS.items()}}
    assert {key for key, reason in tables.items() if id(reason) not in used} == set()
    assert {*_KINDS} == kinds
    assert {chain for chain, _ in kinds} == {*_CHAINS}


def test_every_rule_is_said_in_whole_sentences() -> None:
    said = [reason.says for reason in (*TABLES.values(), *MESH_REASONS.values())]
    said += [kind.says for kind in _KINDS.values()]
    assert [text for text in said if not (text[0].isupper() or text.startswith("host-local"))] == []
    assert [text for text in said if not text.endswith(".") or "  " in text] == []


def test_the_places_of_a_fixed_name_may_be_absent_and_no_others() -> None:
    host = {"kind": "HostState"}
    for path in OPTIONAL:
        assert may_be_absent(host, tuple(path.split(".")))
    assert not may_be_absent(host, ("sysctls", "net.ipv4.tcp_syncookies"))
    assert not may_be_absent(host, ("wireguard", "addresses", 7))
    assert not may_be_absent(host, ())
    assert not may_be_absent({"kind": "MeshState"}, ("peerGroups", "mesh", "node-z"))


def find(case: str, file: str, *path: str | int) -> list[str]:
    return [describe(each) for each in read_origins(case).find(file, path)]


def describe(origin: Origin) -> str:
    return f"{origin.file}:{origin.line} {origin.object} {origin.path} {origin.how} {origin.value}"


def test_a_port_that_nobody_writes_comes_from_three_places() -> None:
    assert find("two-nodes", "mesh.json", "peerGroups", "mesh", "node-b", "endpoint") == [
        "cluster.yaml:21 MeshNode/node-b spec.endpoint written 192.0.2.2",
        "cluster.yaml:19 MeshNode/node-b spec.listenPort silent ",
        "cluster.yaml:5 Mesh/demo spec.listenPort default 9806",
    ]


def test_a_port_that_is_written_comes_from_the_endpoint_alone() -> None:
    assert find("two-nodes", "mesh.json", "peerGroups", "mesh", "node-a", "endpoint") == [
        "cluster.yaml:13 MeshNode/node-a spec.endpoint written 192.0.2.1:9806",
    ]


def test_where_the_meshnode_is_silent_the_nodes_field_is_named() -> None:
    path = ("peerGroups", "mesh", "worker-1", "allowedIPs", 0)
    assert find("kubectl-nodes", "mesh.json", *path) == [
        "meshnodes.yaml:11 MeshNode/worker-1 spec.podCIDRs silent ",
        "nodes.yaml:105 Node/worker-1 spec.podCIDRs[0] written 10.244.1.0/24",
    ]


def test_the_compilers_own_comes_from_nowhere() -> None:
    assert find("two-nodes", "hosts/node-a.json", "cni", "config", "name") == []


def test_an_mtu_is_reckoned_with_the_inventorys_numbers() -> None:
    reckoned = read_origins("two-nodes").reckon("hosts/node-a.json", ("wireguard", "mtu"))
    assert reckoned == "1500 - 60 = 1440, a multiple of 16"


def test_an_address_is_reckoned_from_its_pod_cidr() -> None:
    reckoned = read_origins("two-nodes").reckon("hosts/node-a.json", ("bridge", "addresses", 0))
    assert reckoned == (
        "of 10.244.0.0/24: 10.244.0.1/24 for the bridge, 10.244.0.2/32 for the tunnel,"
        " 10.244.0.10 to 10.244.0.254 for pods"
    )
