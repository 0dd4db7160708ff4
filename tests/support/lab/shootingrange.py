"""Turn hosts of a laboratory into a place where packets are fired, and seen wherever they go.

Pods are namespaces with a veth on the bridge, addresses from the CNI configuration's ranges, a
default route by the bridge and hairpin mode: what the bridge plugin makes, without the time that
the plugins take. That the plugins make the same is what ``test_odd_mesh`` shows.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from types import TracebackType
from typing import Final, Self

from lab.catcher import Catcher
from lab.ears import Ears, Sighting
from lab.errorlog import RULES, add_errors
from lab.mesh import PORT
from lab.namespace import LabError, Namespace
from lab.network import ROUTER_IPV4, ROUTER_IPV6, WIRE, Lab, LabHost
from lab.podranges import pod_mtu, pod_ranges
from lab.senders import Frames, Stack
from lab.shots import Shot
from lab.sockets import Net
from review.model.packet import Entry, Packet, Protocol
from review.model.surroundings import Surroundings
from schemas.document import dump
from schemas.resolve import resolve
from schemas.state import Documents, IptablesVariant, ResolvedHost
from schemas.values import NodeName, PublicKey

Address = IPv4Address | IPv6Address
WG, BR, ETH = "wormhole-wg0", "wormhole-br0", "eth0"
PODS: Final = 2
"""On each host."""
OUTSIDE: Final = "outside"
WIRE_PORT: Final = "wire"
QUIET: Final = 1.0
"""Seconds without a token after which nothing more will come: a neighbour may be looked for."""
QUIET_TUNNEL: Final = 0.25
"""The same where the packets are in the tunnel already."""
LONGEST: Final = 6.0
"""Seconds to wait for quiet."""

_APPLY: Final = """
import argparse
import sys
from applier.converge import converge
from schemas.document import load_resolved
from wormhole import thishost
from wormhole.options import add_host_folders
parser = argparse.ArgumentParser()
add_host_folders(parser)
paths = thishost.paths_from(parser.parse_args([]))
resolved = load_resolved(sys.stdin.buffer.read(), "resolved")
with thishost.open_host(paths) as (host, vault), thishost.hold_lock(paths):
    outcome = converge(host, resolved, vault=vault, paths=paths, allow_mass_delete=True)
left = [f"{change.action} {change.kind} {change.key}" for change in outcome.left.changes]
failed = [str(failure) for failure in outcome.failures]
if left or failed:
    sys.exit(f"left {left}, failed {failed}")
"""

_ERRORS: Final = {"ipv4/icmp_ratemask": 0, "ipv6/icmp/ratelimit": 0}
"""Every packet that is refused is told of: the kernel would be silent after a few a second."""


def _impatience(device: str) -> dict[str, int]:
    """Return the settings with which a neighbour is missed after less than half a second, not three."""
    return {
        f"{family}/neigh/{device}/{name}": value
        for family in ("ipv4", "ipv6")
        for name, value in (("mcast_solicit", 1), ("retrans_time_ms", 400))
    }


class PodPlace:
    """A pod: its namespace, and what sends from it."""

    def __init__(self, net: Net, host: LabHost, index: int) -> None:
        self.net = net
        self.host = host
        self.port = f"pod{index}"
        self.addresses: tuple[str, ...] = ()
        self.stack = Stack(net)


class ShootingRange:
    """Hosts, pods, an outside, and ears everywhere. Leaving the context ends all of it."""

    def __init__(self, lab: Lab, names: Sequence[str]) -> None:
        self.lab = lab
        self.names = tuple(names)
        self.ears = Ears()
        self.hosts: dict[NodeName, LabHost] = {}
        self.keys: dict[NodeName, PublicKey] = {}
        self.stacks: dict[NodeName, Stack] = {}
        self.pods: dict[NodeName, list[PodPlace]] = {}
        self.nets: dict[str, Net] = {}
        self.hardware: dict[NodeName, bytes] = {}
        """Of ``eth0``."""
        self._tunnels: dict[NodeName, Frames] = {}
        self._ranges: dict[NodeName, list[tuple[Address, Address]]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.ears.close)
            self._stack = stack
            self._make_outside()
            for name in self.names:
                self._make_host(NodeName(name))
            self._make_catcher()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _own_net(self, net: Net) -> Net:
        self._stack.callback(net.close)
        self.nets[net.name] = net
        return net

    def _make_outside(self) -> None:
        self.lab.router.ip(
            "route add blackhole 0.0.0.0/0 metric 4096", "route add blackhole ::/0 metric 4096"
        )
        self.outside = self.lab.add_host(OUTSIDE, 200)
        net = self._own_net(Net.enter(OUTSIDE, self.outside.pid))
        net.set_parameters(_ERRORS)
        self.outside_frames = Frames(net, ETH)
        self._stack.callback(self.outside_frames.close)
        self._listen(net)

    def _listen(self, net: Net) -> None:
        self.ears.add_devices(net)
        self.ears.add_processes(net)
        self.ears.add_answers(net)

    def _make_host(self, name: NodeName) -> None:
        host = self.lab.add_host(name, len(self.hosts) + 1)
        net = self._own_net(Net.enter(name, host.pid))
        net.set_parameters(_ERRORS)
        host.run("nft", "-f", "-", stdin=RULES)
        self._listen(net)
        add_errors(self.ears, net)
        self.hosts[name] = host
        self.keys[name] = PublicKey(host.wormhole("keygen", expect=0).stdout.split()[-1])
        self.stacks[name] = Stack(net)
        self._stack.callback(self.stacks[name].close)
        self._tunnels[name] = Frames(net, WG)
        self._stack.callback(self._tunnels[name].close)
        self.hardware[name] = net.hardware(ETH)
        self.pods[name] = [self._make_pod(host, index) for index in range(PODS)]

    def _make_pod(self, host: LabHost, index: int) -> PodPlace:
        net = self._own_net(Net.make(f"{host.name}/pod{index}"))
        pod = PodPlace(net, host, index)
        self._stack.callback(pod.stack.close)
        net.set_parameters({**_ERRORS, "ipv6/conf/default/accept_dad": 0})
        _plug(host, pod.port, net, ETH)
        net.set_parameters(_impatience(ETH))
        self._listen(net)
        return pod

    def _make_catcher(self) -> None:
        net = self._own_net(Net.make("catcher"))
        net.set_parameters({"ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1})
        self.catcher = Catcher(net, self.ears)
        _plug(self.lab.router, "catch", net, WIRE_PORT)
        self.lab.router.ip(f"link set catch master {WIRE} up")
        for host in self.hosts.values():
            _plug(host, "catch", net, f"h{host.number}")

    @property
    def underlay(self) -> dict[NodeName, tuple[str, str]]:
        """Each host's own addresses on the wire."""
        return {name: (host.ipv4, host.ipv6) for name, host in self.hosts.items()}

    def converge(self, documents: Documents) -> None:
        """Put the documents in place, by the real applier, and plug the pods in."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda name: self._apply(name, documents), self.hosts))
        for name in self.hosts:
            self.nets[name].set_parameters(_impatience(BR))
        self._ranges = {
            name: [(ip_address(first), ip_address(last)) for _, first, last in pod_ranges(host)]
            for name, host in documents.hosts.items()
        }

    def _apply(self, name: NodeName, documents: Documents) -> None:
        host = self.hosts[name]
        # Sessions and addresses of another mesh would be remembered: each document begins anew.
        host.sh(f"for link in {BR} {WG}; do ip link delete $link 2>/dev/null || true; done")
        resolved = resolve(documents.mesh, documents.hosts[name])
        _apply_to(host, resolved)

    def surround(self, around: Surroundings, variant: IptablesVariant) -> None:
        """Give every host the settings that documents are silent about."""
        policy = f"-P FORWARD {around.forward_policy.value.upper()}"
        for name, host in self.hosts.items():
            parameters = {
                key.removeprefix("net.").replace(".", "/"): int(value) for key, value in around.sysctls.items()
            }
            self.nets[name].set_parameters(parameters)
            host.sh(
                "for tool in iptables ip6tables; do"
                " for variant in nft legacy; do $tool-$variant -P FORWARD ACCEPT; done;"
                f" $tool-{variant.value} {policy}; done"
            )

    def plug_all(
        self, documents: Documents, pods: Mapping[NodeName, Sequence[Sequence[str]]]
    ) -> None:
        """Plug every pod in, and let the catcher answer for whoever is not there."""
        for name, addresses in pods.items():
            self._plug_pods(name, addresses, pod_mtu(documents.hosts[name]))
        self._take(documents)

    def _take(self, documents: Documents) -> None:
        everyone = {OUTSIDE: (self.outside.ipv4, self.outside.ipv6), **self.underlay}
        on_wire = {address for pair in everyone.values() for address in pair}
        self.catcher.taken[WIRE_PORT] = on_wire | {ROUTER_IPV4, ROUTER_IPV6}
        for name, host in self.hosts.items():
            document = documents.hosts[name]
            own = [*document.bridge.addresses, *document.wireguard.addresses]
            taken = {address.partition("/")[0] for address in own}
            taken |= {address for pod in self.pods[name] for address in pod.addresses}
            self.catcher.taken[f"h{host.number}"] = taken

    def host_of_port(self, device: str) -> NodeName:
        """Return whose bridge a device of the catcher is plugged into."""
        return next(name for name, host in self.hosts.items() if f"h{host.number}" == device)

    def is_for_pods(self, name: str, address: str) -> bool:
        """Whether the CNI configuration of a host could give this address to a pod."""
        number = ip_address(address)
        return any(
            first.version == number.version and int(first) <= int(number) <= int(last)
            for first, last in self._ranges[NodeName(name)]
        )

    def _plug_pods(self, name: NodeName, addresses: Sequence[Sequence[str]], mtu: int) -> None:
        """Give each pod of a host its addresses (with lengths), its gateways and its MTU."""
        host, ports = self.hosts[name], ["catch", *(pod.port for pod in self.pods[name])]
        # As large as can be: the pod's own end decides what a pod may send.
        host.ip(*(f"link set {port} mtu 9000 master {BR} up" for port in ports))
        host.sh("; ".join(f"bridge link set dev {port} hairpin on" for port in ports))
        for pod, given in zip(self.pods[name], addresses, strict=True):
            pod.addresses = tuple(address.partition("/")[0] for address in given)
            run_in(pod.net, *_settings(given, mtu))

    def warm_up(self, documents: Documents) -> None:
        """Let every two hosts that can find each other do so, so that later losses mean something.

        Whoever knows an endpoint speaks first, with a packet that carries no token.
        """
        for _ in range(2):
            for name in self.hosts:
                for packet in _greetings(documents, name):
                    with suppress(OSError):
                        self._tunnels[name].send(packet, 0)
                self.ears.listen(0.1)
        self.ears.heard.clear()

    def fire(self, shots: Sequence[Shot]) -> dict[int, list[Sighting]]:
        """Fire a volley; return what was seen of each shot until all was quiet again.

        What is seen later is not of interest: WireGuard keeps packets for a peer that it has no
        session with, and a liar that makes one sets them free.
        """
        self._introduce(shots)
        honest = [shot for shot in shots if shot.start.entry is not Entry.PEER]
        seen = self._send_all(honest, QUIET)
        lies: dict[tuple[NodeName, NodeName], list[Shot]] = {}
        for shot in shots:
            if shot.start.entry is Entry.PEER and shot.start.peer is not None:
                lies.setdefault((shot.start.peer, shot.start.host), []).append(shot)
        for (liar, victim), told in lies.items():
            if not self._has_tunnel(liar):
                for shot in told:
                    shot.fired = False
                continue
            with self._lying(liar, victim):
                seen |= self._send_all(told, QUIET_TUNNEL)
        return seen

    def _introduce(self, shots: Sequence[Shot]) -> None:
        """Tell pods who their IPv6 neighbours are, as far as they could find out at all.

        Neighbour discovery is itself filtered where bridged packets are shown to iptables, and asks
        from another address where the source is forged: the model is not about it.
        """
        lines: dict[PodPlace, dict[str, str]] = {}
        bridged = {name for name in self.hosts if self._has_bridge(name)}
        for shot in shots:
            host, address = shot.start.host, shot.packet.destination
            here = shot.start.entry is Entry.POD and host in bridged and ":" in address
            if here and self.is_for_pods(host, address):
                hardware = self._hardware_at(host, address).hex(":")
                line = f"neighbour replace {address} lladdr {hardware} dev {ETH} nud permanent"
                lines.setdefault(self.pods[host][shot.pod], {})[address] = line
        for pod, wanted in lines.items():
            run_in(pod.net, *wanted.values())

    def _has_bridge(self, name: NodeName) -> bool:
        return BR in self.hosts[name].sh(f"ip -o link show dev {BR} up 2>/dev/null || true")

    def _hardware_at(self, host: NodeName, address: str) -> bytes:
        for pod in self.pods[host]:
            if address in pod.addresses:
                return pod.net.hardware(ETH)
        return self.catcher.hardware(f"h{self.hosts[host].number}")

    def _send_all(self, shots: Sequence[Shot], quiet: float) -> dict[int, list[Sighting]]:
        self.ears.heard.clear()
        for number, shot in enumerate(shots, start=1):
            try:
                self._send(shot)
            except OSError as error:
                shot.error = error.errno or 0
                # Only a process is told why; a frame that its device refuses was never sent.
                shot.fired = shot.start.entry in {Entry.POD, Entry.HOST}
            if number % 16 == 0:
                self.ears.listen(0)
        self.ears.listen_until_quiet(quiet=quiet, longest=LONGEST)
        return {shot.token: self.ears.heard.get(shot.token, []) for shot in shots}

    def _send(self, shot: Shot) -> None:
        start, packet = shot.start, shot.packet
        match start.entry:
            case Entry.POD:
                self.pods[start.host][shot.pod].stack.send(packet, shot.token)
            case Entry.HOST:
                self.stacks[start.host].send(packet, shot.token)
            case Entry.OUTSIDE:
                hardware = self.hardware[start.host]
                self.outside_frames.send(packet, shot.token, hardware=hardware)
            case Entry.PEER if start.peer is not None:
                self._tunnels[start.peer].send(packet, shot.token)
            case Entry.PEER:
                raise LabError(f"nobody tells the lie {packet}")

    def _has_tunnel(self, name: NodeName) -> bool:
        command = ("wg", "show", WG, "listen-port")
        return not self.hosts[name].run(*command, check=False).returncode

    @contextmanager
    def _lying(self, liar: NodeName, victim: NodeName) -> Iterator[None]:
        """Let a host's device encrypt everything for one peer: what root there can always do."""
        host = self.hosts[liar]
        kept = host.run("wg", "showconf", WG).stdout
        mask = {PublicKey(key) for key in host.run("wg", "show", WG, "peers").stdout.split()}
        words = [word for key in mask for word in ("peer", key, "allowed-ips", "")]
        at = f"{self.hosts[victim].ipv4}:{PORT}"
        everything = ("peer", self.keys[victim], "endpoint", at, "allowed-ips", "0.0.0.0/0,::/0")
        host.run("wg", "set", WG, *words, *everything)
        try:
            yield
        finally:
            host.run("wg", "syncconf", WG, "/dev/stdin", stdin=kept)


def _apply_to(host: LabHost, resolved: ResolvedHost) -> None:
    host.run(sys.executable, "-c", _APPLY, stdin=dump(resolved).decode(), timeout=60)


def _greetings(documents: Documents, name: NodeName) -> Iterator[Packet]:
    """Yield a packet for each peer: to whatever it is known by."""
    for peer in resolve(documents.mesh, documents.hosts[name]).peers.values():
        for prefix in peer.allowed_ips[:1]:
            address = prefix.partition("/")[0]
            yield Packet(source=address, destination=address, protocol=Protocol.UDP, size=80)


def _settings(addresses: Sequence[str], mtu: int) -> Iterator[str]:
    yield f"address flush dev {ETH} scope global"
    yield f"neighbour flush dev {ETH} nud all"
    yield "link set lo up"
    yield f"link set {ETH} mtu {mtu} up"
    for address in addresses:
        yield f"address add {address} dev {ETH}"
    for address in addresses:
        gateway = ip_interface(address).network.network_address + 1
        everything = "::/0" if ":" in address else "0.0.0.0/0"
        yield f"route replace {everything} via {gateway} dev {ETH}"


def _plug(host: Namespace, port: str, net: Net, device: str) -> None:
    """Lay a cable: one end here, the other in a namespace that only we know."""
    host.run_outside_pids(
        *("ip", "link", "add", port, "mtu", "9000", "type", "veth"),
        *("peer", "name", device, "mtu", "9000", "netns", net.path),
    )
    run_in(net, f"link set {device} up")


def run_in(net: Net, *lines: str) -> None:
    """Run ``ip`` commands in a namespace that is only a descriptor here."""
    command = ("nsenter", f"--net={net.path}", "ip", "-batch", "-")
    text = "\n".join(lines) + "\n"
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        raise LabError(f"{net.name}: {done.stderr.strip()}\n{text}")
