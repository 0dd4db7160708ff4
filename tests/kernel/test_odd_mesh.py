"""Four dual-stack hosts with odd names and prefixes, pre-shared keys on, both iptables variants."""

import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from lab.capture import Capture
from lab.events import Events
from lab.mesh import PORT, Mesh, expected_psk, place_master
from lab.network import Lab, LabHost, Outcome
from lab.pods import Pod
from lab.probes import ask, ping, ping_all, serve

pytestmark = pytest.mark.kernel

WG, BR = "wormhole-wg0", "wormhole-br0"
EPOCH = "2026-11"
LONG_NAME = ".".join("abcdefghijklmnopqrstuvwxyz-0123456789" for _ in range(7))[:253].rstrip(".-")
MEMBERS = {
    "node-a": ("10.244.0.0/24", "fd00:244::/64"),
    "ip-192-0-2-2.eu-west-1.compute.internal": ("10.244.16.0/20", "fd00:244:0:2::/80"),
    LONG_NAME: ("10.244.1.16/28", "fd00:244:0:3::ab00/120"),
    "7": ("10.99.128.0/17", "10.244.2.0/27", "fd00:99:0:4::/112"),
}
SERVICE4, SERVICE6 = "10.96.0.1", "fd00:96::1"
PORT_ON_NODE, PORT_OF_POD = 30080, 8080


@dataclass(frozen=True, kw_only=True)
class Town:
    """The converged mesh, with a pod on each host and a machine outside of it."""

    lab: Lab
    mesh: Mesh
    hosts: tuple[LabHost, ...]
    pods: tuple[Pod, ...]
    outside: LabHost
    master: str
    variant: str

    def iptables(self, host: LabHost, address: str, rule: str) -> None:
        """Load one rule into the family of an address, ``{to}`` being the address and port."""
        tool = "ip6tables" if ":" in address else "iptables"
        to = f"[{address}]:{PORT_OF_POD}" if ":" in address else f"{address}:{PORT_OF_POD}"
        host.sh(f"{tool}-{self.variant} {rule.format(to=to)}")


@pytest.fixture(scope="module", params=["nft", "legacy"])
def town(
    request: pytest.FixtureRequest,
    laboratory: type[Lab],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Town]:
    mesh = Mesh(
        tmp_path_factory.mktemp("town"),
        overlayCIDRs=["10.244.0.0/16", "10.99.0.0/16", "fd00:244::/48", "fd00:99::/48"],
        presharedKeyEpoch=EPOCH,
        iptablesVariant=request.param,
    )
    master = b64encode(secrets.token_bytes(32)).decode()
    with laboratory() as lab, ExitStack() as stack:
        outside = lab.add_host("outside", 200)
        hosts = tuple(lab.add_host(name, number) for number, name in enumerate(MEMBERS, start=1))
        for host in hosts:
            # As container runtimes and cautious people leave it: what nobody accepts is dropped.
            for tool in ("iptables", "ip6tables"):
                host.run(f"{tool}-{request.param}", "-P", "FORWARD", "DROP")
            place_master(host, EPOCH, master)
            mesh.join(host, MEMBERS[host.name], ipv6=host.number % 2 == 0)
        mesh.compile(outside)
        for host in hosts:
            mesh.apply(host)
        pods = tuple(stack.enter_context(Pod(host, f"pod-{host.number}")) for host in hosts)
        for pod in pods:
            serve(pod, PORT_OF_POD)
        yield Town(
            lab=lab,
            mesh=mesh,
            hosts=hosts,
            pods=pods,
            outside=outside,
            master=master,
            variant=request.param,
        )


def others(town: Town, host: LabHost, *, ipv6: bool | None = None) -> tuple[str, ...]:
    """Return the addresses of the pods on other hosts."""
    return tuple(
        address
        for pod in town.pods
        if pod.host is not host
        for address in pod.addresses
        if ipv6 is None or (":" in address) is ipv6
    )


def every(town: Town) -> tuple[str, ...]:
    return tuple(address for pod in town.pods for address in pod.addresses)


def test_all_pods_and_hosts_reach_all_pods_and_only_wireguard_is_on_the_wire(town: Town) -> None:
    with town.lab.capture() as capture:
        silent = {pod.name: ping_all(pod, every(town)) for pod in town.pods}
        silent |= {host.name: ping_all(host, every(town)) for host in town.hosts}

    assert silent == dict.fromkeys(silent, ())
    assert capture.in_clear({PORT}) == ()
    assert capture.encrypted({PORT})


def test_pods_reach_their_own_host_and_the_other_hosts_in_the_overlay(town: Town) -> None:
    addresses = {
        (host.number, device): tuple(
            line.split()[3].partition("/")[0]
            for line in host.sh(f"ip -o address show dev {device} scope global").splitlines()
        )
        for host in town.hosts
        for device in (WG, BR)
    }
    # A pod takes its host's tunnel address for a neighbour's. IPv4 answers ARP for all addresses
    # of a host on every device; IPv6 looks for neighbours per device, so nobody answers.
    unheard = {
        pod.name: tuple(a for a in addresses[pod.host.number, WG] if ":" in a) for pod in town.pods
    }

    everything = tuple(address for group in addresses.values() for address in group)
    silent = {pod.name: ping_all(pod, everything, patience=1) for pod in town.pods}

    assert len(everything) == 2 * 9
    assert silent == unheard


@pytest.mark.parametrize(("ipv6", "headers"), [(False, 28), (True, 48)])
def test_packets_as_large_as_the_mtu_pass_whole_and_larger_ones_are_refused(
    town: Town, headers: int, *, ipv6: bool
) -> None:
    # 1500 less 80 for IPv6 endpoints, down to a multiple of 16: WireGuard pads to that.
    assert {pod.mtu for pod in town.pods} == {1408}

    for pod in town.pods:
        targets = others(town, pod.host, ipv6=ipv6)
        assert ping_all(pod, targets, size=1408 - headers) == ()
        assert ping_all(pod, targets, size=1408 - headers + 1, patience=0.1) == targets


def test_every_pair_has_the_pre_shared_key_that_the_derivation_gives(town: Town) -> None:
    keys = {host.name: town.mesh.nodes[host.name]["publicKey"] for host in town.hosts}

    for host in town.hosts:
        lines = host.run("wg", "show", WG, "preshared-keys").stdout.splitlines()
        ours = keys[host.name]
        assert dict(line.split() for line in lines) == {
            theirs: expected_psk(town.master, EPOCH, ours, theirs)
            for theirs in keys.values()
            if theirs != ours
        }


def test_a_second_apply_causes_no_event_at_all(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORMHOLE_DEBUG", "1")
    for host in town.hosts:
        files = "stat -c '%n %i %y' /etc/cni/net.d/*"
        before = host.sh(files)
        # Pods' ports and link-local addresses settle in their own time, so the monitors may be
        # asked again; our own changes may not: the log of each apply is held, the first one's too.
        for _ in range(3):
            with Events(host) as events:
                said = town.mesh.apply(host)
            assert written(said) == []
            if not events.seen:
                break

        assert events.seen == (), said
        assert host.sh(files) == before
        assert town.mesh.plan(host).code == 0

    host = town.hosts[0]
    host.ip("link set wormhole-br0 mtu 1300")
    assert len(written(town.mesh.apply(host))) == 1


def written(said: Outcome) -> list[str]:
    """Return the changes to the host that an apply logged."""
    return [line for line in said.stderr.splitlines() if " wormhole.host: " in line]


def test_pods_leave_the_overlay_as_their_host_and_talk_inside_it_as_themselves(town: Town) -> None:
    pod, remote = town.pods[0], town.pods[1]
    with Pod(town.hosts[0], "neighbour") as neighbour:
        serve(neighbour, PORT_OF_POD)
        for here, there in zip(pod.addresses, neighbour.addresses, strict=True):
            assert ask(pod, there, PORT_OF_POD) == here
    for here, there in zip(pod.addresses, remote.addresses, strict=True):
        assert ask(pod, there, PORT_OF_POD) == here

    serve(town.outside, PORT_OF_POD)
    assert ask(pod, town.outside.ipv4, PORT_OF_POD) == pod.host.ipv4
    assert ask(pod, town.outside.ipv6, PORT_OF_POD) == pod.host.ipv6


def test_an_outsider_keeps_its_source_towards_local_pods_only(town: Town) -> None:
    host, local, remote = town.hosts[0], town.pods[0], town.pods[1]
    for number, pod in enumerate((local, remote)):
        for address in pod.addresses:
            town.iptables(
                host,
                address,
                "-t nat -A PREROUTING -i eth0 -p tcp"
                f" --dport {PORT_ON_NODE + number} -j DNAT --to-destination {{to}}",
            )

    seen = [
        ask(town.outside, address, PORT_ON_NODE + number)
        for number in (0, 1)
        for address in (host.ipv4, host.ipv6)
    ]

    own = [town.outside.ipv4, town.outside.ipv6]
    masqueraded = ["10.244.0.2", "fd00:244::2"]
    assert seen == own + masqueraded


def test_a_host_reaches_a_service_whose_pod_is_elsewhere(town: Town) -> None:
    host, remote = town.hosts[1], town.pods[2]
    for service, address in ((SERVICE4, remote.ipv4), (SERVICE6, remote.ipv6)):
        rule = f"-t nat -A OUTPUT -d {service} -p tcp -j DNAT --to-destination {{to}}"
        town.iptables(host, address, rule)

    with town.lab.capture() as capture:
        seen = [ask(host, service, PORT_OF_POD) for service in (SERVICE4, SERVICE6)]

    # Its source was chosen for another device, so it leaves with the tunnel's address.
    assert seen == ["10.244.16.2", "fd00:244:0:2::2"]
    assert capture.in_clear({PORT}) == ()


def test_nobody_forges_a_source(town: Town) -> None:
    pod, target = town.pods[0], town.pods[1]
    forged = {"pod": "10.244.16.77", "outside": "10.244.0.77"}
    pod.sh(f"ip address add {forged['pod']}/32 dev lo")
    town.outside.ip(
        f"address add {forged['outside']}/32 dev lo", f"route add {target.ipv4} via 192.0.2.2"
    )

    with Capture(target.host, BR) as capture:
        assert not ping(pod, target.ipv4, source=forged["pod"], patience=0.3)
        assert not ping(town.outside, target.ipv4, source=forged["outside"], patience=0.3)
        assert ping(pod, target.ipv4)

    sources = {packet.source for packet in capture.packets if packet.protocol == "icmp"}
    assert sources == {pod.ipv4, target.ipv4}
