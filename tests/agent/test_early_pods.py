"""A rebooted host whose kubelet is faster than the agent: its CNI file is of before the reboot."""

from collections.abc import Iterator

import pytest
from lab.agreement import silent_pods
from lab.cluster import ClusterLab
from lab.member import Member
from lab.namespace import LabError
from lab.probes import ping
from lab.waiting import wait_until

pytestmark = pytest.mark.agent


@pytest.fixture
def early(cluster: ClusterLab) -> Iterator[Member]:
    """Return a node that was just rebooted and has no agent yet; it is whole again at the end."""
    cluster.await_pods()
    member = cluster.joined[-1]
    member.cut_power()
    yield member
    member.cut_power()
    member.agent.start()
    cluster.await_peers()
    wait_until(lambda: restart_pod(member), 20, every=1)  # peers come before the CNI file
    cluster.await_pods()


def restart_pod(member: Member) -> str:
    """Do what a kubelet does with a pod whose host was rebooted; say why it failed, if it did."""
    try:
        member.restart_pod()
    except LabError as error:
        return str(error)
    return ""


def not_ready(member: Member) -> str:
    answer = member.agent.answers("readyz")
    return "" if answer == ["200"] else f"{member.name}: readyz answers {answer}"


def test_a_pod_that_is_started_before_the_agent_sends_nothing_in_clear(
    cluster: ClusterLab, early: Member
) -> None:
    targets = cluster.joined[0].open_pod().addresses

    with cluster.lab.capture() as capture:
        if restart_pod(early) == "":
            early.host.settle()
            assert not any(ping(early.open_pod(), target, patience=0.5) for target in targets)

    assert cluster.plaintext(capture) == ()


def test_a_pod_that_is_started_before_the_agent_costs_the_host_nothing(
    cluster: ClusterLab, early: Member
) -> None:
    failed = restart_pod(early)
    early.agent.start()
    if failed:
        wait_until(lambda: restart_pod(early), 20, every=1)

    wait_until(lambda: silent_pods(cluster.joined, patience=1), 20)
    wait_until(lambda: not_ready(early), 10)
