"""Turn namespaces that are only descriptors here into machines on a cable, set up with ``ip``."""

import subprocess
from collections.abc import Iterator, Sequence
from ipaddress import ip_interface
from typing import Final

from lab.namespace import LabError, Namespace
from lab.sockets import Net

ETH: Final = "eth0"


def impatience(device: str) -> dict[str, int]:
    """Return the settings that let a neighbour be missed after half a second, not three."""
    return {
        f"{family}/neigh/{device}/{name}": value
        for family in ("ipv4", "ipv6")
        for name, value in (("mcast_solicit", 1), ("retrans_time_ms", 400))
    }


def pod_settings(addresses: Sequence[str], mtu: int) -> Iterator[str]:
    """Yield what ``ip`` makes a pod of: addresses with lengths, the first of each as gateway."""
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


def plug(host: Namespace, port: str, net: Net, device: str) -> None:
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
