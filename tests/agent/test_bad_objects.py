"""Objects that nobody should have written: refused by the schema, or left out while all goes on."""

import secrets
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from lab.agreement import condition
from lab.cluster import MESH, MESH_NODES, NODES, ClusterLab
from lab.history import Change, Devices
from lab.mesh import API_VERSION, OVERLAY
from lab.talks import lost, talking
from lab.waiting import holds_for, wait_until

from wormhole.cluster.errors import ApiError

pytestmark = pytest.mark.agent

VICTIM = 2
"""The number of the member whose things others claim."""
HONEST = "honest"
ENDPOINTLESS = "claims-an-endpoint"
"""Not left out as a whole: whoever is named by two speaks first, or not at all."""


def a_key() -> str:
    """Return 32 random bytes as a public key: each of them is one (RFC 7748, 5)."""
    return b64encode(secrets.token_bytes(32)).decode()


def claims(victim_key: str) -> dict[str, dict[str, Any]]:
    """Return what each offender says that is not so, over what would be true of it."""
    return {
        "claims-a-prefix": {"podCIDRs": [f"10.244.{VICTIM}.0/24"]},
        "claims-half-a-prefix": {"podCIDRs": [f"fd00:244:0:{VICTIM}:8000::/65"]},
        "claims-everything": {"podCIDRs": ["10.244.0.0/16"]},
        "claims-a-key": {"publicKey": victim_key},
        ENDPOINTLESS: {"endpoint": f"192.0.2.{VICTIM}"},
        "in-the-overlay": {"endpoint": "10.244.3.10"},
        "outside-the-overlay": {"podCIDRs": ["198.51.100.0/24"]},
        "has-a-name": {"endpoint": "node.example"},
        "is-nonsense": {"podCIDRs": ["10.244.0.0.0/99"]},
    }


def write(cluster: ClusterLab, name: str, number: int, **claim: object) -> None:
    """Write a Node down and its MeshNode, which is true but for what it claims."""
    cidrs = [f"10.244.{number}.0/24", f"fd00:244:0:{number:x}::/64"]
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
    cluster.server.admin.create(NODES, {**node, "spec": {"podCIDRs": cidrs, "podCIDR": cidrs[0]}})
    spec = {"publicKey": a_key(), "endpoint": f"192.0.2.{number}", "podCIDRs": cidrs, **claim}
    cluster.server.admin.create(MESH_NODES, mesh_node(name, spec))


def mesh_node(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": "MeshNode", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def strangers(cluster: ClusterLab) -> Iterator[dict[str, dict[str, Any]]]:
    """Return who lies about what; all strangers are gone at the end."""
    offenders = claims(cluster.joined[VICTIM - 1].device().key)
    yield offenders
    for name in (*offenders, HONEST):
        cluster.server.delete(f"{NODES}/{name}")
        cluster.server.delete(f"{MESH_NODES}/{name}")


def test_offenders_are_left_out_and_named_and_the_rest_goes_on(
    cluster: ClusterLab, strangers: dict[str, dict[str, Any]]
) -> None:
    one, other = cluster.joined[VICTIM - 1], cluster.joined[VICTIM]
    before = Devices.of(cluster.joined)

    expected = {f"MeshNode/{name}" for name in strangers}

    def not_yet_named() -> str:
        reported = cluster.mesh_nodes()
        named = {
            member.name: {
                item["name"] for item in reported[member.name]["status"].get("leftOut", ())
            }
            for member in cluster.joined
        }
        wrong = {name: found ^ expected for name, found in named.items() if found != expected}
        return f"not, or too much, in leftOut: {wrong}" if wrong else ""

    with talking((one, other)) as talk:
        for number, (name, claim) in enumerate(strangers.items(), start=100):
            write(cluster, name, number, **claim)
        write(cluster, HONEST, 99)
        published = cluster.mesh_nodes()
        joining = {published[name]["spec"]["publicKey"] for name in (HONEST, ENDPOINTLESS)}
        wait_until(not_yet_named, 40)
        after = Devices.of(cluster.joined)

    assert before.changes_until(after) == {
        Change(host=member.name, peer=key, what="added")
        for member in cluster.joined
        for key in joining
    }
    spared = published[ENDPOINTLESS]["spec"]["publicKey"]
    assert {member.device().peers[spared].endpoint for member in cluster.joined} == {""}
    assert lost(talk) == 0
    events = cluster.server.admin.get("/api/v1/namespaces/default/events")["items"]
    told = " ".join(event["message"] for event in events)
    assert {name for name in strangers if name not in told} == set()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"publicKey": "short"}, "spec.publicKey"),
        ({}, "spec.publicKey"),
        (
            {"podCIDRs": [f"10.{n >> 8}.{n & 255}.0/24" for n in range(5_000)]},
            "spec.podCIDRs",
        ),
        ({"endpoint": "1" * 1_000}, "spec.endpoint"),
        ({"listenPort": 65_536}, "spec.listenPort"),
    ],
    ids=["no key", "key absent", "5,000 prefixes", "endless endpoint", "no port"],
)
def test_what_is_no_mesh_node_at_all_the_server_refuses(
    cluster: ClusterLab, spec: dict[str, Any], reason: str
) -> None:
    body = mesh_node(
        "refused", spec if reason == "spec.publicKey" else {"publicKey": a_key(), **spec}
    )

    with pytest.raises(ApiError) as refusal:
        cluster.server.admin.create(MESH_NODES, body)

    assert refusal.value.status == 422
    assert reason in str(refusal.value)


def test_a_mesh_that_makes_no_sense_changes_nothing_and_is_told(cluster: ClusterLab) -> None:
    before = Devices.of(cluster.joined)

    def not_told() -> str:
        wrong = {
            name: found
            for name, node in cluster.mesh_nodes().items()
            if (found := condition(node["status"], "Degraded").get("status")) != "True"
        }
        return f"not Degraded: {wrong}" if wrong else ""

    cluster.change(MESH, {"spec": {"overlayCIDRs": ["10.244.0.0/33"]}})
    try:
        wait_until(not_told, 30)
        holds_for(lambda: str(before.changes_until(Devices.of(cluster.joined)) or ""), seconds=1)
    finally:
        cluster.change(MESH, {"spec": {"overlayCIDRs": list(OVERLAY)}})
    cluster.await_status()
