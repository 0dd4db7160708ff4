"""Turn an empty cluster into six hosts with a pod each, and measure how long that takes."""

import time
from dataclasses import dataclass
from typing import Final

from lab.cluster import ClusterLab

EPOCH: Final = "2026-11"
"""The epoch that the six begin with; its master is made by whoever comes first."""


@dataclass(frozen=True, kw_only=True)
class Six:
    """Six hosts that found each other."""

    cluster: ClusterLab
    peers: float
    """Seconds from the first agent's start until each device had five peers."""
    ready: float
    """The same, until each MeshNode said Ready with five peers."""
    pods: float
    """The same, until all pods reached all pods, on both families; opening the pods included."""


def start_six(cluster: ClusterLab) -> Six:
    """Let six hosts with nothing but a kubeconfig become a network."""
    members = [cluster.add(f"node-{number}") for number in range(1, 7)]
    begin = time.monotonic()
    cluster.join(*members)
    cluster.await_peers(60)
    peers = time.monotonic() - begin
    cluster.await_pods()
    pods = time.monotonic() - begin
    cluster.await_status(60)
    ready = time.monotonic() - begin
    return Six(cluster=cluster, peers=peers, ready=ready, pods=pods)
