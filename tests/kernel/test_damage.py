"""Everything that can be done to a host by hand is named by plan, healed by apply, and spares
what belongs to others."""

import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from lab.dumps import differences, foreign
from lab.foreigners import settle_foreigners
from lab.mesh import Mesh, place_master
from lab.network import Lab, LabHost
from lab.probes import answers_within

pytestmark = pytest.mark.kernel

WG, BR = "wormhole-wg0", "wormhole-br0"
EPOCH = "2026-11"


@dataclass(frozen=True, kw_only=True)
class Victim:
    """A converged host among foreign objects; a peer that it talks to, one that never woke up."""

    mesh: Mesh
    host: LabHost
    variant: str
    keys: dict[str, str]
    """Public keys by who has them: ``peer``, ``sleeper``, ``stranger``."""


@pytest.fixture(scope="module")
def victim(
    request: pytest.FixtureRequest,
    laboratory: type[Lab],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Victim]:
    variant = request.param
    mesh = Mesh(tmp_path_factory.mktemp("damage"), presharedKeyEpoch=EPOCH, iptablesVariant=variant)
    with laboratory() as lab:
        host, peer = lab.add_host("node-a"), lab.add_host("node-b")
        settle_foreigners(host, variant)
        master = b64encode(secrets.token_bytes(32)).decode()
        for member in (host, peer):
            place_master(member, EPOCH, master)
            mesh.join(member, [f"10.244.{member.number}.0/24", f"fd00:244:0:{member.number}::/64"])
        sleeper, stranger = (host.sh("wg genkey | wg pubkey").strip() for _ in range(2))
        mesh.nodes["node-c"] = {
            "publicKey": sleeper,
            "endpoint": "192.0.2.3:9806",
            "podCIDRs": ["10.244.3.0/24"],
        }
        mesh.compile(host)
        mesh.apply(host)
        mesh.apply(peer)
        keys = {"peer": mesh.nodes["node-b"]["publicKey"], "sleeper": sleeper, "stranger": stranger}
        yield Victim(mesh=mesh, host=host, variant=variant, keys=keys)


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Something done by hand, and the changes by which plan must name it."""

    name: str
    script: str
    """``{peer}``, ``{sleeper}``, ``{stranger}`` stand for public keys, ``{ipt}`` for the tool."""
    changes: tuple[str, ...]
    """Each ``action kind key``."""
    among_others: bool = False
    """More is broken by it than is named here."""

    def __str__(self) -> str:
        return self.name


def damage(name: str, script: str, *changes: str, among_others: bool = False) -> Damage:
    return Damage(name=name, script=script, changes=changes, among_others=among_others)


PEER, SLEEPER, STRANGER = "peer node-b", "peer node-c", "peer {stranger}"
GUARD4, GUARD6 = (
    f"guard {prefix} metric 4294967295" for prefix in ("10.244.0.0/16", "fd00:244::/48")
)
ROUTE4, ROUTE6 = (f"route {prefix} metric 1024" for prefix in ("10.244.0.0/16", "fd00:244::/48"))

DAMAGES = (
    damage("peer removed", f"wg set {WG} peer {{peer}} remove", f"create {PEER}"),
    damage(
        "foreign peer added",
        f"wg set {WG} peer {{stranger}} allowed-ips 203.0.113.7/32",
        f"delete {STRANGER}",
    ),
    damage(
        "prefix stolen by a foreign peer",
        f"wg set {WG} peer {{stranger}} allowed-ips 10.244.2.0/24",
        f"update {PEER}",
        f"delete {STRANGER}",
    ),
    damage(
        "allowed IP taken away",
        f"wg set {WG} peer {{peer}} allowed-ips 10.244.2.0/24",
        f"update {PEER}",
    ),
    damage(
        "allowed IP added",
        f"wg set {WG} peer {{peer}} allowed-ips 10.244.2.0/24,fd00:244:0:2::/64,203.0.113.0/24",
        f"update {PEER}",
    ),
    damage(
        "pre-shared key changed",
        f"wg genpsk | wg set {WG} peer {{peer}} preshared-key /dev/stdin",
        f"update {PEER}",
    ),
    damage(
        "pre-shared key removed",
        f"wg set {WG} peer {{peer}} preshared-key /dev/null",
        f"update {PEER}",
    ),
    damage(
        "keepalive changed",
        f"wg set {WG} peer {{peer}} persistent-keepalive 7",
        f"update {PEER}",
    ),
    damage(
        "endpoint of a peer that never woke up changed",
        f"wg set {WG} peer {{sleeper}} endpoint 192.0.2.99:1",
        f"update {SLEEPER}",
    ),
    damage("listen port changed", f"wg set {WG} listen-port 9999", f"update wireguard {WG}"),
    damage("firewall mark set", f"wg set {WG} fwmark 0x7", f"update wireguard {WG}"),
    damage(
        "private key changed",
        f"wg genkey | wg set {WG} private-key /dev/stdin",
        f"update wireguard {WG}",
    ),
    damage("device deleted", f"ip link delete {WG}", f"create link {WG}", among_others=True),
    damage("bridge deleted", f"ip link delete {BR}", f"create link {BR}", among_others=True),
    damage("device down", f"ip link set {WG} down", f"update up {WG}", among_others=True),
    damage("bridge down", f"ip link set {BR} down", f"update up {BR}", among_others=True),
    damage("device MTU wrong", f"ip link set {WG} mtu 1300", f"update link {WG}"),
    damage("bridge MTU wrong", f"ip link set {BR} mtu 1300", f"update link {BR}"),
    damage(
        "bridge MAC changed", f"ip link set {BR} address 02:00:00:00:00:77", f"update link {BR}"
    ),
    damage(
        "IPv4 address of the device removed",
        f"ip address delete 10.244.1.2/32 dev {WG}",
        f"create address {WG} 10.244.1.2/32",
        # With a link's last IPv4 address go its IPv4 routes (inetdev_destroy, net/ipv4/devinet.c).
        f"create {ROUTE4}",
    ),
    damage(
        "IPv6 address of the bridge removed",
        f"ip address delete fd00:244:0:1::1/64 dev {BR}",
        f"create address {BR} fd00:244:0:1::1/64",
    ),
    damage(
        "IPv4 address of the bridge removed",
        f"ip address delete 10.244.1.1/24 dev {BR}",
        f"create address {BR} 10.244.1.1/24",
    ),
    damage(
        "address added to the device",
        f"ip address add 203.0.113.9/32 dev {WG}",
        f"delete address {WG} 203.0.113.9/32",
    ),
    damage(
        "address added to the bridge",
        f"ip address add 10.244.1.9/24 dev {BR}; ip address add 2001:db8:9::9/64 dev {BR}",
        f"delete address {BR} 10.244.1.9/24",
        f"delete address {BR} 2001:db8:9::9/64",
    ),
    damage(
        "routes removed",
        f"ip route delete 10.244.0.0/16 dev {WG}; ip -6 route delete fd00:244::/48 dev {WG}",
        f"create {ROUTE4}",
        f"create {ROUTE6}",
    ),
    damage(
        "routes pointed elsewhere",
        "ip route change 10.244.0.0/16 dev other metric 1024 protocol 87;"
        "ip -6 route change fd00:244::/48 dev other metric 1024 protocol 87",
        f"update {ROUTE4}",
        f"update {ROUTE6}",
    ),
    damage(
        "route of ours that nobody asked for",
        f"ip route add 10.244.77.0/24 dev {WG} protocol 87",
        "delete route 10.244.77.0/24 metric 0",
    ),
    damage(
        "guard routes removed",
        "ip route delete unreachable 10.244.0.0/16 metric 4294967295;"
        "ip -6 route delete unreachable fd00:244::/48 metric 4294967295",
        f"create {GUARD4}",
        f"create {GUARD6}",
    ),
    damage(
        "IPv4 forwarding off",
        "sysctl -qw net.ipv4.ip_forward=0",
        "update sysctl net.ipv4.ip_forward",
    ),
    damage(
        "IPv6 forwarding off",
        "sysctl -qw net.ipv6.conf.all.forwarding=0",
        "update sysctl net.ipv6.conf.all.forwarding",
    ),
    damage(
        "CNI file edited",
        "sed -i s/1440/1500/ /etc/cni/net.d/10-wormhole.conflist;"
        "echo >>/etc/cni/net.d/10-wormhole.conflist",
        "update cni 10-wormhole.conflist",
    ),
    damage(
        "CNI file emptied",
        ": >/etc/cni/net.d/10-wormhole.conflist",
        "update cni 10-wormhole.conflist",
    ),
    damage(
        "CNI file removed",
        "rm /etc/cni/net.d/10-wormhole.conflist",
        "create cni 10-wormhole.conflist",
    ),
)

MANGLE, FILTER, NAT = (f"firewall {{tool}} {table}" for table in ("mangle", "filter", "nat"))

FIREWALL_DAMAGES = (
    damage(
        "rule deleted",
        "{ipt} -t mangle -D WORMHOLE-GUARD 1",
        f"update {MANGLE} WORMHOLE-GUARD",
    ),
    damage(
        "rule inserted",
        "{ipt} -t mangle -I WORMHOLE-GUARD 1 -j RETURN",
        f"update {MANGLE} WORMHOLE-GUARD",
    ),
    damage(
        "rule added at the end",
        "{ipt} -A WORMHOLE-ANTISPOOF -j RETURN",
        f"update {FILTER} WORMHOLE-ANTISPOOF",
    ),
    damage(
        "rules reordered",
        "rule=$({ipt} -S WORMHOLE-ANTISPOOF 1 | sed 's/^-A //'); {ipt} -D WORMHOLE-ANTISPOOF 1;"
        'eval "{ipt} -A $rule"',
        f"update {FILTER} WORMHOLE-ANTISPOOF",
    ),
    damage(
        "rule edited under its mark",
        "rule=$({ipt} -t nat -S WORMHOLE-NAT 1 | sed 's/^-A WORMHOLE-NAT //; s/RETURN/ACCEPT/');"
        'eval "{ipt} -t nat -R WORMHOLE-NAT 1 $rule"',
        f"update {NAT} WORMHOLE-NAT",
    ),
    damage("chain flushed", "{ipt} -F WORMHOLE-FORWARD", f"update {FILTER} WORMHOLE-FORWARD"),
    damage(
        "jump removed",
        "rule=$({ipt} -t mangle -S POSTROUTING | sed -n 's/^-A \\(.*WORMHOLE-GUARD\\)/\\1/p');"
        'eval "{ipt} -t mangle -D $rule"',
        f"update {MANGLE} POSTROUTING",
    ),
    damage(
        "jump and chain removed",
        "rule=$({ipt} -S FORWARD | sed -n 's/^-A \\(.*WORMHOLE-FORWARD\\)/\\1/p');"
        'eval "{ipt} -D $rule"; {ipt} -F WORMHOLE-FORWARD; {ipt} -X WORMHOLE-FORWARD',
        f"create {FILTER} WORMHOLE-FORWARD",
        f"update {FILTER} FORWARD",
    ),
    damage(
        "jump behind an ACCEPT",
        "{ipt} -t mangle -I POSTROUTING 1 -j ACCEPT",
        f"update {MANGLE} POSTROUTING",
    ),
    damage(
        "jump in front of a DROP",
        "{ipt} -A FORWARD -j DROP",
        f"update {FILTER} FORWARD",
    ),
    damage(
        "a table flushed",
        "{ipt}-save -t nat >/run/{ipt}.nat; {ipt} -t nat -F",
        f"update {NAT} WORMHOLE-NAT",
        f"create {NAT} POSTROUTING",
    ),
)
UNDO = {
    "jump behind an ACCEPT": "{ipt} -t mangle -D POSTROUTING -j ACCEPT",
    "jump in front of a DROP": "{ipt} -D FORWARD -j DROP",
    "a table flushed": "{ipt}-restore </run/{ipt}.nat",
}
"""How to take back what was foreign in a damage; the rest apply has healed."""


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
@pytest.mark.parametrize("what", DAMAGES, ids=str)
def test_damage_is_named_and_healed(victim: Victim, what: Damage) -> None:
    damage_and_heal(victim, what, victim.keys)


@pytest.mark.parametrize("victim", ["nft", "legacy"], indirect=True)
@pytest.mark.parametrize("what", FIREWALL_DAMAGES, ids=str)
def test_a_firewall_damaged_in_both_families_is_named_and_healed(
    victim: Victim, what: Damage
) -> None:
    tools = [f"{family}-{victim.variant}" for family in ("iptables", "ip6tables")]

    damage_and_heal(victim, what, *({"ipt": tool, "tool": tool} for tool in tools))

    for tool in tools:
        victim.host.sh(UNDO.get(what.name, ":").format(ipt=tool))


def damage_and_heal(victim: Victim, what: Damage, *each: dict[str, str]) -> None:
    """Do the damage once with each set of names; see it named, healed, and nothing else touched."""
    mesh, host = victim.mesh, victim.host
    untouched = foreign(host)
    try:
        for names in each:
            host.sh(what.script.format(**names))
        before = foreign(host)
        named = {
            f"{change['action']} {change['kind']} {change['key']}"
            for change in mesh.plan_json(host)["changes"]
        }
    finally:
        healing = mesh.apply(host, expect=None)

    assert what.name in UNDO or differences(untouched, before) == "", "others were damaged, too"
    expected = {change.format(**names) for names in each for change in what.changes}
    assert expected == (named & expected if what.among_others else named)
    assert healing.code == 0, healing
    assert differences(before, foreign(host)) == ""
    outcome = mesh.plan(host)
    assert outcome.code == 0, outcome
    for address in ("10.244.2.1", "fd00:244:0:2::1"):
        assert answers_within(10, host, address)


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
def test_a_killed_userspace_device_comes_back(victim: Victim) -> None:
    if victim.host.run("pgrep", "-x", "wireguard-go", check=False).returncode:
        pytest.skip("the kernel has WireGuard here: there is no process to kill")
    before = foreign(victim.host)

    victim.host.sh("kill -9 $(pgrep -x wireguard-go)")

    plan = victim.mesh.plan(victim.host)
    assert plan.code == 1, plan
    assert WG in plan.stdout
    victim.mesh.apply(victim.host)
    assert victim.mesh.plan(victim.host).code == 0
    assert answers_within(10, victim.host, "10.244.2.1")
    assert differences(before, foreign(victim.host)) == ""


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
def test_an_endpoint_that_roamed_is_not_drift_and_status_says_so(victim: Victim) -> None:
    host, peer = victim.host, victim.keys["peer"]
    assert answers_within(10, host, "10.244.2.1")

    host.run("wg", "set", WG, "peer", peer, "endpoint", "192.0.2.99:9806")

    assert victim.mesh.plan(host).code == 0
    status = host.wormhole("status", expect=0)
    assert "roamed" in status.stdout
    assert "192.0.2.99:9806" in status.stdout
    host.run("wg", "set", WG, "peer", peer, "endpoint", "192.0.2.2:9806")


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
@pytest.mark.parametrize(
    ("script", "undo", "words"),
    [
        pytest.param(
            "ip route add 10.244.9.0/24 dev other",
            "ip route delete 10.244.9.0/24 dev other",
            "10.244.9.0/24",
            id="route inside the overlay",
        ),
        pytest.param(
            "cp /etc/cni/net.d/10-wormhole.conflist /run/kept;"
            "sed s/wormhole/other/ /run/kept >/etc/cni/net.d/10-wormhole.conflist",
            "cp /run/kept /etc/cni/net.d/10-wormhole.conflist",
            "10-wormhole.conflist",
            id="CNI file of another network",
        ),
        pytest.param(
            f"ip link delete {BR}; ip link add {BR} type bridge",
            f"ip link delete {BR}",
            BR,
            id="bridge that somebody else made",
        ),
    ],
)
def test_a_foreign_object_in_the_way_is_a_conflict_and_left_alone(
    victim: Victim, script: str, undo: str, words: str
) -> None:
    host = victim.host
    host.sh(script)
    before = foreign(host, links=())

    plan = victim.mesh.plan(host)
    assert plan.code == 4, plan
    assert words in plan.stdout
    victim.mesh.apply(host, expect=4)

    assert {name: text for name, text in foreign(host, links=()).items() if name == "cni"} == {
        "cni": before["cni"]
    }
    host.sh(undo)
    victim.mesh.apply(host)
    assert victim.mesh.plan(host).code == 0
