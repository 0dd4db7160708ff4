"""The overlay's IP families to the kernel settings that routing between pods needs."""

from compiler.topology import Topology


def project_sysctls(topology: Topology) -> dict[str, str]:
    """Return forwarding for each IP family of the overlay, by dotted key.

    ``net.ipv6.conf.all.forwarding`` makes a host with ``accept_ra=1`` ignore router
    advertisements (kernel, ip-sysctl.rst): a host whose own default route comes from one needs
    ``accept_ra=2`` on that interface, which is not ours to set.
    """
    keys = {False: "net.ipv4.ip_forward", True: "net.ipv6.conf.all.forwarding"}
    return {keys[family.ipv6]: "1" for family in topology.families}
