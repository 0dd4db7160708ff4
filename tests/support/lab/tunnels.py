"""Turn what ``wg`` says about a host's device into its peers."""

from dataclasses import dataclass
from typing import Final

from lab.namespace import Namespace

WG: Final = "wormhole-wg0"
_NONE: Final = "(none)"


@dataclass(frozen=True, kw_only=True)
class Tunnel:
    """One peer of a device, as ``wg show … dump`` prints it (``wg(8)``)."""

    key: str
    preshared: str
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


def tunnels(host: Namespace, device: str = WG) -> dict[str, Tunnel]:
    """Return the peers of a host's device by public key; empty when there is no device."""
    lines = host.run("wg", "show", device, "dump", check=False).stdout.splitlines()
    peers = [_parse(line) for line in lines[1:]]
    return {peer.key: peer for peer in peers}


def public_key(host: Namespace, device: str = WG) -> str:
    """Return the key that a host's device speaks with; empty when there is none."""
    said = host.run("wg", "show", device, "public-key", check=False).stdout.strip()
    return "" if said == _NONE else said


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
