"""A cluster in which nothing happens: no agent writes anything, nor asks anything again."""

import os
import time

import pytest
from lab.agreement import silent_pods
from lab.cluster import ClusterLab
from lab.waiting import wait_until

pytestmark = pytest.mark.agent

IDLE = float(os.environ.get("WORMHOLE_IDLE_SECONDS", "60"))
"""Seconds of silence to listen to."""
SETTLE = 150.0
"""Seconds in which the last counters are reported: a turn of the timer, and a minute's patience."""
TALK = 30.0
"""Seconds between the packets that keep every session young, as in a network that is in use."""


@pytest.mark.timeout(IDLE + SETTLE + 120)
def test_idle_agents_write_nothing_to_the_kernel_or_the_api(cluster: ClusterLab) -> None:
    cluster.await_pods()
    wait_until(lambda: all_connected(cluster), SETTLE, every=1)
    cluster.await_silence()
    asked = len(cluster.asked())
    assert asked > 6 * 4, "the log names the agents, or it would prove nothing"
    before = {member.name: member.agent.cpu_seconds() for member in cluster.joined}

    with cluster.listening() as monitors:
        end = time.monotonic() + IDLE
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, TALK))
            assert silent_pods(cluster.joined) == ""

    used = {
        member.name: member.agent.cpu_seconds() - before[member.name] for member in cluster.joined
    }
    memory = max(member.agent.memory_bytes() for member in cluster.joined) >> 20
    share = max(used.values()) / IDLE
    print(f"an idle agent: {share:.2%} of a CPU, {memory} MiB at most")  # noqa: T201 - shown by -s
    assert {name: monitor.seen for name, monitor in monitors.items()} == dict.fromkeys(monitors, ())
    # A watch that the server has ended after its time begins again where it was, without a list.
    assert [str(entry) for entry in cluster.asked(asked) if entry.verb != "watch"] == []
    assert share < 0.05


def all_connected(cluster: ClusterLab) -> str:
    """Say whose report does not count every peer as connected yet."""
    others = len(cluster.joined) - 1
    counts = {
        name: node.get("status", {}).get("connectedPeers")
        for name, node in cluster.mesh_nodes().items()
    }
    wrong = {name: count for name, count in counts.items() if count != others}
    return f"connected peers reported: {wrong}" if wrong else ""
