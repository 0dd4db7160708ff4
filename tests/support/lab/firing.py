"""Turn shots into what was seen of each: from pods, hosts, the outside, and peers that lie."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from lab.cables import ETH, run_in
from lab.ears import Sighting
from lab.mesh import PORT
from lab.namespace import LabError
from lab.shootingrange import BR, WG, ShootingRange
from lab.shots import Shot

from review.model.packet import Entry
from schemas.values import NodeName, PublicKey

QUIET: Final = 1.0
"""Seconds without a token after which nothing more will come: a neighbour may be looked for."""
QUIET_TUNNEL: Final = 0.25
"""The same where the packets are in the tunnel already."""
LONGEST: Final = 20.0
"""Seconds to wait for quiet."""

Seen = dict[int, list[Sighting]]
"""By token."""


class Volley:
    """Fires shots on a range."""

    def __init__(self, hosts: ShootingRange, patience: float = 1) -> None:
        self._range = hosts
        self._patience = patience
        """How many times as long to wait for quiet as an idle machine needs."""

    def fire(self, shots: Sequence[Shot]) -> Seen:
        """Fire a volley; return what was seen of each shot until all was quiet again.

        What is seen later is not of interest: WireGuard keeps packets for a peer that it has no
        session with, and a liar that makes one sets them free.
        """
        self._introduce(shots)
        honest = [shot for shot in shots if shot.start.entry is not Entry.PEER]
        seen = self._send_all(honest, QUIET)
        lies: dict[tuple[NodeName, NodeName], list[Shot]] = {}
        for shot in shots:
            if shot.start.entry is Entry.PEER and shot.start.peer is not None:
                lies.setdefault((shot.start.peer, shot.start.host), []).append(shot)
        for (liar, victim), told in lies.items():
            if not self._has_tunnel(liar):
                for shot in told:
                    shot.fired = False
                continue
            with self._lying(liar, victim):
                seen |= self._send_all(told, QUIET_TUNNEL)
        return seen

    def _introduce(self, shots: Sequence[Shot]) -> None:
        """Tell hosts and pods who their neighbours are, as far as they could find out at all.

        IPv6's neighbour discovery is itself filtered: by antispoofing, and between pods where
        bridged packets are shown to iptables. The model is not about it. ARP is not filtered, but
        takes its time on a busy machine.
        """
        addresses = {
            address
            for shot in shots
            for address in (shot.packet.source, shot.packet.destination)
            if address
        }
        for name, host in self._range.hosts.items():
            if not self._has_bridge(name):
                continue
            there = [each for each in addresses if self._range.is_for_pods(name, each)]
            known = {each: self._hardware_at(name, each) for each in there}
            host.ip(*_neighbours(known, BR))
            gateways = self._gateways(name)
            for pod in self._range.pods[name]:
                run_in(pod.net, *_neighbours(known | gateways, ETH))

    def _has_bridge(self, name: NodeName) -> bool:
        return BR in self._range.hosts[name].sh(f"ip -o link show dev {BR} up 2>/dev/null || true")

    def _gateways(self, name: NodeName) -> dict[str, bytes]:
        """Return the bridge's own addresses, as they are now, with its hardware address."""
        shown = self._range.hosts[name].sh(f"ip -o address show dev {BR} scope global")
        own = [line.split()[3].partition("/")[0] for line in shown.splitlines()]
        hardware = self._range.nets[name].hardware(BR)
        return dict.fromkeys(own, hardware)

    def _hardware_at(self, host: NodeName, address: str) -> bytes:
        for pod in self._range.pods[host]:
            if address in pod.addresses:
                return pod.net.hardware(ETH)
        return self._range.catcher.hardware(f"h{self._range.hosts[host].number}")

    def _send_all(self, shots: Sequence[Shot], quiet: float) -> Seen:
        self._range.ears.heard.clear()
        for number, shot in enumerate(shots, start=1):
            try:
                self._send(shot)
            except OSError as error:
                shot.error = error.errno or 0
                # Only a process is told why; a frame that its device refuses was never sent.
                shot.fired = shot.start.entry in {Entry.POD, Entry.HOST}
            if number % 16 == 0:
                self._range.ears.listen(0)
        self._range.ears.listen_until_quiet(quiet=quiet * self._patience, longest=LONGEST)
        return {shot.token: self._range.ears.heard.get(shot.token, []) for shot in shots}

    def _send(self, shot: Shot) -> None:
        start, packet = shot.start, shot.packet
        match start.entry:
            case Entry.POD:
                self._range.pods[start.host][shot.pod].stack.send(packet, shot.token)
            case Entry.HOST:
                self._range.stacks[start.host].send(packet, shot.token)
            case Entry.OUTSIDE:
                hardware = self._range.hardware[start.host]
                self._range.outside_frames.send(packet, shot.token, hardware=hardware)
            case Entry.PEER if start.peer is not None:
                self._range.tunnels[start.peer].send(packet, shot.token)
            case Entry.PEER:
                raise LabError(f"nobody tells the lie {packet}")

    def _has_tunnel(self, name: NodeName) -> bool:
        command = ("wg", "show", WG, "listen-port")
        return not self._range.hosts[name].run(*command, check=False).returncode

    @contextmanager
    def _lying(self, liar: NodeName, victim: NodeName) -> Iterator[None]:
        """Let a host's device encrypt everything for one peer: what root there can always do."""
        host = self._range.hosts[liar]
        kept = host.run("wg", "showconf", WG).stdout
        mask = {PublicKey(key) for key in host.run("wg", "show", WG, "peers").stdout.split()}
        words = [word for key in mask for word in ("peer", key, "allowed-ips", "")]
        at = f"{self._range.hosts[victim].ipv4}:{PORT}"
        words += ["peer", self._range.keys[victim], "endpoint", at]
        host.run("wg", "set", WG, *words, "allowed-ips", "0.0.0.0/0,::/0")
        try:
            yield
        finally:
            host.run("wg", "syncconf", WG, "/dev/stdin", stdin=kept)


def _neighbours(known: dict[str, bytes], device: str) -> list[str]:
    return [
        f"neighbour replace {address} lladdr {hardware.hex(':')} dev {device} nud permanent"
        for address, hardware in known.items()
    ]
