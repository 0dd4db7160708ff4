"""One host, read only and each thing once: what one observation looks at.

Kinds observe through this, so that they cannot write, agree with each other about what they saw,
and read a large device once although three of them look at it.
"""

from functools import cached_property
from pathlib import Path

from applier.errors import Missing
from applier.host import Host, Link, LiveDevice, LiveRoute
from schemas.state import IptablesVariant
from schemas.values import InterfaceAddress


class View:
    """The reading half of a :class:`~applier.host.Host`, remembered."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._devices: dict[str, LiveDevice | None] = {}
        self._dumps: dict[tuple[IptablesVariant, bool], str] = {}

    @cached_property
    def links(self) -> dict[str, Link]:
        """Every link, by name."""
        return {link.name: link for link in self._host.links()}

    @cached_property
    def routes(self) -> tuple[LiveRoute, ...]:
        """The main table."""
        return self._host.routes()

    @cached_property
    def now(self) -> int:
        """Unix seconds."""
        return self._host.now()

    @cached_property
    def iptables_variants(self) -> tuple[IptablesVariant, ...]:
        """The installed variants, the host's default first."""
        return self._host.iptables_variants()

    def device(self, name: str) -> LiveDevice | None:
        """Return a WireGuard device; None when nothing answers for it."""
        if name not in self._devices:
            try:
                self._devices[name] = self._host.wireguard(name).get(name)
            except Missing:
                self._devices[name] = None
        return self._devices[name]

    def addresses(self, link: str) -> tuple[InterfaceAddress, ...]:
        """Return a link's addresses."""
        return self._host.addresses(link)

    def read_sysctl(self, key: str) -> str | None:
        """Return a kernel parameter; None when the kernel lacks it."""
        try:
            return self._host.read_sysctl(key)
        except Missing:
            return None

    def iptables_save(self, variant: IptablesVariant, *, ipv6: bool) -> str:
        """Return what ``iptables-save`` prints."""
        if (variant, ipv6) not in self._dumps:
            self._dumps[variant, ipv6] = self._host.iptables_save(variant, ipv6=ipv6)
        return self._dumps[variant, ipv6]

    def read_file(self, path: Path) -> bytes | None:
        """Return a file's content; None when there is no such file."""
        return self._host.read_file(path)

    def read_link(self, path: Path) -> str | None:
        """Return where a symbolic link leads; None when there is none."""
        return self._host.read_link(path)
