"""A pull from a real API server, with the rights that are shipped for it and no other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from commandline import OTHER_KEY, Wormhole
from inventories import make_key
from kube.server import ApiServer

from compiler.compile import compile_mesh
from compiler.parse import parse
from compiler.source import Source
from wormhole.cluster.api import KUBEADM_CONFIG, MESH_NODES, MESHES, NAMESPACE, NODES, secrets
from wormhole.cluster.connection import connect
from wormhole.cluster.errors import ApiError
from wormhole.files.sources import read_sources

READER = "wormhole-inventory-reader"
ROLE = Path(__file__).parents[3] / "deploy/ci/inventory-reader.yaml"
API = "wormhole.dev/v1alpha1"


def member(name: str, number: int, key: str) -> list[dict[str, Any]]:
    """Return a MeshNode that leaves to its Node what a Node knows."""
    return [
        {
            "apiVersion": API,
            "kind": "MeshNode",
            "metadata": {"name": name},
            "spec": {"publicKey": key, "persistentKeepalive": number},
        },
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]},
            "status": {
                "addresses": [
                    {"type": "Hostname", "address": name},
                    {"type": "InternalIP", "address": f"192.0.2.{number}"},
                ]
            },
        },
    ]


@pytest.fixture(scope="module")
def server(shipped: ApiServer) -> Iterator[ApiServer]:
    """Return a server with a mesh of two and the reader's account."""
    role = [*yaml.safe_load_all(ROLE.read_text())]
    shipped.apply(*role)
    mesh = {"apiVersion": API, "kind": "Mesh", "metadata": {"name": "pulled"}, "spec": {}}
    objects = [mesh, *member("a", 1, OTHER_KEY), *member("b", 2, make_key("b"))]
    configuration = "networking:\n  podSubnet: 10.244.0.0/16\n"
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
        "data": {"ClusterConfiguration": configuration},
    }
    shipped.apply(*objects, config)
    for each in objects:
        if each["kind"] == "Node":
            path = f"{NODES}/{each['metadata']['name']}/status"
            shipped.admin.patch(path, {"status": each["status"]}, "application/merge-patch+json")
    yield shipped
    paths = [f"{MESHES}/pulled", KUBEADM_CONFIG]
    paths += [f"{collection}/{name}" for collection in (MESH_NODES, NODES) for name in "ab"]
    for path in paths:
        shipped.delete(path)


def test_what_is_pulled_compiles_to_what_the_cluster_holds(
    server: ApiServer, wormhole: Wormhole
) -> None:
    kubeconfig = str(server.kubeconfig_for(READER))
    code, output, errors = wormhole("inventory", "pull", "--kubeconfig", kubeconfig, "-o", "inv")
    assert (code, output.splitlines()[-1]) == (
        0,
        "ok: mesh pulled, 2 MeshNodes, 2 Nodes: 5 written, 0 unchanged, 0 removed",
    )
    assert errors.count("\n") == 1
    live = [
        found | {"apiVersion": version, "kind": kind}
        for collection, version, kind in (
            (MESHES, API, "Mesh"),
            (MESH_NODES, API, "MeshNode"),
            (NODES, "v1", "Node"),
        )
        for found in server.admin.get(collection)["items"]
    ]
    live[0]["spec"]["overlayCIDRs"] = ["10.244.0.0/16"]
    pulled = compile_mesh(parse(read_sources(["inv"])))
    assert pulled == compile_mesh(parse([Source(name="live", text=yaml.safe_dump_all(live))]))
    assert sorted(pulled.hosts) == ["a", "b"]
    text = "".join(path.read_text() for path in Path("inv").rglob("*.yaml"))
    fields = (
        "managedFields",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "Hostname",
        "generation",
    )
    assert [field for field in fields if field in text] == []
    again = wormhole("inventory", "pull", "--kubeconfig", kubeconfig, "-o", "inv")
    assert again[1].endswith(": 0 written, 5 unchanged, 0 removed\n")


def test_it_asks_for_nothing_but_what_its_role_gives(server: ApiServer, wormhole: Wormhole) -> None:
    kubeconfig = str(server.kubeconfig_for(READER))
    assert wormhole("inventory", "pull", "--kubeconfig", kubeconfig)[0] == 0
    account = f"system:serviceaccount:{NAMESPACE}:{READER}"
    asked = {
        (entry.verb, entry.resource, entry.name)
        for entry in server.audit()
        if entry.user == account and entry.code == 200
    }
    assert asked == {
        ("list", "meshes", ""),
        ("list", "meshnodes", ""),
        ("list", "nodes", ""),
        ("get", "configmaps", "kubeadm-config"),
    }


def test_its_account_reads_no_secret_and_writes_nothing(server: ApiServer) -> None:
    reader = connect(server.kubeconfig_for(READER))
    with pytest.raises(ApiError) as caught:
        reader.get(f"{secrets(NAMESPACE)}/wormhole-psk")
    assert caught.value.status == 403
    with pytest.raises(ApiError) as caught:
        reader.create(MESHES, {"apiVersion": API, "kind": "Mesh", "metadata": {"name": "x"}})
    assert caught.value.status == 403


def test_without_a_right_it_says_which(server: ApiServer, wormhole: Wormhole) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    server.apply(account | {"metadata": {"name": "nobody", "namespace": NAMESPACE}})
    kubeconfig = str(server.kubeconfig_for("nobody"))
    code, output, errors = wormhole("inventory", "pull", "--kubeconfig", kubeconfig, "-o", "inv")
    assert (code, output, Path("inv").exists()) == (3, "", False)
    assert 'cannot list resource "meshes" in API group "wormhole.dev"' in errors
