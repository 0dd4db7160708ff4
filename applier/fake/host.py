"""The fake host: all doors over state in memory."""

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from applier.errors import Exists, Missing, NotInstalled, Unobservable, Unsupported
from applier.fake.faults import Faults
from applier.fake.iptables import FakeTables
from applier.fake.network import FakeNetwork
from applier.fake.sysctls import FakeSysctls
from applier.fake.wireguard import FakeWireGuard
from applier.host import Link, LiveRoute, WireGuardDoor
from applier.paths import Paths
from applier.vault import Vault
from schemas.state import IptablesVariant
from schemas.values import InterfaceAddress, is_ipv6

START: Final = 1_700_000_000
"""Unix seconds at which the fake's clock stands until somebody moves it."""


class FakeHost:
    """Satisfies :class:`~applier.host.Host`. Its state is open: tests do damage by hand."""

    def __init__(self, vault: Vault, paths: Paths | None = None) -> None:
        self.paths = paths or Paths()
        self.faults = Faults()
        self.network = FakeNetwork()
        self.files: dict[Path, tuple[bytes, int]] = {}
        self.symlinks: dict[Path, str] = {}
        """No name is in both."""
        self.devices = FakeWireGuard(self.network, self.faults, vault, self.files, self.paths)
        self.sysctls = FakeSysctls()
        self.variants: tuple[IptablesVariant, ...] = (IptablesVariant.NFT, IptablesVariant.LEGACY)
        self.tables = {
            (variant, ipv6): FakeTables() for variant in self.variants for ipv6 in (False, True)
        }
        self.unreadable: set[IptablesVariant] = set()
        """Variants in which another program writes what the tool cannot print."""
        self.unsupported: set[IptablesVariant] = set()
        """Variants whose tools are installed, but which the kernel lacks."""
        self.uninstalled: set[tuple[IptablesVariant, bool]] = set()
        """Variants, and whether it is their IPv6 tool, that are not installed although their other
        one is."""
        self.clock = START

    # links
    def links(self) -> tuple[Link, ...]:
        """Return every link."""
        self.faults.read("links")
        return tuple(self.network.links.values())

    def create_bridge(self, name: str, *, mac: str, mtu: int, group: int) -> None:
        """Make a bridge, down."""
        with self.faults.write("create_bridge", name):
            link = Link(name=name, kind="bridge", group=group, mtu=mtu, mac=mac)
            self.network.add_link(link)
            self._follow_links()

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
        with self.faults.write("set_link", name):
            old = self.network.link(name)
            changed = replace(
                old,
                mtu=old.mtu if mtu is None else mtu,
                mac=old.mac if mac is None else mac,
                group=old.group if group is None else group,
                up=old.up if up is None else up,
            )
            self.network.set_link(changed)
            if up and name in self.devices.devices:
                self._come_up(name, old)

    def delete_link(self, name: str) -> None:
        """Delete the link."""
        with self.faults.write("delete_link", name):
            self.network.delete_link(name)
            self.devices.devices.pop(name, None)
            self._follow_links()

    # WireGuard
    def wireguard(self, name: str) -> WireGuardDoor:
        """Return the one implementation that this host has."""
        del name
        return self.devices

    # addresses
    def addresses(self, link: str) -> tuple[InterfaceAddress, ...]:
        """Return a link's addresses."""
        self.faults.read("addresses")
        return tuple(self.network.addresses.get(link, ()))

    def add_address(self, link: str, address: InterfaceAddress) -> None:
        """Add an address."""
        with self.faults.write("add_address", f"{link} {address}"):
            self.network.add_address(link, address)

    def delete_address(self, link: str, address: InterfaceAddress) -> None:
        """Delete an address."""
        with self.faults.write("delete_address", f"{link} {address}"):
            self.network.delete_address(link, address)

    # routes
    def routes(self) -> tuple[LiveRoute, ...]:
        """Return the main table."""
        self.faults.read("routes")
        return self.network.all_routes()

    def add_route(self, route: LiveRoute) -> None:
        """Add a route whose key is free."""
        with self.faults.write("add_route", route.destination):
            self.network.add_route(_as_kernel_has_it(route))

    def replace_route(self, route: LiveRoute) -> None:
        """Replace the route at this key."""
        with self.faults.write("replace_route", route.destination):
            self.network.replace_route(_as_kernel_has_it(route))

    def delete_route(self, route: LiveRoute) -> None:
        """Delete exactly this route."""
        with self.faults.write("delete_route", route.destination):
            self.network.delete_route(_as_kernel_has_it(route))

    # sysctls
    def read_sysctl(self, key: str) -> str:
        """Read a kernel parameter."""
        self.faults.read("read_sysctl")
        self._follow_links()
        return self.sysctls.read(key)

    def write_sysctl(self, key: str, value: str) -> None:
        """Write a kernel parameter."""
        with self.faults.write("write_sysctl", f"{key}={value}"):
            self._follow_links()
            self.sysctls.write(key, value)

    # iptables
    def iptables_variants(self) -> tuple[IptablesVariant, ...]:
        """Return the variants that are installed."""
        self.faults.read("iptables_variants")
        return self.variants

    def iptables_save(self, variant: IptablesVariant, *, ipv6: bool) -> str:
        """Print one family's tables."""
        self.faults.read("iptables_save")
        tool = f"{'ip6tables' if ipv6 else 'iptables'}-{variant}"
        if (variant, ipv6) in self.uninstalled:
            raise NotInstalled("find", f"{tool}-save", "not installed", 2)
        if variant in self.unsupported:
            raise Unsupported("read", tool, "Protocol not supported", 1)
        if variant in self.unreadable:
            raise Unobservable("read", f"iptables-{variant}", "table is incompatible")
        return self.tables[variant, ipv6].save()

    def iptables_restore(self, variant: IptablesVariant, text: str, *, ipv6: bool) -> None:
        """Load rules, table by table."""
        with self.faults.write("iptables_restore", f"{variant} {'ipv6' if ipv6 else 'ipv4'}"):
            self.tables[variant, ipv6].restore(text, self.faults.step)

    # files
    def read_file(self, path: Path) -> bytes | None:
        """Return the content."""
        self.faults.read("read_file")
        file = self.files.get(self._follow(path))
        return file[0] if file else None

    def read_link(self, path: Path) -> str | None:
        """Return where a symbolic link leads."""
        self.faults.read("read_link")
        return self.symlinks.get(path)

    def replace_link(self, path: Path, target: str) -> None:
        """Put a symbolic link in place."""
        with self.faults.write("replace_link", str(path)):
            self.files.pop(path, None)
            self.symlinks[path] = target

    def file_mode(self, path: Path) -> int | None:
        """Return the permission bits."""
        self.faults.read("file_mode")
        file = self.files.get(self._follow(path))
        return file[1] if file else None

    def list_files(self, folder: Path) -> tuple[str, ...]:
        """Return the names in a folder."""
        self.faults.read("list_files")
        return tuple(sorted(path.name for path in self.files if path.parent == folder))

    def write_file(self, path: Path, content: bytes, mode: int) -> None:
        """Put a whole file in place."""
        with self.faults.write("write_file", str(path)):
            self.symlinks.pop(path, None)
            self.files[path] = (content, mode)

    def create_file(self, path: Path, content: bytes, mode: int) -> None:
        """Make a new file."""
        with self.faults.write("create_file", str(path)):
            if path in self.files or path in self.symlinks:
                raise Exists("create file", str(path), "File exists", 17)
            self.files[path] = (content, mode)

    def replace_secret(self, path: Path, content: bytes) -> None:
        """Put a secret in place of an older one."""
        with self.faults.write("replace_secret", str(path)):
            self.files[path] = (content, 0o600)

    def remove_file(self, path: Path) -> None:
        """Remove a file."""
        with self.faults.write("remove_file", str(path)):
            if path not in self.files and path not in self.symlinks:
                raise Missing("remove file", str(path), "No such file or directory", 2)
            self.files.pop(path, None)
            self.symlinks.pop(path, None)

    # clock
    def now(self) -> int:
        """Return the clock."""
        return self.clock

    def _come_up(self, name: str, old: Link) -> None:
        try:
            self.devices.check_port(name)
        except BaseException:
            self.network.links[name] = old
            raise

    def _follow(self, path: Path) -> Path:
        """Return where a path leads, over one link at most."""
        return path.parent / self.symlinks[path] if path in self.symlinks else path

    def _follow_links(self) -> None:
        self.sysctls.follow_links(self.network.links)


def _as_kernel_has_it(route: LiveRoute) -> LiveRoute:
    """Spell a route as it is read back: an IPv6 metric of 0 becomes 1024 (``IP6_RT_PRIO_USER``)."""
    if route.metric == 0 and is_ipv6(route.destination):
        return replace(route, metric=1024)
    return route
