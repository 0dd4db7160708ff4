"""Turn shots into what was seen of each: from pods, hosts, the outside, and peers that lie."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from lab.cables import ETH, run_in
from lab.ears import Sighting
from lab.mesh import PORT
from lab.namespace import LabError
from lab.shootingrange import BR, WG, PodPlace, ShootingRange
from lab.shots import Shot

from review.model.packet import Entry
from schemas.values import NodeName, PublicKey

QUIET: Final = 1.0
"""Seconds without a token after which nothing more will come: a neighbour may be looked for."""
QUIET_TUNNEL: Final = 0.25
"""The same where the packets are in the tunnel already."""
LONGEST: Final = 6.0
"""Seconds to wait for quiet."""

Seen = dict[int, list[Sighting]]
"""By token."""


class Volley:
    """Fires shots on a range."""

    def __init__(self, hosts: ShootingRange) -> None:
        self._range = hosts

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
        """Tell pods who their IPv6 neighbours are, as far as they could find out at all.

        Neighbour discovery is itself filtered where bridged packets are shown to iptables, and asks
        from another address where the source is forged: the model is not about it.
        """
        lines: dict[PodPlace, dict[str, str]] = {}
        bridged = {name for name in self._range.hosts if self._has_bridge(name)}
        for shot in shots:
            host, address = shot.start.host, shot.packet.destination
            here = shot.start.entry is Entry.POD and host in bridged and ":" in address
            if here and self._range.is_for_pods(host, address):
                hardware = self._hardware_at(host, address).hex(":")
                line = f"neighbour replace {address} lladdr {hardware} dev {ETH} nud permanent"
                lines.setdefault(self._range.pods[host][shot.pod], {})[address] = line
        for pod, wanted in lines.items():
            run_in(pod.net, *wanted.values())

    def _has_bridge(self, name: NodeName) -> bool:
        return BR in self._range.hosts[name].sh(f"ip -o link show dev {BR} up 2>/dev/null || true")

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
        self._range.ears.listen_until_quiet(quiet=quiet, longest=LONGEST)
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
