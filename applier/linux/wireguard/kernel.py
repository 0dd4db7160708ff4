"""WireGuard in the kernel, by generic netlink."""

import errno

from applier.errors import HostError, Missing, Unobservable
from applier.host import DeviceUpdate, LiveDevice
from applier.linux.framing import NetlinkError
from applier.linux.netlink import (
    NETLINK_GENERIC,
    Netlink,
    OpenChannel,
    SocketChannel,
    resolve_family,
)
from applier.linux.wireguard import codec, links
from applier.linux.wireguard.removal import prefixes_to_remove, wants_removals
from applier.vault import Vault


class KernelWireGuard:
    """A :class:`~applier.host.WireGuardDoor` to the kernel's module."""

    def __init__(self, vault: Vault, open_channel: OpenChannel = SocketChannel) -> None:
        self._vault = vault
        self._open_channel = open_channel

    def is_available(self) -> bool:
        """Whether this kernel has WireGuard; asking makes it load the module, and no more."""
        try:
            with self._generic() as netlink:
                resolve_family(netlink, codec.FAMILY_NAME)
        except NetlinkError:
            return False
        return True

    def create(self, name: str, group: int) -> None:
        """Make the device, down, in the link group."""
        links.create_link(name, "wireguard", group, self._open_channel)

    def get(self, name: str) -> LiveDevice:
        """Read the whole device."""
        try:
            with self._generic() as netlink:
                family = resolve_family(netlink, codec.FAMILY_NAME)
                parts = netlink.dump(family, codec.get_device(name))
            return codec.decode_device(parts, self._vault)
        except NetlinkError as error:
            # Without the family there is no device either.
            missing = error.code in {errno.ENODEV, errno.ENOENT}
            raise (Missing if missing else Unobservable)(
                "read WireGuard device", name, error.reason, error.code
            ) from error

    def configure(self, name: str, update: DeviceUpdate) -> None:
        """Send exactly what the update holds; single prefixes leave last."""
        self._send(name, list(codec.set_device(name, update, self._vault)))
        if wants_removals(update):
            prefixes = prefixes_to_remove(update, self.get(name))
            self._send(name, list(codec.remove_prefixes(name, prefixes)))

    def delete(self, name: str) -> None:
        """Remove the device."""
        links.delete_link(name, self._open_channel)

    def _generic(self) -> Netlink:
        return Netlink(NETLINK_GENERIC, self._open_channel)

    def _send(self, name: str, requests: list[bytes]) -> None:
        sent = 0
        try:
            with self._generic() as netlink:
                family = resolve_family(netlink, codec.FAMILY_NAME)
                for request in requests:
                    netlink.request(family, request)
                    sent += 1
        except NetlinkError as error:
            kind = Missing if error.code in {errno.ENODEV, errno.ENOENT} else HostError
            where = f"message {sent + 1} of {len(requests)}: " if len(requests) > 1 else ""
            raise kind(
                "configure WireGuard device", name, where + error.reason, error.code
            ) from error
