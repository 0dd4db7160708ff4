"""Turn a random number generator into meshes and shots: any that the model should understand."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from random import Random
from typing import Final

from inventories import make_inventory, make_mesh, make_node
from lab.podranges import pod_ranges
from lab.shootingrange import ShootingRange
from lab.shots import Shot

from compiler.inventory import Inventory
from review.model.packet import Entry, Packet, Protocol, Start
from review.model.surroundings import Surroundings
from schemas.state import Documents, HostState, IptablesVariant, Verdict
from schemas.values import Endpoint, NodeName, Prefix

_OVERLAYS: Final = (
    ("10.0.0.0/8",),
    ("fd00:244::/32",),
    ("10.0.0.0/8", "fd00:244::/32"),
    ("10.0.0.0/8", "fd00:244::/32"),
    ("10.0.0.0/8", "172.16.0.0/12", "fd00:244::/32", "fd00:99::/32"),
)
_EXCEPTIONS: Final = ("203.0.113.0/25", "2001:db8::/64", "192.0.2.128/25", "0.0.0.0/0", "::/0")
OUTSIDE: Final = {
    False: ("192.0.2.200", "203.0.113.5", "203.0.113.200", "192.0.2.77"),
    True: ("2001:db8::c8", "2001:db8:99::5", "2001:db8::7777"),
}
"""Addresses of the outside: of one machine that answers, and of nobody."""
_PORT: Final = 9806


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What packets can be aimed at."""

    documents: Documents
    overlay: tuple[Prefix, ...]
    pods: dict[NodeName, tuple[tuple[str, ...], ...]]
    """Each pod's addresses, with their lengths."""


def draw_surroundings(rng: Random) -> Surroundings:
    """Draw what documents are silent about, and hosts have one way or the other."""
    bridge = str(rng.randint(0, 1))
    return Surroundings(
        forward_policy=rng.choice([Verdict.ACCEPT, Verdict.DROP]),
        sysctls={
            "net.bridge.bridge-nf-call-iptables": bridge,
            "net.bridge.bridge-nf-call-ip6tables": bridge,
            "net.ipv4.conf.all.rp_filter": rng.choice(["0", "0", "1", "2"]),
        },
        everybody_spoke=True,
    )


def draw_inventory(rng: Random, hosts: ShootingRange, variant: IptablesVariant) -> Inventory:
    """Draw a mesh of the laboratory's hosts."""
    overlay = rng.choice(_OVERLAYS)
    mesh = make_mesh(
        *overlay,
        masquerade=rng.random() < 0.7,
        non_masquerade_cidrs=tuple(sorted(rng.sample(_EXCEPTIONS, rng.randint(0, 2)))),
        iptables_variant=variant,
    )
    silent = rng.choice([None, None, *hosts.hosts])
    nodes = []
    for number, (name, host) in enumerate(hosts.hosts.items()):
        address = rng.choice([host.ipv4, f"[{host.ipv6}]"])
        nodes.append(
            make_node(
                name,
                *_draw_pod_cidrs(rng, overlay, number),
                public_key=hosts.keys[name],
                endpoint=None if name == silent else Endpoint(f"{address}:{_PORT}"),
                underlay_mtu=rng.choice([1500, 1500, 1400, 1366]),
            )
        )
    return make_inventory(mesh, *nodes)


def _draw_pod_cidrs(rng: Random, overlay: Sequence[str], number: int) -> tuple[str, ...]:
    families = sorted({":" in prefix for prefix in overlay})
    wanted = families if rng.random() < 0.8 else [rng.choice(families)]
    cidrs = []
    for ipv6 in wanted:
        for part in range(rng.choice([1, 1, 2])):
            if ipv6:
                base = rng.choice([p for p in overlay if ":" in p]).partition("::")[0]
                length = rng.choice([64, 80, 112, 120, 124])
                cidrs.append(str(ip_network(f"{base}:{number:x}:{part:x}::/{length}")))
            else:
                base = rng.choice([p for p in overlay if ":" not in p]).partition(".")[0]
                second = 16 + number if base == "172" else number
                length = rng.choice([18, 24, 25, 27, 28])
                cidrs.append(f"{base}.{second}.{part * 64}.0/{length}")
    return tuple(sorted(set(cidrs)))


def draw_pods(rng: Random, host: HostState, count: int) -> tuple[tuple[str, ...], ...]:
    """Draw the addresses of a host's pods, with lengths: one of each family, none twice."""
    lengths = [ip_interface(each).network for each in host.bridge.addresses]
    pods: list[tuple[str, ...]] = []
    taken: set[str] = set()
    for _ in range(count):
        given = []
        for index in sorted({index for index, _, _ in pod_ranges(host)}):
            ranges = [(first, last) for i, first, last in pod_ranges(host) if i == index]
            address = next(
                text
                for _ in range(1000)
                if (text := _draw_between(rng, *rng.choice(ranges))) not in taken
            )
            taken.add(address)
            net = next((net for net in lengths if ip_address(address) in net), None)
            if net is not None:
                given.append(f"{address}/{net.prefixlen}")
        pods.append(tuple(given))
    return tuple(pods)


def _draw_between(rng: Random, first: str, last: str) -> str:
    low, high = int(ip_address(first)), int(ip_address(last))
    # The ends are where mistakes are made.
    number = rng.choice([low, high, rng.randint(low, high), rng.randint(low, min(low + 20, high))])
    return str(type(ip_address(first))(number))


def is_for_many(address: str) -> bool:
    """Whether an address is multicast, or IPv4's broadcast to whoever is on the link."""
    return ip_address(address).is_multicast or address == "255.255.255.255"


class Aim:
    """Draws shots at everything that is there, and at much that is not."""

    def __init__(self, rng: Random, ground: Ground, hosts: ShootingRange) -> None:
        self._rng = rng
        self._ground = ground
        self._hosts = hosts
        self._families = sorted({":" in prefix for prefix in ground.overlay})

    def draw(self, token: int) -> Shot | None:
        """Draw a shot; None when there is nobody to fire what was drawn."""
        rng = self._rng
        ipv6 = rng.choice(self._families)
        entry = rng.choice([Entry.POD, Entry.POD, Entry.POD, Entry.HOST, Entry.OUTSIDE, Entry.PEER])
        name = rng.choice(list(self._hosts.hosts))
        peer = None
        pod = rng.randrange(2)
        if entry is Entry.PEER:
            peer = rng.choice([other for other in self._hosts.hosts if other != name])
        own = self._own_sources(entry, name, pod, peer, ipv6=ipv6)
        if not own:
            return None
        forged = rng.random() < (0.5 if entry in {Entry.PEER, Entry.OUTSIDE} else 0.25)
        if forged and entry is not Entry.HOST:
            source = rng.choice(self._anything(ipv6=ipv6))
        else:
            source = rng.choice(own)
        if entry is Entry.POD and not self._may_forge(name, pod, source):
            return None
        destination = self._draw_destination(ipv6=ipv6)
        protocol = rng.choice(list(Protocol))
        if not source and protocol is Protocol.TCP:
            protocol = Protocol.UDP
        if source not in own and entry is Entry.POD and is_for_many(destination):
            return None  # A process cannot: the source tells IPv4 which device to take.
        if destination in {source, *own} and entry in {Entry.POD, Entry.PEER}:
            return None  # A pod does not hear itself, and refuses what says to be from itself.
        if not source and is_for_many(destination) and ipv6:
            return None  # It would be sent from a link-local address, which documents do not know.
        icmp = protocol is Protocol.ICMP
        packet = Packet(
            source=source,
            destination=destination,
            protocol=protocol,
            source_port=1024 + token % 60000,
            destination_port=0 if icmp else 7777,
            tcp_syn=protocol is Protocol.TCP and rng.random() < 0.8,
            size=self._draw_size(entry, peer),
            dont_fragment=rng.random() < 0.5,
        )
        return Shot(
            token=token,
            packet=packet,
            start=Start(host=name, entry=entry, peer=peer),
            pod=pod,
            forged=source not in own,
        )

    def _may_forge(self, name: NodeName, pod: int, source: str) -> bool:
        """Whether the model takes a packet of this source for one of this pod's.

        A start names no pod: the sender is one in whose subnet the source is, or else one of the
        first of the family. Pods of other subnets send the same packet another way.
        """
        ranges = [
            (index, ip_address(first), ip_address(last))
            for index, first, last in pod_ranges(self._ground.documents.hosts[name])
        ]
        number, (own, *_) = ip_address(source), self._of_pod(name, pod, ipv6=":" in source)
        same = [each for each in ranges if each[1].version == number.version]
        meant = [each for each in same if int(each[1]) <= int(number) <= int(each[2])] or same
        return int(meant[0][1]) <= int(ip_address(own)) <= int(meant[0][2])

    def _draw_size(self, entry: Entry, peer: NodeName | None) -> int:
        rng = self._rng
        if rng.random() < 0.75:
            return rng.choice([80, 100, 200])
        hosts = self._ground.documents.hosts.values()
        mtus = {host.wireguard.mtu for host in hosts} | {host.bridge.mtu for host in hosts}
        size = rng.choice(sorted(mtus)) + rng.choice([-1, 0, 0, 1, 17])
        largest = 1500
        if entry is Entry.PEER and peer is not None:
            largest = self._ground.documents.hosts[peer].wireguard.mtu
        return min(size, largest)

    def _own_sources(
        self, entry: Entry, name: NodeName, pod: int, peer: NodeName | None, *, ipv6: bool
    ) -> list[str]:
        if entry is Entry.POD:
            return self._of_pod(name, pod, ipv6=ipv6)
        if entry is Entry.PEER and peer is not None:
            return [a for i in range(2) for a in self._of_pod(peer, i, ipv6=ipv6)] + self._of_host(
                peer, ipv6=ipv6
            )
        if entry is Entry.HOST:
            underlay = self._known_underlay(ipv6=ipv6).get(name, "")
            return ["", "", *self._of_host(name, ipv6=ipv6), underlay]
        return [OUTSIDE[ipv6][0]]

    def _known_underlay(self, *, ipv6: bool) -> dict[NodeName, str]:
        """Return the addresses on the wire that documents tell of: those of endpoints."""
        return {
            name: peer.endpoint.rpartition(":")[0].strip("[]")
            for peers in self._ground.documents.mesh.peer_groups.values()
            for name, peer in peers.items()
            if peer.endpoint is not None and ("[" in peer.endpoint) is ipv6
        }

    def _of_pod(self, name: NodeName, pod: int, *, ipv6: bool) -> list[str]:
        given = self._ground.pods[name][pod]
        return [each.partition("/")[0] for each in given if (":" in each) is ipv6]

    def _of_host(self, name: NodeName, *, ipv6: bool) -> list[str]:
        host = self._ground.documents.hosts[name]
        both = [*host.bridge.addresses, *host.wireguard.addresses]
        return [each.partition("/")[0] for each in both if (":" in each) is ipv6]

    def _anything(self, *, ipv6: bool) -> list[str]:
        """Return an address of each sort that somebody could forge."""
        rng, hosts = self._rng, list(self._hosts.hosts)
        some = [a for name in hosts for i in range(2) for a in self._of_pod(name, i, ipv6=ipv6)]
        some += [a for name in hosts for a in self._of_host(name, ipv6=ipv6)]
        some += [self._unused(name, ipv6=ipv6) for name in hosts]
        some += self._known_underlay(ipv6=ipv6).values()
        some += OUTSIDE[ipv6]
        some.append(self._unallocated(ipv6=ipv6))
        return [each for each in some if each] or [rng.choice(OUTSIDE[ipv6])]

    def _unused(self, name: NodeName, *, ipv6: bool) -> str:
        ranges = [
            (first, last)
            for _, first, last in pod_ranges(self._ground.documents.hosts[name])
            if (":" in first) is ipv6
        ]
        return _draw_between(self._rng, *self._rng.choice(ranges)) if ranges else ""

    def _unallocated(self, *, ipv6: bool) -> str:
        prefix = self._rng.choice([p for p in self._ground.overlay if (":" in p) is ipv6])
        net = ip_network(prefix)
        return str(net.network_address + net.num_addresses // 2 + 9)

    def _draw_destination(self, *, ipv6: bool) -> str:
        rng, hosts = self._rng, list(self._hosts.hosts)
        pods = [a for n in hosts for i in range(2) for a in self._of_pod(n, i, ipv6=ipv6)]
        kind = rng.random()
        if kind < 0.5 and pods:
            return rng.choice(pods)
        if kind < 0.97:
            return rng.choice(self._anything(ipv6=ipv6))
        return rng.choice(("ff02::1",) if ipv6 else ("224.0.0.1", "255.255.255.255"))
