"""Which of the two implementations is meant: by the link's kind, or by what this host can do."""

from functools import cached_property
from pathlib import Path

from applier.host import WireGuardDoor
from applier.linux.wireguard.kernel import KernelWireGuard
from applier.linux.wireguard.userspace import RUN_DIR, SOCKET_DIR, UserspaceWireGuard
from applier.vault import Vault


class WireGuardDoors:
    """Both implementations on one host."""

    def __init__(
        self, vault: Vault, run_dir: Path = RUN_DIR, socket_dir: Path = SOCKET_DIR
    ) -> None:
        self._kernel = KernelWireGuard(vault)
        self._userspace = UserspaceWireGuard(vault, run_dir, socket_dir)

    def door_for(self, kind: str | None) -> WireGuardDoor:
        """Return the implementation behind a link of this kind; for others, the one to use.

        ``kind`` is ``Link.kind``, None when there is no link.
        """
        match kind:
            case "wireguard":
                return self._kernel
            case "tun":
                return self._userspace
            case _:
                return self._preferred

    @cached_property
    def _preferred(self) -> WireGuardDoor:
        """The kernel's where there is one: a third of the CPU time, and no process to lose."""
        return self._kernel if self._kernel.is_available() else self._userspace
