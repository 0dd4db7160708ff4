"""A WireGuard implementation in memory: the kernel's, or a process behind a TUN device."""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from applier.errors import Exists, HostError, Missing, Unsupported
from applier.fake.faults import Faults
from applier.fake.network import FakeNetwork
from applier.host import DeviceUpdate, Link, LiveDevice, LivePeer, PeerUpdate
from applier.paths import Paths
from applier.vault import Vault
from schemas.values import PublicKey, sorted_prefixes

DEFAULT_MTU: Final = 1420


class FakeWireGuard:
    """Satisfies :class:`~applier.host.WireGuardDoor`."""

    def __init__(
        self,
        network: FakeNetwork,
        faults: Faults,
        vault: Vault,
        files: dict[Path, tuple[bytes, int]],
        paths: Paths,
    ) -> None:
        self.userspace = False
        self.available = True
        self.devices: dict[str, LiveDevice] = {}
        self.updates: list[DeviceUpdate] = []
        """All that was sent, in order."""
        self._network = network
        self._faults = faults
        self._vault = vault
        self._files = files
        self._paths = paths

    def create(self, name: str, group: int) -> None:
        """Make the device; a userspace one gets its group a step later."""
        with self._faults.write("wireguard.create", name):
            if not self.available:
                raise Unsupported("create WireGuard device", name, "no module, no wireguard-go")
            if name in self._network.links:
                raise Exists("create WireGuard device", name, "File exists", 17)
            device = LiveDevice(public_key="", listen_port=0, fwmark=0, peers=())
            if self.userspace:
                self._files[self._paths.starting(name)] = (b"", 0o600)
                self._faults.step()
                self._network.add_link(Link(name=name, kind="tun", group=0, mtu=DEFAULT_MTU))
                self.devices[name] = device
                self._faults.step()
                self._network.set_link(replace(self._network.link(name), group=group))
                del self._files[self._paths.starting(name)]
            else:
                link = Link(name=name, kind="wireguard", group=group, mtu=DEFAULT_MTU)
                self._network.add_link(link)
                self.devices[name] = device

    def get(self, name: str) -> LiveDevice:
        """Read the device."""
        self._faults.read("wireguard.get")
        return self._device(name)

    def configure(self, name: str, update: DeviceUpdate) -> None:
        """Change what is given; a step is made after each peer."""
        with self._faults.write("wireguard.configure", name):
            self.updates.append(update)
            device = self._device(name)
            if update.private_key is not None:
                self._vault.reveal(update.private_key)
                device = replace(device, public_key=update.private_key)
            if update.listen_port is not None:
                device = replace(device, listen_port=update.listen_port)
            if update.fwmark is not None:
                device = replace(device, fwmark=update.fwmark)
            self.devices[name] = device
            self.check_port(name)
            for index, peer in enumerate(update.peers):
                if index:
                    self._faults.step()
                self.devices[name] = self._with_peer(self.devices[name], peer)

    def delete(self, name: str) -> None:
        """Remove the device."""
        with self._faults.write("wireguard.delete", name):
            self._network.delete_link(name)
            self.devices.pop(name, None)

    def check_port(self, name: str) -> None:
        """Raise when an up device listens where another one does (``wg_socket_init``)."""
        ports = {
            device.listen_port
            for other, device in self.devices.items()
            if other != name and self._network.link(other).up and device.listen_port
        }
        if self._network.link(name).up and self.devices[name].listen_port in ports:
            raise HostError("open UDP port of", name, "Address already in use", 98)

    def _device(self, name: str) -> LiveDevice:
        if name not in self.devices:
            raise Missing("read WireGuard device", name, "No such device", 19)
        return self.devices[name]

    def _with_peer(self, device: LiveDevice, update: PeerUpdate) -> LiveDevice:
        """Apply one peer's update, as ``set_peer`` (``drivers/net/wireguard/netlink.c``) does."""
        peers = {peer.public_key: peer for peer in device.peers}
        if update.remove:
            peers.pop(update.public_key, None)
        elif update.public_key != device.public_key:
            _steal(peers, update)
            old = peers.get(update.public_key) or LivePeer(
                public_key=update.public_key, allowed_ips=()
            )
            peers[update.public_key] = self._updated(old, update)
        return replace(device, peers=tuple(peers.values()))

    def _updated(self, peer: LivePeer, update: PeerUpdate) -> LivePeer:
        allowed = {*peer.allowed_ips, *update.add_allowed_ips} - {*update.remove_allowed_ips}
        peer = replace(peer, allowed_ips=sorted_prefixes(allowed))
        if update.endpoint is not None:
            peer = replace(peer, endpoint=update.endpoint)
        if update.persistent_keepalive is not None:
            peer = replace(peer, persistent_keepalive=update.persistent_keepalive)
        if update.preshared_key is not None:
            if update.preshared_key:
                self._vault.reveal(update.preshared_key)
            peer = replace(peer, preshared_key=update.preshared_key)
        return peer


def _steal(peers: dict[PublicKey, LivePeer], update: PeerUpdate) -> None:
    """Take added prefixes away from other peers: one prefix has one owner."""
    added = frozenset(update.add_allowed_ips)
    if not added:
        return
    for key, peer in peers.items():
        if key != update.public_key and not added.isdisjoint(peer.allowed_ips):
            left = tuple(prefix for prefix in peer.allowed_ips if prefix not in added)
            peers[key] = replace(peer, allowed_ips=left)
