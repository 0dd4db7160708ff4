"""What is kept of objects: all that is read of them, and nothing that changes for nothing."""

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wormhole.cluster.api import Object
from wormhole.cluster.content import Keep
from wormhole.cluster.keep import Hidden, keep_mesh, keep_meshnode, keep_node, keep_secret

MESH_NODE: Object = {
    "apiVersion": "wormhole.dev/v1alpha1",
    "kind": "MeshNode",
    "metadata": {
        "name": "node-a",
        "uid": "1-2-3",
        "creationTimestamp": "2026-01-02T03:04:05Z",
        "generation": 2,
        "resourceVersion": "77",
        "managedFields": [{"manager": "wormhole-agent"}],
        "labels": {"team": "net"},
        "annotations": {"wormhole.dev/allow-mass-delete": "abc", "other.dev/a": "b"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "9", "controller": True}
        ],
    },
    "spec": {"publicKey": "k", "podCIDRs": ["10.244.1.0/24"]},
    "status": {"peers": 3},
}


def test_of_a_meshnode_everything_is_kept_that_is_compiled_or_decides_who_wins() -> None:
    assert keep_meshnode(MESH_NODE) == {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "MeshNode",
        "metadata": {
            "name": "node-a",
            "uid": "1-2-3",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "generation": 2,
            "annotations": {"wormhole.dev/allow-mass-delete": "abc"},
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "9"}],
        },
        "spec": {"publicKey": "k", "podCIDRs": ["10.244.1.0/24"]},
    }


def test_a_status_that_is_written_changes_nothing_that_is_kept() -> None:
    written = MESH_NODE | {
        "metadata": MESH_NODE["metadata"] | {"resourceVersion": "78", "managedFields": []},
        "status": {"peers": 4},
    }
    assert keep_meshnode(written) == keep_meshnode(MESH_NODE)


def test_of_a_node_as_a_list_has_it_addresses_and_prefixes_are_kept() -> None:
    node = {
        "metadata": {
            "name": "node-a",
            "uid": "9",
            "resourceVersion": "5",
            "annotations": {"flannel.alpha.coreos.com/backend-type": "vxlan"},
        },
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"], "taints": [1]},
        "status": {
            "addresses": [
                {"type": "Hostname", "address": "node-a"},
                {"type": "InternalIP", "address": "192.0.2.1"},
                {"type": "ExternalIP", "address": "198.51.100.1"},
            ],
            "conditions": [{"lastHeartbeatTime": "2026-01-02T03:04:05Z"}],
            "images": ["many"],
        },
    }
    assert keep_node(node) == {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node-a", "uid": "9"},
        "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "192.0.2.1"},
                {"type": "ExternalIP", "address": "198.51.100.1"},
            ],
        },
    }


def test_of_a_mesh_the_spec_is_kept() -> None:
    mesh = {"metadata": {"name": "mesh", "generation": 1}, "spec": {"listenPort": 9806}}
    assert keep_mesh(mesh) == {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "Mesh",
        "metadata": {"name": "mesh"},
        "spec": {"listenPort": 9806},
    }


def test_the_entries_of_a_secret_can_be_used_and_are_not_shown() -> None:
    kept = keep_secret({"metadata": {"name": "wormhole-psk"}, "data": {"one": "c2VzYW1l"}})
    assert b64decode(kept["data"]["one"]) == b"sesame"
    assert kept["data"] == {"one": "c2VzYW1l"}
    assert repr(kept["data"]) == "{'one': <hidden>}"
    assert f"{kept}" == str(kept)
    assert "c2VzYW1l" not in f"{kept} {kept!r}"


def test_an_empty_secret_has_no_entries() -> None:
    assert keep_secret({"metadata": {"name": "wormhole-psk"}})["data"] == {}


def test_a_hidden_text_is_equal_to_itself_in_the_open() -> None:
    assert (Hidden("a"), hash(Hidden("a"))) == ("a", hash("a"))


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
names = st.sampled_from(
    ["metadata", "spec", "status", "data", "annotations", "addresses", "ownerReferences"]
)
documents = st.dictionaries(names, json_values | st.dictionaries(names, json_values))


@pytest.mark.law
@pytest.mark.parametrize("keep", [keep_mesh, keep_meshnode, keep_node, keep_secret])
@given(document=documents)
def test_anything_can_be_kept_and_what_is_kept_stays_as_it_is(keep: Keep, document: Object) -> None:
    kept = keep(document)
    assert keep(kept) == kept
