"""The doors to one host: everything the applier can see or do goes through these methods.

``applier.linux`` opens them on a real kernel, ``applier.fake`` in memory. No door knows what
is desired or owned; no kind knows netlink or processes. Every door raises
:class:`~applier.errors.HostError` or a subclass, and nothing else.
"""

from pathlib import Path
from typing import Protocol

from schemas.state import IptablesVariant, Value
from schemas.values import Endpoint, InterfaceAddress, Prefix, PublicKey


class Link(Value, frozen=True, kw_only=True):
    """A network interface, as far as Wormhole looks at one."""

    name: str
    kind: str
    """``IFLA_INFO_KIND``: ``bridge``, ``wireguard``, ``tun``, ``veth``; empty for hardware."""
    group: int
    mtu: int
    mac: str = ""
    """Empty for devices without a link-layer address, such as WireGuard's."""
    up: bool = False
    """Administratively up (``IFF_UP``), whatever the carrier says."""


class LiveRoute(Value, frozen=True, kw_only=True):
    """A route of the main table, anybody's."""

    destination: Prefix
    metric: int
    """As the kernel has it: an IPv6 route asked for with 0 reads 1024."""
    type: str
    protocol: int
    device: str = ""
    gateway: str = ""


class LivePeer(Value, frozen=True, kw_only=True):
    """A peer on a live device. The pre-shared key appears only as a fingerprint."""

    public_key: PublicKey
    allowed_ips: tuple[Prefix, ...]
    """Sorted by family, address, length."""
    endpoint: Endpoint | None = None
    persistent_keepalive: int = 0
    preshared_key: str = ""
    """A :class:`~applier.vault.Vault` fingerprint; empty when there is none."""
    last_handshake: int = 0
    """Unix seconds; 0 when there was none."""
    received: int = 0
    sent: int = 0


class LiveDevice(Value, frozen=True, kw_only=True):
    """A live WireGuard device. The private key appears only as its public half."""

    public_key: str
    """Empty when the device has no private key."""
    listen_port: int
    fwmark: int
    peers: tuple[LivePeer, ...]


class PeerUpdate(Value, frozen=True, kw_only=True):
    """What to send for one peer. Here, unlike in a desired state, ``None`` means "leave alone"."""

    public_key: PublicKey
    remove: bool = False
    endpoint: Endpoint | None = None
    persistent_keepalive: int | None = None
    """0 switches it off."""
    preshared_key: str | None = None
    """A vault fingerprint; the empty string clears the key."""
    add_allowed_ips: tuple[Prefix, ...] = ()
    """Added; a prefix that another peer holds moves here without a gap."""
    remove_allowed_ips: tuple[Prefix, ...] = ()
    """Taken away without touching the peer's other prefixes or its session."""


class DeviceUpdate(Value, frozen=True, kw_only=True):
    """What to send to a device, in this order; ``None`` means "leave alone"."""

    private_key: str | None = None
    """The *public* half; the vault reveals the private one."""
    listen_port: int | None = None
    fwmark: int | None = None
    peers: tuple[PeerUpdate, ...] = ()


class WireGuardDoor(Protocol):
    """One WireGuard implementation: the kernel's (generic netlink) or a userspace one (UAPI)."""

    def create(self, name: str, group: int) -> None:
        """Make the device, down, in the link group.

        Raises:
            Unsupported: this implementation is not available here.
            Exists: a link of that name is already there.

        """

    def get(self, name: str) -> LiveDevice:
        """Read the whole device.

        Raises:
            Missing: no such device, or its userspace process is gone.
            Unobservable: the dump was interrupted or refused.

        """

    def configure(self, name: str, update: DeviceUpdate) -> None:
        """Send exactly what the update holds, split as the implementation needs."""

    def delete(self, name: str) -> None:
        """Remove the device, and the userspace process behind it if there is one."""


class Host(Protocol):
    """One host's kernel, files and tools."""

    # links
    def links(self) -> tuple[Link, ...]:
        """Return every link."""

    def create_bridge(self, name: str, *, mac: str, mtu: int, group: int) -> None:
        """Make a bridge, down, its group and MAC in the creating message, its MTU in a second.

        Only ``br_change_mtu`` (``net/bridge/br_device.c``) pins a bridge's MTU. One given in the
        creating message does not pass through it, and the first port to leave resets it to 1500.
        """

    def set_link(
        self,
        name: str,
        *,
        mtu: int | None = None,
        mac: str | None = None,
        group: int | None = None,
        up: bool | None = None,
    ) -> None:
        """Change only what is given."""

    def delete_link(self, name: str) -> None:
        """Delete the link; :class:`Missing` if it is not there."""

    # WireGuard
    def wireguard(self, name: str) -> WireGuardDoor:
        """Return the implementation behind a device, or the one to create it with."""

    # addresses
    def addresses(self, link: str) -> tuple[InterfaceAddress, ...]:
        """Return a link's addresses, IPv6 link-local left out; () when there is no such link."""

    def add_address(self, link: str, address: InterfaceAddress) -> None:
        """Add an address; IPv6 without duplicate address detection."""

    def delete_address(self, link: str, address: InterfaceAddress) -> None:
        """Delete exactly this address, and keep the kernel from taking others along.

        Without ``promote_secondaries``, a subnet's first IPv4 address takes the others with it
        (``__inet_del_ifa``, ``net/ipv4/devinet.c``), and ours may be one of them.
        """

    # routes
    def routes(self) -> tuple[LiveRoute, ...]:
        """Return the main table, both families, unicast and rejecting routes."""

    def add_route(self, route: LiveRoute) -> None:
        """Add with ``NLM_F_EXCL``: :class:`Exists` when anybody holds the key."""

    def replace_route(self, route: LiveRoute) -> None:
        """Replace our own route at this key (the caller has seen that it is ours)."""

    def delete_route(self, route: LiveRoute) -> None:
        """Delete by the full key, protocol and type included, so never somebody else's."""

    # sysctls
    def read_sysctl(self, key: str) -> str:
        """Read ``net.ipv4.ip_forward`` and the like; :class:`Missing` if the kernel lacks it."""

    def write_sysctl(self, key: str, value: str) -> None:
        """Write one value."""

    # iptables
    def iptables_variants(self) -> tuple[IptablesVariant, ...]:
        """Return the variants whose tools are installed, the host's default first."""

    def iptables_save(self, variant: IptablesVariant, *, ipv6: bool) -> str:
        """Return what ``iptables-save`` prints, without making the kernel load modules.

        Raises:
            NotInstalled: the variant has no tool for this family here.
            Unsupported: the kernel lacks it, so that there is nothing in it.
            Unobservable: the tool failed, or says that a table is incompatible.

        """

    def iptables_restore(self, variant: IptablesVariant, text: str, *, ipv6: bool) -> None:
        """Load with ``iptables-restore --noflush``: each table is one transaction."""

    # files
    def read_file(self, path: Path) -> bytes | None:
        """Return the content; None when there is no such file, or a link that leads nowhere."""

    def write_file(self, path: Path, content: bytes, mode: int) -> None:
        """Write through a temporary name, fsync and rename: a reader sees old or new, whole.

        A symbolic link is replaced, never followed.
        """

    def create_file(self, path: Path, content: bytes, mode: int) -> None:
        """Make a new file (``O_EXCL``), file and folder fsynced; missing folders get 0700.

        Raises:
            Exists: something of that name is there; it was not touched.

        """

    def read_link(self, path: Path) -> str | None:
        """Return where a symbolic link leads, as it is spelled; None when there is none."""

    def replace_link(self, path: Path, target: str) -> None:
        """Put a symbolic link in place of whatever link or file has the name, by renaming.

        It is made beside its place: containerd, which watches the folder, passes over names that
        appear and looks again when one is renamed away (``cniNetConfSyncer.syncLoop``).
        """

    def file_mode(self, path: Path) -> int | None:
        """Return the permission bits; None when there is no such file."""

    def list_files(self, folder: Path) -> tuple[str, ...]:
        """Return the names of the plain files in a folder, sorted; () when there is none."""

    def remove_file(self, path: Path) -> None:
        """Remove the file; :class:`Missing` if it is not there."""

    # clock
    def now(self) -> int:
        """Return Unix seconds, the clock that handshakes are stamped with."""
