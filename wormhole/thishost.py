"""Open the doors to this machine for the commands that look at it or change it."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from applier.errors import Unobservable
from applier.host import Host
from applier.paths import Paths
from applier.vault import Vault


def paths_from(arguments: argparse.Namespace) -> Paths:
    """Return the folders that the command line names."""
    return Paths(
        data=arguments.data_dir.absolute(),
        cni=arguments.cni_conf_dir.absolute(),
        run=arguments.run_dir.absolute(),
    )


def require_root() -> None:
    """Refuse anybody but root.

    Raises:
        Unobservable: only root may read a WireGuard device, the firewall and the host's key.

    """
    if os.geteuid() != 0:
        reason = "only root may read WireGuard devices, the firewall and the host's key: use sudo"
        raise Unobservable("look at", "this host", reason)


@contextmanager
def open_host(paths: Paths) -> Iterator[tuple[Host, Vault]]:
    """Yield the doors to this machine, and a vault that holds its private key.

    Raises:
        Problems: the host has no key yet, or a damaged one.

    """
    from applier.keys import open_vault  # noqa: PLC0415 - brings cryptography
    from applier.linux import LinuxHost  # noqa: PLC0415 - only what acts on a host pays for it
    from applier.linux.files import Files  # noqa: PLC0415

    vault, _ = open_vault(Files(), paths)
    with LinuxHost(vault, paths.run) as host:
        yield host, vault


@contextmanager
def open_host_without_key(paths: Paths) -> Iterator[Host]:
    """Yield the doors to this machine for who removes: marks say what is ours, not the key."""
    from applier.linux import LinuxHost  # noqa: PLC0415 - only what acts on a host pays for it

    with LinuxHost(Vault(os.urandom(32)), paths.run) as host:
        yield host


@contextmanager
def hold_lock(paths: Paths) -> Iterator[None]:
    """Be the only applier on this host.

    Raises:
        Locked: another one is at work.

    """
    from applier.linux.lock import hold  # noqa: PLC0415 - only what writes needs it

    with hold(paths.run / "lock"):
        yield
