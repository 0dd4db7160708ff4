"""Turn a folder and a few ports into the command lines of a light control plane."""

import subprocess
from pathlib import Path
from typing import Final

from kube.requirements import find_apiserver, find_etcd

LOOPBACK: Final = "127.0.0.1"
NAME: Final = "kubernetes.default.svc"
"""The server's own certificate has this name, whatever address it listens on."""


def etcd_command(folder: Path, port: int, peer_port: int) -> tuple[str, ...]:
    """Return the command of an etcd that loses its data with the machine, not with a process."""
    url = f"http://{LOOPBACK}:{port}"
    return (
        *(find_etcd() or "etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
        *("--log-level", "warn", "--listen-peer-urls", f"http://{LOOPBACK}:{peer_port}"),
        *("--listen-client-urls", url, "--advertise-client-urls", url),
    )


def apiserver_command(folder: Path, address: str, port: int, etcd_port: int) -> tuple[str, ...]:
    """Return the command of an API server that authorises with RBAC and logs every request."""
    key = folder / "service-accounts.key"
    flags: dict[str, object] = {
        "etcd-servers": f"http://{LOOPBACK}:{etcd_port}",
        "bind-address": address,
        "advertise-address": address,
        "secure-port": port,
        "cert-dir": folder / "certs",
        "token-auth-file": folder / "tokens.csv",
        "service-account-issuer": f"https://{NAME}",
        "service-account-key-file": key,
        "service-account-signing-key-file": key,
        "service-cluster-ip-range": "10.96.0.0/16",
        "authorization-mode": "RBAC",
        "audit-policy-file": folder / "audit.json",
        "audit-log-path": folder / "audit.log",
        # What would need a controller manager, a network, or time.
        "disable-admission-plugins": "ServiceAccount",
        "endpoint-reconciler-type": "none",
        "enable-priority-and-fairness": "false",
        "profiling": "false",
    }
    program = find_apiserver() or "kube-apiserver"
    if _keeps_one_family(program):
        flags["feature-gates"] = "IPv6DualStack=true"
    return (
        program,
        *(f"--{name}={value}" for name, value in flags.items()),
    )


def _keeps_one_family(program: str) -> bool:
    """Whether a server drops all pod CIDRs of a Node but the first: before Kubernetes 1.21."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.split()[-1].removeprefix("v")
    return tuple(map(int, version.split(".")[:2])) < (1, 21)
