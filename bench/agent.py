"""One agent of a large cluster, on a real API server: how soon, how big, how quiet.

The others are objects only: a Node and a MeshNode each, with nobody behind them. The host, its
agent, its WireGuard, the API server and etcd are real, and share this machine.
"""

import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from bench.clock import CommandFailedError
from bench.rows import Row, spell_seconds

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from kube.requirements import missing as missing_server
from lab.cluster import MESH_NODES, NODES, ClusterLab
from lab.member import Member
from lab.requirements import missing as missing_lab

IDLE: Final = 120.0
"""Seconds of doing nothing over which the idle agent's processor time is measured."""
_OVERLAY: Final = ("10.0.0.0/8", "fd00:244::/48")
_PATIENCE: Final = 300.0
_GLANCE: Final = 0.1
_MIB: Final = 1 << 20
_SHOWN: Final = "shown"


def missing() -> str:
    """Say why nothing can be measured here; empty when it can."""
    return "; ".join((*missing_lab(), *missing_server()))


def measure_agent(folder: Path, size: int) -> Iterator[Row]:
    """Measure one size of cluster, as the agent of its first node sees it."""
    label = f"{size:,} MeshNodes"
    held = size == 1000
    folder = folder / f"cluster-{size}"
    with ClusterLab(folder, overlayCIDRs=list(_OVERLAY)) as cluster:
        _fill(cluster, size - 1)
        member = cluster.add("node-0", number=200)
        joined = _time(lambda: cluster.join(member), lambda: _count_peers(member) == size - 1)
        yield Row(
            f"agent: from its start to all peers, {label}", spell_seconds(joined), "", "", _SHOWN
        )
        _await(lambda: _has_settled(member))
        yield _memory(member, f"agent: memory, {label}", "under 150 MB" if held else _SHOWN)
        yield from _measure_one_more(cluster, member, size, label)
        yield _idle(cluster, member, label)
        yield _memory(
            member, f"agent: memory at the end, {label}", "under 150 MB" if held else _SHOWN
        )


def _measure_one_more(cluster: ClusterLab, member: Member, size: int, label: str) -> Iterator[Row]:
    asked, logged = len(cluster.asked()), len(_changes(member))
    seconds = _time(lambda: _create(cluster, size), lambda: _count_peers(member) == size)
    yield Row(f"agent: one more node, {label}", spell_seconds(seconds), "", "", _SHOWN)
    time.sleep(3)
    kernel = len(_changes(member)) - logged
    requests = sum(entry.writes for entry in cluster.asked()[asked:])
    written = f"{kernel} to the kernel, {requests} to the API"
    yield Row(f"agent: writes for one more node, {label}", written, "", "", _SHOWN)


def _idle(cluster: ClusterLab, member: Member, label: str) -> Row:
    # What the joining has put off, such as a status, is not idling.
    time.sleep(30)
    asked, used = len(cluster.asked()), member.agent.cpu_seconds()
    time.sleep(IDLE)
    share = (member.agent.cpu_seconds() - used) / IDLE
    requests = len(cluster.asked()) - asked
    said = f"{share:.2%} of a CPU, {requests} API requests"
    return Row(f"agent: idle for {IDLE:.0f} s, {label}", said, "", "", "near zero")


def _memory(member: Member, what: str, target: str) -> Row:
    return Row(what, f"{member.agent.memory_bytes() / _MIB:.0f} MB", "", "", target)


def _fill(cluster: ClusterLab, count: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: _create(cluster, number), range(1, count + 1)))


def _create(cluster: ClusterLab, number: int) -> None:
    """Create a node as a kubelet and an agent would have, with what a Node holds beside."""
    name, high, low = f"other-{number}", number >> 8, number & 255
    cidrs = [f"10.{high}.{low}.0/24"]
    key = b64encode(sha256(name.encode()).digest()).decode()
    admin = cluster.server.admin
    metadata: dict[str, Any] = {"name": name, "labels": {"kubernetes.io/hostname": name}}
    status = {
        "addresses": [{"type": "InternalIP", "address": f"198.18.{high}.{low}"}],
        "images": [
            {"names": [f"registry.example/team/image-{image}@sha256:{key * 2}"], "sizeBytes": image}
            for image in range(50)
        ],
    }
    node = {"podCIDR": cidrs[0], "podCIDRs": cidrs}
    admin.create(NODES, _object("v1", "Node", metadata, node) | {"status": status})
    published = {"publicKey": key, "endpoint": f"198.18.{high}.{low}", "podCIDRs": cidrs}
    admin.create(
        MESH_NODES, _object("wormhole.dev/v1alpha1", "MeshNode", {"name": name}, published)
    )


def _object(version: str, kind: str, metadata: dict[str, Any], spec: object) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _changes(member: Member) -> list[str]:
    lines = member.agent.log.read_text(errors="replace").splitlines()
    return [line for line in lines if "msg=changed" in line]


def _has_settled(member: Member) -> bool:
    """Whether the agent has used no processor time for a while."""
    used = member.agent.cpu_seconds()
    time.sleep(5)
    return member.agent.cpu_seconds() - used < 2 / os.sysconf("SC_CLK_TCK")


def _count_peers(member: Member) -> int:
    done = member.host.run("wg", "show", "wormhole-wg0", "peers", check=False)
    return len(done.stdout.split()) if done.returncode == 0 else 0


def _time(act: Callable[[], object], is_done: Callable[[], bool]) -> float:
    started = time.perf_counter()
    act()
    _await(is_done)
    return time.perf_counter() - started


def _await(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not is_done():
        if time.monotonic() > deadline:
            raise CommandFailedError(f"the agent did not get there within {_PATIENCE:.0f} s")
        time.sleep(_GLANCE)
