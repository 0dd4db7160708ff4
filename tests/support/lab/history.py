"""Turn the devices of a cluster, before and after something, into what changed in them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from lab.member import Member
from lab.tunnels import Device, Tunnel

_FIELDS = ("preshared", "endpoint", "prefixes", "keepalive")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happened to one peer of one host."""

    host: str
    peer: str
    """Its public key."""
    what: str
    """``added``, ``removed``, or the settings that differ, comma separated."""


@dataclass(frozen=True, kw_only=True)
class Devices:
    """Every host's device at one moment."""

    by_host: Mapping[str, Device]

    @classmethod
    def of(cls, members: Iterable[Member]) -> Self:
        return cls(by_host={member.name: member.device() for member in members})

    def changes_until(self, later: "Devices") -> set[Change]:
        """Return every peer that was added, removed or set differently on the hosts of both."""
        return {
            Change(host=host, peer=key, what=what)
            for host, before, after in self._pairs(later)
            for key in {*before.peers, *after.peers}
            if (what := _compare(before.peers.get(key), after.peers.get(key)))
        }

    def sessions_reset_until(self, later: "Devices") -> set[tuple[str, str]]:
        """Return (host, peer) of the peers whose counters or handshake went back."""
        return {
            (host, key)
            for host, before, after in self._pairs(later)
            for key, peer in before.peers.items()
            if key in after.peers and not after.peers[key].continues(peer)
        }

    def _pairs(self, later: "Devices") -> list[tuple[str, Device, Device]]:
        return [
            (host, before, later.by_host[host])
            for host, before in self.by_host.items()
            if host in later.by_host
        ]


def _compare(before: Tunnel | None, after: Tunnel | None) -> str:
    if before is None:
        return "added"
    if after is None:
        return "removed"
    return ",".join(name for name in _FIELDS if getattr(before, name) != getattr(after, name))
