"""Turn hosts of a laboratory into a place where packets are fired, and seen wherever they go.

Pods are namespaces with a veth on the bridge, addresses from the CNI configuration's ranges, a
default route by the bridge and hairpin mode: what the bridge plugin makes, without the time that
the plugins take. That the plugins make the same is what ``test_odd_mesh`` shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Self

from lab.cables import ETH, impatience, plug, pod_settings, run_in
from lab.catcher import Catcher
from lab.converging import converge_to
from lab.ears import Ears
from lab.errorlog import RULES, add_errors
from lab.network import ROUTER_IPV4, ROUTER_IPV6, WIRE, Lab, LabHost
from lab.podranges import pod_mtu, pod_ranges
from lab.senders import Frames, Stack
from lab.sockets import Net

from applier.linux.wireguard.kernel import KernelWireGuard
from applier.vault import Vault
from review.model.packet import Packet, Protocol
from review.model.surroundings import Surroundings
from schemas.resolve import resolve
from schemas.state import Documents, IptablesVariant
from schemas.values import NodeName, PublicKey

Address = IPv4Address | IPv6Address
WG, BR = "wormhole-wg0", "wormhole-br0"
PODS: Final = 2
"""On each host."""
OUTSIDE: Final = "outside"
WIRE_PORT: Final = "wire"
_ERRORS: Final = {
    # Who is refused is told, as far as can be set: the kernel is silent after a few a second.
    "ipv4/icmp_ratemask": 0,
    "ipv6/icmp/ratelimit": 0,
    # What is too big for one is no news for the next: nothing is learned of a path's MTU.
    "ipv6/route/mtu_expires": 0,
}


_NO_REDIRECTS: Final = {f"ipv4/conf/{name}/send_redirects": 0 for name in ("all", "default", ETH)}
"""Advice about shorter ways uses up what the kernel allows itself of refusals."""


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
        self.tunnels: dict[NodeName, Frames] = {}
        self.tunnel_tells = KernelWireGuard(Vault(b"")).is_available()
        """Whether a device says for whom it has no peer (``wg_xmit`` in drivers/net/wireguard, at
        a limited rate); wireguard-go does not."""
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

    def __exit__(self, *_: object) -> None:
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
        net.set_parameters({**_ERRORS, **_NO_REDIRECTS})
        host.run("nft", "-f", "-", stdin=RULES)
        self._listen(net)
        add_errors(self.ears, net)
        self.hosts[name] = host
        self.keys[name] = PublicKey(host.wormhole("keygen", expect=0).stdout.split()[-1])
        self.stacks[name] = Stack(net)
        self._stack.callback(self.stacks[name].close)
        self.tunnels[name] = Frames(net, WG)
        self._stack.callback(self.tunnels[name].close)
        self.hardware[name] = net.hardware(ETH)
        self.pods[name] = [self._make_pod(host, index) for index in range(PODS)]

    def _make_pod(self, host: LabHost, index: int) -> PodPlace:
        net = self._own_net(Net.make(f"{host.name}/pod{index}"))
        pod = PodPlace(net, host, index)
        self._stack.callback(pod.stack.close)
        net.set_parameters({**_ERRORS, "ipv6/conf/default/accept_dad": 0})
        plug(host, pod.port, net, ETH)
        net.set_parameters(impatience(ETH))
        self._listen(net)
        return pod

    def _make_catcher(self) -> None:
        net = self._own_net(Net.make("catcher"))
        net.set_parameters({"ipv6/conf/all/disable_ipv6": 1, "ipv6/conf/default/disable_ipv6": 1})
        self.catcher = Catcher(net, self.ears)
        plug(self.lab.router, "catch", net, WIRE_PORT)
        self.lab.router.ip(f"link set catch master {WIRE} up")
        for host in self.hosts.values():
            plug(host, "catch", net, f"h{host.number}")

    @property
    def underlay(self) -> dict[NodeName, tuple[str, str]]:
        """Each host's own addresses on the wire."""
        return {name: (host.ipv4, host.ipv6) for name, host in self.hosts.items()}

    def converge(self, documents: Documents) -> None:
        """Put the documents in place, by the real applier, and plug the pods in."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(lambda name: self._apply(name, documents), self.hosts))
        for name in self.hosts:
            self.nets[name].set_parameters(impatience(BR))
        self._ranges = {
            name: [(ip_address(first), ip_address(last)) for _, first, last in pod_ranges(host)]
            for name, host in documents.hosts.items()
        }

    def _apply(self, name: NodeName, documents: Documents) -> None:
        host = self.hosts[name]
        # Sessions and addresses of another mesh would be remembered: each document begins anew.
        host.sh(f"for link in {BR} {WG}; do ip link delete $link 2>/dev/null || true; done")
        resolved = resolve(documents.mesh, documents.hosts[name])
        converge_to(host, resolved)

    def surround(self, around: Surroundings, variant: IptablesVariant) -> None:
        """Give every host the settings that documents are silent about."""
        policy = f"-P FORWARD {around.forward_policy.value.upper()}"
        for name, host in self.hosts.items():
            parameters = {
                key.removeprefix("net.").replace(".", "/"): int(value)
                for key, value in around.sysctls.items()
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
        everyone = [self.outside, *self.hosts.values()]
        on_wire = {address for host in everyone for address in (host.ipv4, host.ipv6)}
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
        # As the bridge plugin does it: both ends of a cable are of one size.
        host.ip(*(f"link set {port} mtu {mtu} master {BR} up" for port in ports))
        host.sh("; ".join(f"bridge link set dev {port} hairpin on" for port in ports))
        for pod, given in zip(self.pods[name], addresses, strict=True):
            pod.addresses = tuple(address.partition("/")[0] for address in given)
            run_in(pod.net, *pod_settings(given, mtu))

    def warm_up(self, documents: Documents) -> None:
        """Let every two hosts that can find each other do so, so that later losses mean something.

        Whoever knows an endpoint speaks first, with a packet that carries no token.
        """
        for _ in range(2):
            for name in self.hosts:
                for packet in _greetings(documents, name):
                    with suppress(OSError):
                        self.tunnels[name].send(packet, 0)
                self.ears.listen(0.1)
        self.ears.heard.clear()


def _greetings(documents: Documents, name: NodeName) -> Iterator[Packet]:
    """Yield a packet for each peer: to whatever it is known by."""
    for peer in resolve(documents.mesh, documents.hosts[name]).peers.values():
        for prefix in peer.allowed_ips[:1]:
            address = prefix.partition("/")[0]
            yield Packet(source=address, destination=address, protocol=Protocol.UDP, size=80)
