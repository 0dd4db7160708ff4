"""What can be done to a converged host by hand, and the changes by which plan must name it.

The host is ``node-a`` with 10.244.1.0/24 and fd00:244:0:1::/64; ``node-b`` is a peer that it talks
to, ``node-c`` one that never woke up.
"""

from dataclasses import dataclass

WG, BR = "wormhole-wg0", "wormhole-br0"


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
    damage(
        "bridge made anew, as the CNI plugin would",
        f"ip link delete {BR}; ip link add {BR} type bridge; ip link set {BR} up",
        f"update link {BR}",
        among_others=True,
    ),
    damage("device down", f"ip link set {WG} down", f"update up {WG}", among_others=True),
    damage("bridge down", f"ip link set {BR} down", f"update up {BR}", among_others=True),
    damage("device MTU wrong", f"ip link set {WG} mtu 1300", f"update link {WG}"),
    damage(
        "IPv6 switched off on the bridge",
        f"sysctl -qw net.ipv6.conf.{BR}.disable_ipv6=1",
        f"update link {BR}",
        among_others=True,
    ),
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
        "CNI file edited in place",
        "file=/etc/cni/net.d/10-wormhole.conflist; text=$(sed s/1440/1500/ $file);"
        'echo "$text" >$file',
        "update cni 10-wormhole.conflist",
    ),
    damage(
        "CNI file gone from behind its link",
        "rm /run/wormhole/cni/10-wormhole.conflist",
        "create cni 10-wormhole.conflist",
    ),
    damage(
        "CNI link leads elsewhere",
        "ln -sfn /nowhere /etc/cni/net.d/10-wormhole.conflist",
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
