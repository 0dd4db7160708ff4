"""A cluster in which nothing happens: no agent writes anything, nor asks anything again."""

import os
import time
from contextlib import ExitStack

import pytest
from lab.cluster import ClusterLab
from lab.events import Events

pytestmark = pytest.mark.agent

IDLE = float(os.environ.get("WORMHOLE_IDLE_SECONDS", "60"))
SETTLE = 25.0
"""Seconds after the last change within which its report, paced as it is, must have been written."""


@pytest.mark.timeout(IDLE + 240)
def test_idle_agents_write_nothing_to_the_kernel_or_the_api(cluster: ClusterLab) -> None:
    cluster.await_status()
    time.sleep(SETTLE)
    asked = len(cluster.asked())
    before = {member.name: member.agent.cpu_seconds() for member in cluster.joined}

    with ExitStack() as stack:
        monitors = {
            member.name: stack.enter_context(Events(member.host)) for member in cluster.joined
        }
        time.sleep(IDLE)

    used = {
        member.name: member.agent.cpu_seconds() - before[member.name] for member in cluster.joined
    }
    share = max(used.values()) / IDLE
    print(f"CPU of an idle agent, at most: {share:.2%}")  # noqa: T201 - shown by -s
    assert {name: monitor.seen for name, monitor in monitors.items()} == dict.fromkeys(monitors, ())
    # A watch that the server has ended after its time begins again where it was, without a list.
    assert [str(entry) for entry in cluster.asked(asked) if entry.verb != "watch"] == []
    assert share < 0.02
