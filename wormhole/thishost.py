"""Open the doors to this machine for the commands that look at it or change it."""

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from applier.errors import AgentRuns, Locked, Unobservable
from applier.host import Host
from applier.paths import Paths
from applier.pending.note import Note
from applier.pending.verdict import Moment
from applier.situation import Situation
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


def read_moment(paths: Paths) -> Moment:
    """Return what a verdict on a change on trial depends on, beside its note."""
    from applier.linux.moment import read_moment  # noqa: PLC0415 - as above

    return read_moment(paths)


def arm_watchdog(before: Situation, note: Note, vault: Vault, paths: Paths) -> None:
    """Start the process that goes back unless somebody confirms a change; return when it watches.

    Raises:
        HostError: it did not get ready.

    """
    from applier.linux.guard import arm  # noqa: PLC0415 - only a change on trial needs it

    arm(before, note, vault=vault, paths=paths)


@contextmanager
def hold_lock(paths: Paths, patience: float = 0) -> Iterator[None]:
    """Be the only applier on this host, after so many seconds of waiting at most.

    Raises:
        Locked: another one is at work, still.

    """
    from applier.linux.lock import hold_within  # noqa: PLC0415 - only what writes needs it

    with hold_within(paths.run / "lock", patience):
        yield


@contextmanager
def hold_agent_lock(
    paths: Paths, patience: float = 0, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Be the only agent on this host, or sure that there is none. An agent holds it for life.

    Waits for so many seconds, and tells once for whom: when a DaemonSet is updated, the old agent
    may be about to end.

    Raises:
        AgentRuns: there is another one, still.

    """
    from applier.linux.lock import hold_within  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        try:
            stack.enter_context(hold_within(paths.run / "agent.lock", patience, tell))
        except Locked as error:
            found = (error.operation, error.target, error.reason, error.code)
            raise AgentRuns(*found) from error
        yield
