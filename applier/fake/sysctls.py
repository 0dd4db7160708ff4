"""Kernel parameters in memory, and how writing one changes others."""

from collections.abc import Iterable
from typing import Final

from applier.errors import Missing

IPV4_FORWARD: Final = "net.ipv4.ip_forward"
IPV6_FORWARD: Final = "net.ipv6.conf.all.forwarding"


class FakeSysctls:
    """Dotted names to values."""

    def __init__(self) -> None:
        self.values = {
            IPV4_FORWARD: "0",
            IPV6_FORWARD: "0",
            "net.ipv4.conf.all.accept_redirects": "1",
            "net.ipv4.conf.default.forwarding": "0",
            "net.ipv6.conf.default.forwarding": "0",
            "kernel.random.boot_id": "00000000-0000-4000-8000-000000000001",
        }

    def read(self, key: str) -> str:
        """Return a value. Raises :class:`Missing`."""
        if key not in self.values:
            raise Missing("read sysctl", key, "No such file or directory", 2)
        return self.values[key]

    def write(self, key: str, value: str) -> None:
        """Write a value, and what the kernel writes with it. Raises :class:`Missing`."""
        if self.read(key) == value:
            return
        self.values[key] = value
        if key == IPV4_FORWARD:
            # inet_forward_change, net/ipv4/devinet.c
            self.values["net.ipv4.conf.all.accept_redirects"] = "0" if value == "1" else "1"
            self._forward("ipv4", value)
        elif key == IPV6_FORWARD:
            # addrconf_fixup_forwarding, net/ipv6/addrconf.c
            self._forward("ipv6", value)

    def follow_links(self, names: Iterable[str]) -> None:
        """Give each link parameters of its own, and take those of links that are gone."""
        wanted = {
            f"net.{family}.conf.{name.replace('.', '/')}.forwarding": family
            for name in names
            for family in ("ipv4", "ipv6")
        }
        stale = [key for key in self.values if _is_of_link(key) and key not in wanted]
        for key in stale:
            del self.values[key]
        for key, family in wanted.items():
            self.values.setdefault(key, self.values[f"net.{family}.conf.default.forwarding"])

    def _forward(self, family: str, value: str) -> None:
        for key in self.values:
            if key.startswith(f"net.{family}.conf.") and key.endswith(".forwarding"):
                self.values[key] = value


def _is_of_link(key: str) -> bool:
    parts = key.split(".")
    return parts[-1] == "forwarding" and parts[3] not in {"all", "default"}
