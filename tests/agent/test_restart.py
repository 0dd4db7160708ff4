"""Agents that are stopped and started, as an update of the DaemonSet does it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.cluster import ClusterLab
from lab.history import Devices
from lab.talks import lost, talking
from lab.waiting import wait_until

pytestmark = pytest.mark.agent


def test_stopping_and_starting_every_agent_changes_nothing_at_all(cluster: ClusterLab) -> None:
    one, other = cluster.joined[:2]
    cluster.await_pods()
    cluster.await_status()
    cluster.await_silence()
    before, published = Devices.of(cluster.joined), specs(cluster)

    with talking((one, other)) as talk, cluster.listening() as monitors:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda member: member.agent.stop(), cluster.joined))
        assert Devices.of(cluster.joined).changes_until(before) == set()
        for member in cluster.joined:
            member.agent.start()
        wait_until(lambda: not_all_ready(cluster), 60)

    assert {name: monitor.seen for name, monitor in monitors.items()} == dict.fromkeys(monitors, ())
    assert before.changes_until(Devices.of(cluster.joined)) == set()
    assert specs(cluster) == published
    assert lost(talk) == 0


def specs(cluster: ClusterLab) -> dict[str, int]:
    """Return how often each node's spec was changed so far."""
    return {name: item["metadata"]["generation"] for name, item in cluster.mesh_nodes().items()}


def not_all_ready(cluster: ClusterLab) -> str:
    answers = {member.name: member.agent.answers("readyz") for member in cluster.joined}
    return str({name: found for name, found in answers.items() if found != ["200"]} or "")
