"""Objects of others on a host, of every kind, next to where Wormhole's own will be."""

from lab.network import LabHost

_SCRIPT = """
ip link add other type veth peer name other-end
ip link set other up
ip link add other-bridge group 7 type bridge
ip address add 198.51.100.1/24 dev other
ip address add 2001:db8:5::1/64 dev other nodad
ip route add 203.0.113.0/24 dev other protocol static
ip route add 10.245.0.0/16 dev other protocol bird metric 1024
ip route add unreachable 10.243.0.0/16 metric 4294967295
ip -6 route add 2001:db8:7::/48 dev other protocol bird
ip route add default dev other table 7
ip rule add priority 1000 from 198.51.100.0/24 lookup 7
ip -6 rule add priority 1000 from 2001:db8:5::/64 lookup 7
for ipt in iptables-{variant} ip6tables-{variant}; do
  $ipt -N OTHER
  $ipt -A OTHER -m comment --comment "somebody else's" -j ACCEPT
  $ipt -A FORWARD -i other -j OTHER
  $ipt -A INPUT -p tcp --dport 1 -j DROP
  $ipt -t mangle -A POSTROUTING -o other -j MARK --set-mark 0x7
  $ipt -t nat -N OTHER-NAT
  $ipt -t nat -A OTHER-NAT -j RETURN
  $ipt -t nat -A POSTROUTING -o other -j MASQUERADE
  $ipt -t nat -A POSTROUTING -j OTHER-NAT
done
echo '{{"cniVersion":"1.0.0","name":"other","plugins":[]}}' >/etc/cni/net.d/99-other.conflist
"""


def settle_foreigners(host: LabHost, variant: str) -> None:
    """Make links, addresses, routes, rules, chains and a CNI file that are not Wormhole's."""
    host.sh(_SCRIPT.format(variant=variant))
    host.settle()
