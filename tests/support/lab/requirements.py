"""Turn this machine into the list of what the laboratory lacks here."""

import os
import shutil
from pathlib import Path
from typing import Final

from lab.pods import plugin_folder

_PACKAGES: Final = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "sysctl": "procps",
    "ping": "iputils-ping",
    "iptables-nft": "iptables",
    "iptables-legacy": "iptables",
    "nft": "nftables",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
    "tcpdump": "tcpdump",
}
"""Program to the Debian package that brings it."""


def missing() -> tuple[str, ...]:
    """Return why there can be no laboratory here, a reason each; empty when there can."""
    reasons = [] if os.geteuid() == 0 else ["not root"]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    reasons += [
        f"no {program} (package {package})"
        for program, package in _PACKAGES.items()
        if not shutil.which(program, path=path)
    ]
    if plugin_folder() is None:
        reasons.append("no CNI plugins (package containernetworking-plugins)")
    if not Path("/dev/net/tun").exists():
        reasons.append("no /dev/net/tun (module tun)")
    if not reasons:
        reasons += _missing_privileges()
    return tuple(reasons)


def _missing_privileges() -> list[str]:
    """Try what a container's root may be refused, a namespace with mounts, and where it leads."""
    from lab.namespace import LabError, Namespace  # noqa: PLC0415 - only when all else is there

    try:
        with Namespace("probe") as probe:
            inside = probe.run("stat", "--format=%d:%i", "/").stdout.strip()
    except LabError as error:
        return [str(error)]
    root = Path("/").stat()
    if inside == f"{root.st_dev}:{root.st_ino}":
        return []
    # setns(2) to a mount namespace takes the root of that namespace, not the caller's.
    return ["a chroot, which whoever enters a namespace leaves (a container or a machine will do)"]
