"""The API server hangs, then dies; hosts keep what they have, heal it, and reboot into it."""

import time

import pytest
from lab.agreement import silent_pods
from lab.cluster import ClusterLab
from lab.member import Member
from lab.mesh import PORT
from lab.probes import ping_all
from lab.talks import lost, talking
from lab.tunnels import WG
from lab.waiting import wait_until

pytestmark = pytest.mark.agent

HANGING = 12.0
"""Seconds for which the server answers nobody before it is killed; no request waits that long."""
TIMER = 70.0
"""Nothing tells of a WireGuard peer that goes, so it is found by the timer: 60 s and 10 %."""


def reaches_all(cluster: ClusterLab, member: Member) -> str:
    pods = [other.open_pod() for other in cluster.joined]
    addresses = tuple(address for pod in pods for address in pod.addresses)
    silent = ping_all(member.open_pod(), addresses, patience=1)
    return f"{member.name} does not reach {silent}" if silent else ""


@pytest.mark.timeout(400)
def test_hosts_heal_and_reboot_while_the_api_is_away(cluster: ClusterLab) -> None:
    one, other, damaged, linkless, first, second = cluster.joined
    cluster.await_pods()

    with cluster.lab.capture() as capture, talking((one, other)) as talk:
        began = time.monotonic()
        cluster.server.pause()
        damaged.host.run("wg", "set", WG, "peer", one.device().key, "remove")

        linkless.host.ip(f"link delete {WG}")
        healed = wait_until(lambda: reaches_all(cluster, linkless), 20)
        print(f"a deleted device was back in {healed:.1f} s")  # noqa: T201 - shown by -s

        back = cut_power_and_start(cluster, first)
        print(f"a host rebooted before a silent API was back in {back:.1f} s")  # noqa: T201 - by -s
        time.sleep(max(0.0, began + HANGING - time.monotonic()))
        cluster.server.kill()
        back = cut_power_and_start(cluster, second)
        print(f"a host rebooted without an API was back in {back:.1f} s")  # noqa: T201 - by -s

        remaining = began + TIMER + 10 - time.monotonic()
        wait_until(lambda: "" if len(damaged.device().peers) == 5 else "a peer less", remaining)
        print(f"a removed peer was back in {time.monotonic() - began:.1f} s")  # noqa: T201 - by -s
        assert silent_pods(cluster.joined) == ""
        away = time.monotonic() - began

        cluster.server.start_again()
        cluster.move(other, "192.0.2.77")
        agreed = cluster.await_peers(60)
        print(f"away for {away:.0f} s; {agreed:.1f} s after its return all agreed")  # noqa: T201
        cluster.await_status(60)
        cluster.move_back(other)

    assert lost(talk) == 0
    assert cluster.plaintext(capture) == ()
    assert capture.encrypted({PORT})


def cut_power_and_start(cluster: ClusterLab, member: Member) -> float:
    """Reboot a host and start its agent; return how many seconds later its pod reached all."""
    member.cut_power()
    began = time.monotonic()
    member.agent.start()
    wait_until(lambda: "" if len(member.device().peers) == 5 else "not five peers", 40)
    wait_until(lambda: "" if member.has_cni() else "no CNI configuration", 20)
    member.restart_pod()
    wait_until(lambda: reaches_all(cluster, member), 20)
    return time.monotonic() - began
