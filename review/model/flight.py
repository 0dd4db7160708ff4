"""A packet on its way: where it stands now, and what was decided about it so far."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec.structs import replace

from review.model.numbers import read_address, spell_address
from review.model.packet import Packet, Protocol
from review.model.story import Place, Stage, Step
from schemas.values import InterfaceName, NodeName


class Connection(NamedTuple):
    """What a host's connection tracking remembers of a packet that it let pass."""

    source: int
    destination: int
    seen_source: int
    """The source that it left with: another one where it was translated."""


Note = tuple[NodeName, Stage, str, Place | tuple[str, tuple[str | int, ...]] | None]
"""A step as it is noted on the way. Its place may be a bare file and path: few are ever read."""


class Flight:
    """One packet between its start and its end. It alone changes while the model walks."""

    __slots__ = (
        "connections",
        "destination",
        "dont_fragment",
        "ipv6",
        "known",
        "memory",
        "packet",
        "peer",
        "size",
        "source",
        "syn",
        "trail",
        "unbound",
    )

    def __init__(self, packet: Packet, memory: Mapping[NodeName, Connection] | None = None) -> None:
        """Take a packet as it was sent, and what hosts remember of the one that it answers."""
        self.packet = packet
        self.ipv6, self.destination = read_address(packet.destination)
        self.unbound = packet.source in {"", "0.0.0.0", "::"}  # noqa: S104 - INADDR_ANY, not a bind
        family, self.source = (self.ipv6, 0) if self.unbound else read_address(packet.source)
        if family is not self.ipv6:
            raise ValueError(f"{packet.source} and {packet.destination} are of two families")
        self.syn = packet.tcp_syn and packet.protocol is Protocol.TCP
        self.size = packet.size
        self.dont_fragment = packet.dont_fragment or self.ipv6
        self.peer: NodeName | None = None
        """Whom the packet is encrypted for, since it went into the tunnel."""
        self.known = False
        """Whether the host that has it knows its connection (conntrack's ESTABLISHED)."""
        self.memory = memory or {}
        self.connections: dict[NodeName, Connection] = {}
        self.trail: list[Note] = []

    def spell(self, number: int) -> str:
        """Return the text of an address of this packet's family."""
        return spell_address(number, ipv6=self.ipv6)

    def land(self) -> Packet:
        """Return the packet as it is now."""
        packet = self.packet
        source = packet.source if self.unbound and not self.source else self.spell(self.source)
        destination = self.spell(self.destination)
        return replace(packet, source=source, destination=destination, size=self.size)

    def steps(self) -> tuple[Step, ...]:
        """Return what was decided."""
        return tuple(
            Step(
                host=host,
                stage=stage,
                decision=decision,
                by=Place(file=by[0], path=by[1]) if isinstance(by, tuple) else by,
            )
            for host, stage, decision, by in self.trail
        )


class Devices(NamedTuple):
    """By which devices a packet comes into a host, and leaves it."""

    into: InterfaceName | None
    out: InterfaceName | None
