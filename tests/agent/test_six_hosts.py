"""Six hosts with nothing but a token become a network: what they publish, see and report."""

from collections.abc import Callable

import pytest
from lab.agreement import condition, silent_pods
from lab.cluster import NODES, ClusterLab
from lab.mesh import PORT, expected_psk
from lab.six import Six

pytestmark = pytest.mark.agent


def test_from_nothing_to_all_pods_reaching_all_pods(
    six: Six, record_property: Callable[[str, object], None]
) -> None:
    # On two cores, which run an etcd and a kube-apiserver beside six agents.
    for name, seconds in (("peers", six.peers), ("all pods", six.pods), ("Ready", six.ready)):
        record_property(f"seconds until {name}", round(seconds, 1))
        print(f"six hosts from nothing: {name} after {seconds:.1f} s")  # noqa: T201 - shown by -s

    assert six.pods < 180


def test_the_wire_carries_nothing_but_wireguard_while_all_pods_talk(cluster: ClusterLab) -> None:
    with cluster.lab.capture() as capture:
        assert silent_pods(cluster.joined) == ""

    assert cluster.plaintext(capture) == ()
    assert len(capture.encrypted({PORT})) > 6 * 5 * 2 * 2


def test_each_node_publishes_what_its_node_says_and_is_owned_by_it(cluster: ClusterLab) -> None:
    nodes = {item["metadata"]["name"]: item for item in cluster.server.admin.get(NODES)["items"]}
    published = cluster.mesh_nodes()

    assert {name: item["spec"] for name, item in published.items()} == {
        member.name: {
            "publicKey": member.device().key,
            "endpoint": member.address,
            "podCIDRs": list(member.pod_cidrs),
        }
        for member in cluster.joined
    }
    assert {name: item["metadata"]["ownerReferences"] for name, item in published.items()} == {
        name: [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}]
        for name, node in nodes.items()
    }


def test_each_node_reports_what_it_has_come_to(cluster: ClusterLab) -> None:
    cluster.await_status()
    epoch = cluster.epoch()
    reports = {name: item["status"] for name, item in cluster.mesh_nodes().items()}

    assert {name: condition(status, "Degraded")["status"] for name, status in reports.items()} == (
        dict.fromkeys(reports, "False")
    )
    assert {name: condition(status, "Conflict")["status"] for name, status in reports.items()} == (
        dict.fromkeys(reports, "False")
    )
    assert {name: status["presharedKeyEpoch"] for name, status in reports.items()} == (
        dict.fromkeys(reports, epoch)
    )
    assert {name: status["heldPresharedKeyEpochs"] for name, status in reports.items()} == {
        name: [epoch] for name in reports
    }
    assert len({status["desiredDigest"] for status in reports.values()}) == 6


def test_probes_answer_that_all_is_well(cluster: ClusterLab) -> None:
    pages = ("healthz", "readyz", "metrics")
    answers = {member.name: member.agent.answers(*pages) for member in cluster.joined}

    assert answers == {name: ["200", "200", "200"] for name in answers}


def test_one_master_was_made_and_every_pair_derives_its_key_from_it(cluster: ClusterLab) -> None:
    epoch = cluster.epoch()
    master = cluster.masters()[epoch]
    devices = [member.device() for member in cluster.joined]

    assert [{key: peer.preshared for key, peer in device.peers.items()} for device in devices] == [
        {key: expected_psk(master, epoch, device.key, key) for key in device.peers}
        for device in devices
    ]
