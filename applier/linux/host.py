"""The doors of :class:`applier.host.Host`, opened on the kernel that this process runs on."""

import time
from pathlib import Path
from typing import Self

from applier.host import DeviceUpdate, LiveDevice, WireGuardDoor
from applier.linux.files import Files
from applier.linux.network import NetworkDoors
from applier.linux.sysctl import Sysctls
from applier.linux.tools import Iptables
from applier.linux.wireguard.choice import WireGuardDoors
from applier.linux.wireguard.userspace import RUN_DIR
from applier.linux.writes import write
from applier.vault import Vault


class LinuxHost(NetworkDoors, Sysctls, Iptables, Files):
    """The machine, or the network namespace that the process is in. For one thread.

    Making one opens nothing; doors open what they need, and leaving the block closes it.
    """

    def __init__(self, vault: Vault, run_dir: Path = RUN_DIR) -> None:
        super().__init__()
        self._wireguard = WireGuardDoors(vault, run_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wireguard(self, name: str) -> WireGuardDoor:
        """Return the implementation behind a device, or the one to create it with."""
        link = self.link(name)
        return _LoggedWireGuard(self._wireguard.door_for(link.kind if link else None))

    def now(self) -> int:
        """Return Unix seconds."""
        return int(time.time())


class _LoggedWireGuard:
    """Passes everything on, and logs the changes; what is in them stays unsaid."""

    def __init__(self, door: WireGuardDoor) -> None:
        self._door = door

    def create(self, name: str, group: int) -> None:
        """Make the device."""
        with write("create WireGuard device", name):
            self._door.create(name, group)

    def get(self, name: str) -> LiveDevice:
        """Read the device."""
        return self._door.get(name)

    def configure(self, name: str, update: DeviceUpdate) -> None:
        """Change the device."""
        peers = f"{name}, {len(update.peers)} peers"
        with write("configure WireGuard device", peers):
            self._door.configure(name, update)

    def delete(self, name: str) -> None:
        """Remove the device."""
        with write("delete WireGuard device", name):
            self._door.delete(name)
