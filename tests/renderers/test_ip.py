from msgspec.structs import replace

from renderers import ip
from schemas.state import ResolvedHost

EXPECTED = """\
# node-b, mesh demo: links, addresses, routes
# load: ip -force -batch ip.batch
# The device comes first, because only you know which kind this host has:
#   ip link add wormhole-wg0 type wireguard, or wireguard-go wormhole-wg0
# Then its key, before this file: wireguard-go sets an MTU of its own until it first answers.
#   wg set wormhole-wg0 private-key /var/lib/wormhole/private.key

# What is not encrypted is unreachable, whatever becomes of the lines below.
route add unreachable 10.244.0.0/16 metric 4294967295 proto 87
route add unreachable fd00:244::/48 metric 4294967295 proto 87

# A bridge's MTU stays only when it is set after the bridge is made.
link set dev wormhole-wg0 group 9806 mtu 1408
link add dev wormhole-br0 group 9806 address MAC type bridge
link set dev wormhole-br0 mtu 1408

address add 10.244.1.2/32 dev wormhole-wg0
address add fd00:244:0:2::2/128 dev wormhole-wg0 nodad
address add 10.244.1.1/24 dev wormhole-br0
address add fd00:244:0:2::1/64 dev wormhole-br0 nodad
link set dev wormhole-wg0 up
link set dev wormhole-br0 up

route add 10.244.0.0/16 dev wormhole-wg0 metric 1024 proto 87
route add fd00:244::/48 dev wormhole-wg0 metric 1024 proto 87
"""


def test_guards_come_first_and_routes_last(resolved: ResolvedHost) -> None:
    bridge = replace(resolved.host.bridge, mac="MAC")
    assert ip.render(replace(resolved.host, bridge=bridge)) == {"ip.batch": EXPECTED}


def test_guards_come_first_whatever_their_place_in_the_document(resolved: ResolvedHost) -> None:
    host = replace(resolved.host, routes=tuple(reversed(resolved.host.routes)))
    lines = ip.render(host)["ip.batch"].splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert [line.startswith("route add unreachable") for line in commands[:3]] == [
        True,
        True,
        False,
    ]
