"""A cluster of many agents, each with its own copy of the shipped rights, whole or less one.

All that an agent does at the API happens to each of them: it joins, its node moves, the mesh goes
to another epoch, a node comes, a rotation begins, and once the host cannot be read, which
is worth an Event. So whoever does not get on is short of something.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fakeagent import FakeAgent
from inventories import make_key
from kube.audit import Entry
from kube.rights import Object, Right, move, without
from kube.server import ApiServer
from lab.waiting import wait_until
from manifests import build

from applier.errors import Unobservable
from schemas.state import API_VERSION
from wormhole.cluster.api import (
    EVENTS,
    KUBEADM_CONFIG,
    MERGE_PATCH,
    MESH_NODES,
    MESHES,
    NAMESPACE,
    NODES,
    PSK_SECRET,
    secrets,
)
from wormhole.psk.epochs import encode_master
from wormhole.psk.store import ROTATING_TO

BASE: Final = build("base")
EPOCHS: Final = ("2026-11", "2026-12")
BY_HAND: Final = "by-hand"
"""The epoch that a rotation by hand leads to: its master is needed before the Mesh names it."""
LATE: Final = "late"
"""The node that comes when all are there."""


class Tenant:
    """One agent, its node, and the place where its rights and its Secret are."""

    def __init__(self, server: ApiServer, folder: Path, number: int, lacks: Right | None) -> None:
        self.lacks = lacks
        """Which right it does not have; None: it has the manifests as they are."""
        self.number = number
        self.node = f"node-{number:02}"
        self.namespace = NAMESPACE if lacks is None else f"wormhole-{number:02}"
        self.account = f"system:serviceaccount:{self.namespace}:wormhole-agent"
        self.secret = f"{secrets(self.namespace)}/{PSK_SECRET}"
        self._server = server
        self._folder = folder / self.node
        self.agent: FakeAgent | None = None

    @property
    def running(self) -> FakeAgent:
        if self.agent is None:
            raise RuntimeError(f"{self.node} has no agent yet")
        return self.agent

    def grant(self, *, whole: bool) -> None:
        """Apply the manifests: all rights in them, or all but the one that is lacking."""
        objects = BASE if whole or self.lacks is None else without(BASE, self.lacks)
        self._server.apply(*(objects if self.lacks is None else move(objects, self.namespace)))

    def revoke(self) -> None:
        """Apply the roles without the right that is lacking."""
        if self.lacks is not None:
            moved = move(without(BASE, self.lacks), self.namespace)
            self._server.apply(*(found for found in moved if "rules" in found))

    def open(self) -> FakeAgent:
        """Make the agent, or the next one on the same host, with a token of its account."""
        kubeconfig = self._server.kubeconfig_for("wormhole-agent", self.namespace)
        host = self.agent.host if self.agent else None
        self.agent = FakeAgent(self._folder, self.node, kubeconfig, self.namespace, host)
        if host is None:
            self.agent.host.faults.fail("links", 1, Unobservable("list", "links", "interrupted"))
        return self.agent

    def holds(self, epoch: str) -> bool:
        """Whether the host's file of an epoch's master is there."""
        return (self._folder / "data" / "psk" / epoch).exists()


class Tenancy:
    """The cluster: a Mesh without overlay, and a Node for each tenant."""

    def __init__(self, server: ApiServer, folder: Path, lacking: Iterable[Right | None]) -> None:
        self.server = server
        self.tenants = tuple(
            Tenant(server, folder, number, right) for number, right in enumerate(lacking, 1)
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    def furnish(self) -> None:
        """Make everything but agents."""
        configuration = "networking:\n  podSubnet: 10.244.0.0/16\n"
        path, _, name = KUBEADM_CONFIG.rpartition("/")
        data = {"ClusterConfiguration": configuration}
        self.server.admin.create(path, {"metadata": {"name": name}, "data": data})
        mesh = {"apiVersion": API_VERSION, "kind": "Mesh", "metadata": {"name": "mesh"}}
        self.server.admin.create(MESHES, mesh | {"spec": {"presharedKeyEpoch": EPOCHS[0]}})
        for tenant in self.tenants:
            self._add_node(tenant.node, tenant.number)

    def start(self) -> None:
        """Let every tenant have an agent, in the place of the one that it had."""
        self.stop()
        for tenant in self.tenants:
            self._stack.enter_context(tenant.open())

    def stop(self) -> None:
        """End the agents; hosts and files stay."""
        self._stack.close()

    def change_everything(self) -> None:
        """Let everything happen that agents watch for, but to Secrets."""
        self._add_node(LATE, 200)
        self._add_mesh_node(LATE, "10.244.200.0/24")
        for tenant in self.tenants:
            addresses = [{"type": "InternalIP", "address": f"198.51.100.{tenant.number}"}]
            status = {"status": {"addresses": addresses}}
            self.server.admin.patch(f"{NODES}/{tenant.node}/status", status, MERGE_PATCH)
        spec = {"spec": {"presharedKeyEpoch": EPOCHS[1]}}
        self.server.admin.patch(f"{MESHES}/mesh", spec, MERGE_PATCH)

    def add_masters(self, *epochs: str) -> None:
        """Put these epochs' masters into each Secret, and note a rotation to the last."""
        data = dict.fromkeys(epochs, encode_master(bytes(range(32))))
        noted = {"data": data, "metadata": {"annotations": {ROTATING_TO: epochs[-1]}}}
        for tenant in self.tenants:
            self.server.admin.patch(tenant.secret, noted, MERGE_PATCH)

    def read_unmet(self) -> Mapping[Tenant, tuple[str, ...]]:
        """Return what is not as it should be by now, by tenant."""
        nodes = {
            found["metadata"]["name"]: found for found in self.server.admin.get(MESH_NODES)["items"]
        }
        told = {
            (found["reason"], found["involvedObject"]["name"])
            for found in self.server.admin.get(EVENTS)["items"]
        }
        return {
            tenant: tuple(
                goal
                for goal, reached in {
                    **_judge_mesh_node(tenant, nodes.get(tenant.node, {})),
                    **_judge_keys(tenant, self.server.admin.get(tenant.secret)),
                    **_judge_host(tenant),
                    "an Event": ("Unobservable", tenant.node) in told,
                }.items()
                if not reached
            )
            for tenant in self.tenants
        }

    def await_whole(self, timeout: float, but: Iterable[str] = ()) -> float:
        """Wait until who lacks nothing has nothing unmet but what is still to come."""
        whole = tuple(tenant for tenant in self.tenants if tenant.lacks is None)
        return self._await(whole, timeout, but)

    def await_all(self, timeout: float) -> float:
        """Wait until nobody has anything unmet."""
        return self._await(self.tenants, timeout)

    def await_connected(self, tenant: Tenant, timeout: float = 40) -> float:
        """Wait until an agent has nothing against the API: its watches are open again."""

        def complain() -> str:
            tenant.running.remind()
            return tenant.running.turns[-1].api_error

        return wait_until(complain, timeout)

    def _await(self, tenants: Iterable[Tenant], timeout: float, but: Iterable[str] = ()) -> float:

        def complain() -> str:
            unmet = self.read_unmet()
            short = {
                tenant.node: missing
                for tenant in tenants
                if (missing := set(unmet[tenant]) - set(but))
            }
            return str(short) if short else ""

        return wait_until(complain, timeout, every=0.1)

    def asked(self, tenant: Tenant) -> tuple[Entry, ...]:
        """Return what a tenant's account asked of the API."""
        return tuple(entry for entry in self.server.audit() if entry.user == tenant.account)

    def _add_node(self, name: str, number: int) -> None:
        address = {"type": "InternalIP", "address": f"192.0.2.{number}"}
        prefix = f"10.244.{number}.0/24"
        node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        node["spec"] = {"podCIDR": prefix, "podCIDRs": [prefix]}
        node["status"] = {"addresses": [address]}
        self.server.admin.create(NODES, node)

    def _add_mesh_node(self, name: str, prefix: str) -> None:
        node: Object = {"apiVersion": API_VERSION, "kind": "MeshNode", "metadata": {"name": name}}
        node["spec"] = {"publicKey": make_key(name), "podCIDRs": [prefix]}
        self.server.admin.create(MESH_NODES, node)


def await_rights(tenants: Sequence[Tenant], server: ApiServer, timeout: float = 10) -> None:
    """Wait until the server goes by the Roles as they are now."""

    def complain() -> str:
        return ", ".join(
            f"{tenant.node} may {tenant.lacks}"
            for tenant in tenants
            if tenant.lacks is not None and may(server, tenant, tenant.lacks)
        )

    wait_until(complain, timeout)


def may(server: ApiServer, tenant: Tenant, right: Right) -> bool:
    """Return whether the server says that a tenant's agent may do this."""
    resource, _, subresource = right.resource.partition("/")
    place = tenant.namespace if right.namespace == NAMESPACE else right.namespace
    attributes = {
        "namespace": place,
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "name": right.name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": tenant.account, "resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(server.admin.create(path, review)["status"]["allowed"])


def settle(seconds: float) -> None:
    """Let agents go on for a while."""
    time.sleep(seconds)


def _judge_mesh_node(tenant: Tenant, found: Object) -> Mapping[str, bool]:
    spec, metadata = found.get("spec", {}), found.get("metadata", {})
    conditions = found.get("status", {}).get("conditions", ())
    return {
        "its MeshNode": spec.get("publicKey") == tenant.running.public_key,
        "its owner": [each["name"] for each in metadata.get("ownerReferences", ())]
        == [tenant.node],
        "its new address": spec.get("endpoint") == f"198.51.100.{tenant.number}",
        "its status": {"type": "Ready", "status": "True"}.items()
        in [{name: each[name] for name in ("type", "status")}.items() for each in conditions],
    }


def _judge_keys(tenant: Tenant, secret: Object) -> Mapping[str, bool]:
    entries = secret.get("data") or {}
    return {
        **{f"master {epoch} in the Secret": epoch in entries for epoch in EPOCHS},
        **{f"master {epoch} here": tenant.holds(epoch) for epoch in (EPOCHS[1], BY_HAND)},
    }


def _judge_host(tenant: Tenant) -> Mapping[str, bool]:
    peers = {
        peer.public_key
        for device in tuple(tenant.running.host.devices.devices.values())
        for peer in device.peers
    }
    return {"its peers": bool(peers), "the late peer": make_key(LATE) in peers}
