"""Documents to bytes and back; every way in which they can be wrong."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node

from compiler.compile import compile_mesh
from schemas.document import digest, dump, host_file_name, load_host, load_mesh, load_resolved
from schemas.problems import Problems
from schemas.resolve import resolve
from schemas.state import API_VERSION, MeshState, Peer
from schemas.values import Endpoint, NodeName, Prefix

MESH = MeshState(
    api_version=API_VERSION,
    name="demo",
    peer_groups={
        "mesh": {
            NodeName("node-b"): Peer(
                public_key=make_key("b"),
                allowed_ips=(Prefix("10.244.1.0/24"), Prefix("fd00:244:0:1::/64")),
            ),
            NodeName("node-a"): Peer(
                public_key=make_key("a"),
                allowed_ips=(Prefix("10.244.0.0/24"),),
                endpoint=Endpoint("192.0.2.1:9806"),
            ),
        }
    },
)

MESH_TEXT = """\
{
  "apiVersion": "wormhole.dev/v1alpha1",
  "kind": "MeshState",
  "name": "demo",
  "peerGroups": {
    "mesh": {
      "node-a": {
        "allowedIPs": [
          "10.244.0.0/24"
        ],
        "endpoint": "192.0.2.1:9806",
        "publicKey": "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="
      },
      "node-b": {
        "allowedIPs": [
          "10.244.1.0/24",
          "fd00:244:0:1::/64"
        ],
        "publicKey": "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0="
      }
    }
  }
}
"""


def complaints(content: str | bytes, load: Callable[[bytes, str], object] = load_mesh) -> list[str]:
    with pytest.raises(Problems) as caught:
        load(content.encode() if isinstance(content, str) else content, "state.json")
    return [str(problem) for problem in caught.value.problems]


def test_a_document_has_one_spelling() -> None:
    assert MESH_TEXT.encode() == dump(MESH)


def test_a_document_loads_as_what_was_dumped() -> None:
    assert load_mesh(MESH_TEXT.encode(), "mesh.json") == MESH


def test_hand_made_spacing_and_order_do_not_matter() -> None:
    reordered = json.dumps(dict(reversed(json.loads(MESH_TEXT).items())))
    assert load_mesh(reordered.encode(), "mesh.json") == MESH


def test_a_digest_is_of_the_canonical_bytes() -> None:
    assert digest(MESH) == sha256(MESH_TEXT.encode()).hexdigest()


def test_hosts_and_resolved_hosts_load_too() -> None:
    node = make_node("node-a", "10.244.0.0/24")
    documents = compile_mesh(make_inventory(make_mesh(), node))
    host = documents.hosts[node.name]
    resolved = resolve(documents.mesh, host)
    assert load_host(dump(host), "host.json") == host
    assert load_resolved(dump(resolved), "resolved.json") == resolved


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "state.json: empty: expected a JSON document"),
        (" \n", "state.json: empty: expected a JSON document"),
        ("[]", "state.json: must be a MeshState document, not a bare value"),
        ("null", "state.json: must be a MeshState document, not a bare value"),
        (
            "{\n  oops",
            "state.json:2: not JSON: expecting property name enclosed in double quotes (column 3)",
        ),
        (MESH_TEXT[:-3], "state.json:22: not JSON: expecting ',' delimiter (column 4)"),
        (MESH_TEXT + "{}", "state.json:24: not JSON: extra data (column 1)"),
        (b'{\n "name": "\xff"}', "state.json:2: not JSON: not UTF-8"),
        ("[" * 100_000, "state.json: nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused(content: str | bytes, expected: str) -> None:
    assert complaints(content) == [expected]


def test_another_kind_of_document_is_refused_without_further_noise() -> None:
    wrong = MESH_TEXT.replace("MeshState", "HostState").replace("v1alpha1", "v2")
    assert complaints(wrong) == [
        (
            "state.json: apiVersion 'wormhole.dev/v2': must be 'wormhole.dev/v1alpha1'"
            " for this document"
        ),
        "state.json: kind 'HostState': must be 'MeshState' for this document",
    ]


def test_a_document_without_kind_is_refused() -> None:
    assert complaints('{"apiVersion": "wormhole.dev/v1alpha1"}') == [
        "state.json: kind: must be 'MeshState' for this document"
    ]


def test_every_fault_of_shape_is_told_at_once_with_its_line() -> None:
    wrong = (
        MESH_TEXT.replace("ypeBEsobvcr6", "short")
        .replace("192.0.2.1:9806", "node-a.example:9806")
        .replace('"10.244.1.0/24"', "7")
        .replace('"name"', '"nmae"')
    )
    assert complaints(wrong) == [
        'state.json:4: nmae: unknown field (did you mean "name"?)',
        (
            "state.json:11: peerGroups.mesh.node-a.endpoint 'node-a.example:9806': must be an"
            " address and a port, such as 192.0.2.1:9806 or [2001:db8::1]:9806"
        ),
        (
            "state.json:12: peerGroups.mesh.node-a.publicKey: must be a WireGuard public key:"
            " 32 bytes in base64, which is 43 characters and one '=';"
            " what stands here has 37 characters"
        ),
        (
            "state.json:16: peerGroups.mesh.node-b.allowedIPs[0] '7': must be a string,"
            " not a number (put it in quotes)"
        ),
    ]


def test_null_is_not_a_way_to_write_nothing() -> None:
    wrong = MESH_TEXT.replace('"192.0.2.1:9806"', "null")
    assert complaints(wrong) == [
        "state.json:11: peerGroups.mesh.node-a.endpoint 'null': must be a string, not null"
    ]


def test_a_whole_number_is_written_without_a_point() -> None:
    node = make_node("node-a", "10.244.0.0/24")
    host = compile_mesh(make_inventory(make_mesh(), node)).hosts[node.name]
    wrong = dump(host).replace(b'"listenPort": 9806', b'"listenPort": 9806.0')
    assert complaints(wrong, load_host) == [
        (
            "state.json: not as documents are written: Expected `int`, got `float`"
            " - at `$.wireguard.listenPort`"
        )
    ]


def test_a_repeated_key_is_refused_and_not_silently_dropped() -> None:
    first, second = MESH_TEXT.split('      "node-b"')
    repeated = first + '      "node-a"' + second
    assert complaints(repeated) == [
        "state.json:14: peerGroups.mesh.node-a: stands here a second time",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("node-a", "node-a.json"),
        ("a.b.c", "a.b.c.json"),
        ("n" * 250, "n" * 250 + ".json"),
        ("n" * 251, "n" * 233 + "~" + "64091ef053a17b18" + ".json"),
    ],
)
def test_a_file_is_called_after_its_host(name: str, expected: str) -> None:
    assert host_file_name(NodeName(name)) == expected


def test_long_names_that_begin_alike_have_files_of_their_own() -> None:
    names = ["n" * 252 + last for last in "abc"]
    files = {host_file_name(NodeName(name)) for name in names}
    assert {len(file) for file in files} == {255}
    assert len(files) == 3


@pytest.mark.parametrize("spell", [json.dumps, lambda raw: json.dumps(raw, indent=2)])
def test_a_host_is_not_nested_without_end(spell: Callable[[object], str]) -> None:
    node = make_node("node-a", "10.244.0.0/24")
    host = compile_mesh(make_inventory(make_mesh("10.244.0.0/16"), node)).hosts[NodeName("node-a")]
    raw = json.loads(dump(host))
    deep: dict[str, Any] = {}
    raw["cni"]["config"]["deep"] = deep
    for _ in range(50):
        deep["er"] = deep = {}
    assert load_host(spell(raw).encode(), "node-a.json").name == "node-a"
    for _ in range(50):
        deep["er"] = deep = {}
    with pytest.raises(Problems) as caught:
        load_host(spell(raw).encode(), "node-a.json")
    assert str(caught.value) == "node-a.json: nested too deeply"
