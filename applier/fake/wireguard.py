"""A WireGuard implementation in memory: the kernel's, or a process behind a TUN device."""

from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from applier.errors import Exists, HostError, Missing, Unsupported
from applier.fake.faults import Faults
from applier.fake.network import FakeNetwork
from applier.host import DeviceUpdate, Link, LiveDevice, LivePeer, PeerUpdate
from applier.keys import KEY_LENGTH
from applier.paths import Paths
from applier.vault import Vault
from schemas.values import Prefix, PublicKey, sorted_prefixes

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
        self._secrets: dict[str, bytes] = {}
        """What the devices hold, by what a vault calls it."""
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
        device = self._device(name)
        for peer in device.peers:
            if peer.preshared_key in self._secrets:
                self._vault.put(self._secrets[peer.preshared_key])
        if device.public_key in self._secrets:
            self._vault.put_as(device.public_key, self._secrets[device.public_key])
        return device

    def configure(self, name: str, update: DeviceUpdate) -> None:
        """Change what is given; a step is made after each peer."""
        with self._faults.write("wireguard.configure", name):
            self.updates.append(update)
            device = self._device(name)
            if update.private_key is not None:
                self._take(update.private_key)
                device = replace(device, public_key=update.private_key)
            if update.listen_port is not None:
                device = replace(device, listen_port=update.listen_port)
            if update.fwmark is not None:
                device = replace(device, fwmark=update.fwmark)
            self.devices[name] = device
            self.check_port(name)
            self._configure_peers(name, update.peers)

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

    def _take(self, name: str) -> None:
        if name:
            self._secrets[name] = self._vault.reveal(name)

    def _configure_peers(self, name: str, updates: tuple[PeerUpdate, ...]) -> None:
        """Apply updates one by one, as ``set_peer`` (``drivers/net/wireguard/netlink.c``) does."""
        own = self.devices[name].public_key
        peers = {peer.public_key: peer for peer in self.devices[name].peers}
        holders = {prefix: key for key, peer in peers.items() for prefix in peer.allowed_ips}
        for index, update in enumerate(updates):
            _check_key(name, update.public_key)
            if index:
                self._faults.step()
            if update.remove:
                peers.pop(update.public_key, None)
            elif update.public_key != own and not _is_void(update, peers):
                _steal(peers, holders, update)
                new = LivePeer(public_key=update.public_key, allowed_ips=())
                old = peers.get(update.public_key, new)
                peers[update.public_key] = self._updated(old, update)
            self.devices[name] = replace(self.devices[name], peers=tuple(peers.values()))

    def _updated(self, peer: LivePeer, update: PeerUpdate) -> LivePeer:
        allowed = {*peer.allowed_ips, *update.add_allowed_ips} - {*update.remove_allowed_ips}
        peer = replace(peer, allowed_ips=sorted_prefixes(allowed))
        if update.endpoint is not None:
            peer = replace(peer, endpoint=update.endpoint)
        if update.persistent_keepalive is not None:
            peer = replace(peer, persistent_keepalive=update.persistent_keepalive)
        if update.preshared_key is not None:
            self._take(update.preshared_key)
            peer = replace(peer, preshared_key=update.preshared_key)
        return peer


def _check_key(device: str, key: str) -> None:
    try:
        length = len(b64decode(key, validate=True))
    except ValueError:
        length = 0
    if length != KEY_LENGTH:
        raise HostError("configure WireGuard device", device, f"no public key: {key!r}", 22)


def _is_void(update: PeerUpdate, peers: Mapping[PublicKey, LivePeer]) -> bool:
    """Whether an update only takes prefixes away, from a peer that is not there."""
    only_takes = PeerUpdate(
        public_key=update.public_key, remove_allowed_ips=update.remove_allowed_ips
    )
    return (
        bool(update.remove_allowed_ips) and update == only_takes and update.public_key not in peers
    )


def _steal(
    peers: dict[PublicKey, LivePeer], holders: dict[Prefix, PublicKey], update: PeerUpdate
) -> None:
    """Take added prefixes away from other peers: one prefix has one owner."""
    for prefix in update.add_allowed_ips:
        loser = peers.get(holders.get(prefix, update.public_key))
        if loser is not None and loser.public_key != update.public_key:
            left = tuple(other for other in loser.allowed_ips if other != prefix)
            peers[loser.public_key] = replace(loser, allowed_ips=left)
        holders[prefix] = update.public_key
