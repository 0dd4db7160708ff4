"""Turn a running host into the same host after its power was cut: its disk is all it knows.

What a kernel forgets is taken away piece by piece, in place, so that the host keeps its place on
the wire and its files. ``eth0`` keeps its addresses, as the host's own network settings would give
it them again.
"""

from typing import Final

from lab.network import LabHost

# Process 1 holds the namespaces, and what runs this script must live to its end. A tun device
# takes the kernel a second or two to end with its process, so the links come first.
_SCRIPT: Final = """
for link in /sys/class/net/*; do
  name=${link##*/}
  case $name in lo|eth0|bonding_masters) ;; *) ip link delete "$name" || true;; esac
done
for process in /proc/[0-9]*; do
  pid=${process#/proc/}
  # A process that ended meanwhile is what is wanted.
  case $pid in 1|$$|$PPID) ;; *) kill -KILL "$pid" 2>/dev/null || true;; esac
done
ip netns list | while read -r name rest; do ip netns delete "$name"; done
for family in -4 -6; do ip $family route flush proto 87; done
for table in ip ip6; do
  nft list tables | grep "^table $table " | while read -r table; do nft delete $table; done
done
for tool in iptables-legacy ip6tables-legacy; do
  for table in mangle filter nat; do $tool -t $table -F; $tool -t $table -X; done
done
sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
umount -l /run/netns 2>/dev/null || true  # ip made it a mount of its own
find /run -mindepth 1 -maxdepth 1 -exec rm -rf {} +
mkdir /run/netns
"""


def reboot(host: LabHost) -> None:
    """Take from a host everything that a reboot takes: processes, ``/run``, links, rules.

    Pods end with it; what the CNI plugins wrote about them on disk stays, as it would.
    """
    host.run("bash", "-eu", "-c", _SCRIPT)
    left = host.sh(
        "ip -o link show | grep -vE ': (lo|eth0)(@|:)' || true;"
        "find /run -mindepth 1 ! -path /run/netns;"
        "ip route show table all | grep -E 'proto (87|wormhole)' || true;"
        "nft list ruleset | grep WORMHOLE || true"
    )
    if left:
        raise AssertionError(f"{host.name}: a reboot left this: {left}")
