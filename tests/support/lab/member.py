"""Turn a host of the laboratory into a node of a cluster: its Node object, its agent, its pod."""

import re
import time
from pathlib import Path
from typing import Any

from lab.agent import Agent
from lab.mesh import PORT
from lab.network import LabHost
from lab.pods import CONFLIST, Pod
from lab.reboot import reboot
from lab.tunnels import Device, read_device

Object = dict[str, Any]


class Member:
    """A node. Whether it is in the mesh, the test decides and writes down in ``joined``."""

    def __init__(self, host: LabHost, kubeconfig: Path, log: Path) -> None:
        self.host = host
        self.address = host.ipv4
        """The one its Node tells of."""
        self.joined = False
        self.agent = Agent(
            host, log, *("--from", "cluster", "--node", host.name, "--kubeconfig", str(kubeconfig))
        )
        self.pod: Pod | None = None
        self.pod_since = 0.0
        """When its pod was plugged in last, on the monotonic clock."""

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def pod_cidrs(self) -> tuple[str, str]:
        number = self.host.number
        return (f"10.244.{number}.0/24", f"fd00:244:0:{number:x}::/64")

    @property
    def tunnel(self) -> tuple[str, frozenset[str]]:
        """The endpoint and the prefixes that every other node's peer for this one should have."""
        return (f"{self.address}:{PORT}", frozenset(self.pod_cidrs))

    def written_endpoint(self, name: str) -> str:
        """Return where this one's agent says that it put a peer last; empty if it never did."""
        written = rf"kind=peer key={re.escape(name)} .*endpoint (?:\S+ -> )?([^\s,\"]+)"
        return next(iter(re.findall(written, self.agent.said(last=10_000))[-1:]), "")

    def node(self) -> Object:
        """Return the Node object as a kubelet and a cloud's controller would have made it."""
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}},
            "spec": {"podCIDR": self.pod_cidrs[0], "podCIDRs": list(self.pod_cidrs)},
            "status": self.node_status(),
        }

    def node_status(self) -> Object:
        """Return the part of it that tells of addresses."""
        return {
            "addresses": [
                {"type": "Hostname", "address": self.name},
                {"type": "ExternalIP", "address": f"203.0.113.{self.host.number}"},
                {"type": "InternalIP", "address": self.address},
            ]
        }

    def device(self) -> Device:
        """Return its WireGuard device as it is now."""
        return read_device(self.host)

    def has_cni(self) -> bool:
        """Whether the kubelet could start pods here."""
        return self.host.run("test", "-s", CONFLIST, check=False).returncode == 0

    def cut_power(self) -> None:
        """Let the host reboot: its agent is gone as well, and has to be started."""
        self.agent.kill()
        reboot(self.host)

    def open_pod(self) -> Pod:
        """Start a pod here, once; return it."""
        if self.pod is None:
            self.pod = Pod(self.host, f"pod-{self.host.number}").__enter__()
            self.pod_since = time.monotonic()
        return self.pod

    def restart_pod(self) -> None:
        """Make the pod anew after a reboot, as the kubelet does."""
        self.open_pod().restart()
        self.pod_since = time.monotonic()

    def close_pod(self) -> None:
        """End the pod."""
        if self.pod is not None:
            self.pod.remove()
            self.pod = None
