"""Turn hosts on a wire into a cluster: a real API server on the router, an agent on each host.

The shipped manifests are applied as they are, and agents use the service account's own token. Two
parts of a cluster are played by the tests: the kubelet (pods, a Node's addresses), and the
controller manager. So nobody collects garbage: :meth:`ClusterLab.leave` deletes a Node's MeshNode
itself, which the garbage collector would do for the owner reference.
"""

import time
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from kube.audit import Entry
from kube.server import ApiServer
from lab.agreement import silent_pods, wrong_peers, wrong_status
from lab.capture import Capture, Packet
from lab.events import Events
from lab.member import Member, Object
from lab.mesh import API_VERSION, OVERLAY, PORT
from lab.namespace import LabError
from lab.network import ROUTER_IPV4, Lab, Outcome
from lab.waiting import wait_until
from manifests import build

NODES: Final = "/api/v1/nodes"
MESH: Final = "/apis/wormhole.dev/v1alpha1/meshes/lab"
MESH_NODES: Final = "/apis/wormhole.dev/v1alpha1/meshnodes"
SECRET: Final = "/api/v1/namespaces/wormhole-system/secrets/wormhole-psk"
ACCOUNT: Final = "system:serviceaccount:wormhole-system:wormhole-agent"
MERGE: Final = "application/merge-patch+json"
_FORWARD_DELAY: Final = 16.0


class ClusterLab:
    """A laboratory with an API server. Leaving the context ends all of it."""

    def __init__(self, folder: Path, **mesh: object) -> None:
        self.folder = folder
        self.lab = Lab()
        self.members: dict[str, Member] = {}
        self._mesh = {"overlayCIDRs": list(OVERLAY), **mesh}
        self._stack = ExitStack()
        self._server: ApiServer | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.lab)
            enter = ("nsenter", f"--net=/proc/{self.lab.router.pid}/ns/net")
            server = ApiServer(self.folder / "api", wrapper=enter, address=ROUTER_IPV4)
            self._server = stack.enter_context(server)
            server.apply(*build("base"))
            spec = {key: value for key, value in self._mesh.items() if value is not None}
            metadata = {"name": "lab"}
            server.apply(
                {"apiVersion": API_VERSION, "kind": "Mesh", "metadata": metadata, "spec": spec}
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def server(self) -> ApiServer:
        if self._server is None:
            raise RuntimeError("the cluster has no API server outside its context")
        return self._server

    @property
    def joined(self) -> tuple[Member, ...]:
        """The members that are in the mesh, as the test has it."""
        return tuple(member for member in self.members.values() if member.joined)

    # --- members ---

    def add(self, name: str, number: int | None = None) -> Member:
        """Plug a host into the wire that could become a node."""
        host = self.lab.add_host(name, number)
        kubeconfig = self.server.kubeconfig_for("wormhole-agent", near=False)
        member = Member(host, kubeconfig, self.folder / f"{name}.log")
        self.members[name] = member
        return member

    def join(self, *members: Member) -> None:
        """Create each member's Node, as its kubelet does, and start its agent if it has none."""
        for member in members:
            self.server.admin.create(NODES, member.node())
            member.joined = True
            if not member.agent.running:
                member.agent.start()

    def leave(self, *members: Member) -> None:
        """Delete each member's Node, and as the garbage collector would, its MeshNode."""
        for member in members:
            self.server.delete(f"{NODES}/{member.name}")
            self.server.delete(f"{MESH_NODES}/{member.name}")
            member.joined = False

    def move(self, member: Member, address: str) -> None:
        """Give a member's host another address, too, and let its Node tell of that one."""
        member.host.ip(f"address add {address}/24 dev eth0")
        self._tell_address(member, address)

    def move_back(self, member: Member) -> None:
        """Let a member's Node tell of the host's first address; take the other when all know."""
        address = member.address
        self._tell_address(member, member.host.ipv4)
        self.await_peers()
        member.host.ip(f"address delete {address}/24 dev eth0")

    def _tell_address(self, member: Member, address: str) -> None:
        member.address = address
        self.change(f"{NODES}/{member.name}/status", {"status": member.node_status()})

    def wormhole(self, *arguments: str, timeout: float = 90) -> Outcome:
        """Run ``wormhole`` on the first host as an operator with a kubeconfig; it must succeed."""
        kubeconfig = str(self.server.kubeconfig(near=False))
        first = next(iter(self.members.values()))
        asked = (*arguments, "--kubeconfig", kubeconfig)
        return first.host.wormhole(*asked, expect=0, timeout=timeout)

    # --- what is stored ---

    def mesh_nodes(self) -> dict[str, Object]:
        """Return the MeshNodes by name."""
        items = self.server.admin.get(MESH_NODES)["items"]
        return {item["metadata"]["name"]: item for item in items}

    def status(self, name: str) -> Object:
        """Return a MeshNode's status; empty when there is none."""
        found: Object = self.mesh_nodes().get(name, {}).get("status", {})
        return found

    def epoch(self) -> str:
        """Return the epoch that the Mesh names now."""
        epoch: str = self.server.admin.get(MESH)["spec"]["presharedKeyEpoch"]
        return epoch

    def masters(self) -> dict[str, str]:
        """Return each epoch's master (base64), as the Secret has it."""
        data: dict[str, str] = self.server.admin.get(SECRET).get("data") or {}
        # An entry is the text of a file, and a Secret's data is base64 once more.
        return {epoch: b64decode(entry).decode().strip() for epoch, entry in data.items()}

    def change(self, path: str, body: Object) -> None:
        """Merge some fields into an object, as an administrator."""
        self.server.admin.patch(path, body, MERGE)

    def asked(self, since: int = 0) -> tuple[Entry, ...]:
        """Return what agents asked of the API, but for the first ``since`` requests."""
        entries = self.server.audit()
        return tuple(entry for entry in entries if entry.user == ACCOUNT)[since:]

    # --- what is awaited ---

    def await_peers(self, timeout: float = 30) -> float:
        """Wait until every joined member's device has exactly the others for peers."""
        return wait_until(lambda: wrong_peers(self.joined), timeout)

    def await_status(self, timeout: float = 30) -> float:
        """Wait until every joined member's MeshNode says that it is well and has all peers."""
        return wait_until(lambda: wrong_status(self.joined, self.mesh_nodes()), timeout)

    def await_pods(self, members: Iterable[Member] | None = None, timeout: float = 30) -> float:
        """Open a pod on each member and wait until all reach all, over IPv4 and IPv6."""
        chosen = self.joined if members is None else tuple(members)
        for member in chosen:
            member.open_pod()
        for member in chosen:
            member.host.settle()
        return wait_until(lambda: silent_pods(chosen, patience=1), timeout)

    def await_silence(self, attempts: int = 15) -> None:
        """Wait until no host tells of anything for a second.

        Of a new pod's port the bridge tells once more when its forward delay of 15 s has passed
        (``br_forward_delay_timer_expired``, net/bridge/br_stp_timer.c).

        Raises:
            LabError: some host never falls silent.

        """
        youngest = max((member.pod_since for member in self.joined), default=0.0)
        time.sleep(max(0.0, youngest + _FORWARD_DELAY - time.monotonic()))
        loud: dict[str, tuple[str, ...]] = {}
        for _ in range(attempts):
            with self.listening() as monitors:
                time.sleep(1)
            loud = {name: monitor.seen for name, monitor in monitors.items() if monitor.seen}
            if not loud:
                return
        raise LabError(f"no silence: {loud}")

    # --- what is seen ---

    @contextmanager
    def listening(self) -> Iterator[dict[str, Events]]:
        """Record what each joined host's kernel tells of while the context is open."""
        with ExitStack() as stack:
            yield {member.name: stack.enter_context(Events(member.host)) for member in self.joined}

    def plaintext(self, capture: Capture) -> tuple[Packet, ...]:
        """Return what was on the wire that should not have been.

        Beside WireGuard that is TLS with the API server, and, while a host has no device, its
        kernel's word that nobody listens on WireGuard's port.
        """
        return tuple(
            packet
            for packet in capture.in_clear({PORT})
            if not self._is_api(packet) and not packet.is_refusal
        )

    def _is_api(self, packet: Packet) -> bool:
        ends = (packet.source, packet.destination)
        return (
            packet.protocol == "tcp"
            and self.server.address in ends
            and self.server.port in packet.ports
        )

    def logs(self, last: int = 40) -> str:
        """Return the end of every agent's log."""
        return "\n".join(
            f"===== {member.name}\n{member.agent.said(last)}" for member in self.members.values()
        )
