"""Turn what ``wg`` says about a host's device into its peers."""

from dataclasses import dataclass, field
from typing import Final

from lab.namespace import Namespace

WG: Final = "wormhole-wg0"
_NONE: Final = "(none)"


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """One peer of a device, as ``wg show … dump`` prints it (``wg(8)``)."""

    key: str
    preshared: str = field(repr=False)
    endpoint: str
    """Empty while the peer has none."""
    prefixes: frozenset[str]
    handshake: int
    """Seconds since 1970; 0 when there was none."""
    received: int
    sent: int
    keepalive: str

    @property
    def settings(self) -> tuple[str, str, str, frozenset[str], str]:
        """What somebody has set, without what only traffic changes."""
        return (self.key, self.preshared, self.endpoint, self.prefixes, self.keepalive)

    def continues(self, before: "Tunnel") -> bool:
        """Whether this is still the session that it was: nothing was counted from zero again."""
        return (
            self.handshake >= before.handshake
            and self.received >= before.received
            and self.sent >= before.sent
        )


@dataclass(frozen=True, kw_only=True)
class Device:
    """A host's WireGuard device. A host without one has neither key nor peers."""

    key: str = ""
    port: int = 0
    peers: dict[str, Tunnel] = field(default_factory=dict)
    """By public key."""


def read_device(host: Namespace, name: str = WG) -> Device:
    """Return what a host's device is now."""
    lines = host.run("wg", "show", name, "dump", check=False).stdout.splitlines()
    if not lines:
        return Device()
    _, key, port, _ = lines[0].split("\t")
    peers = [_parse(line) for line in lines[1:]]
    return Device(
        key="" if key == _NONE else key, port=int(port), peers={peer.key: peer for peer in peers}
    )


def _parse(line: str) -> Tunnel:
    key, preshared, endpoint, prefixes, handshake, received, sent, keepalive = line.split("\t")
    return Tunnel(
        key=key,
        preshared="" if preshared == _NONE else preshared,
        endpoint="" if endpoint == _NONE else endpoint,
        prefixes=frozenset(() if prefixes == _NONE else prefixes.split(",")),
        handshake=int(handshake),
        received=int(received),
        sent=int(sent),
        keepalive=keepalive,
    )
