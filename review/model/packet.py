"""A packet, and where it comes into being: what the model is asked about."""

from enum import StrEnum

from schemas.state import Value
from schemas.values import NodeName


class Protocol(StrEnum):
    """What the packet carries. ICMP stands for both families' echo."""

    ICMP = "icmp"
    TCP = "tcp"
    UDP = "udp"


class Packet(Value, frozen=True, kw_only=True):
    """One IP packet. Addresses are canonical text, without a length."""

    source: str
    destination: str
    protocol: Protocol = Protocol.ICMP
    source_port: int = 0
    destination_port: int = 0
    tcp_syn: bool = False
    """A TCP segment that opens a connection: SYN set, RST clear."""
    size: int = 100
    """Bytes, the IP header included."""
    dont_fragment: bool = False
    """IPv4's DF; an IPv6 packet is never fragmented on its way, whatever this says."""


class Entry(StrEnum):
    """How a packet comes to a host."""

    POD = "pod"
    """A pod of the host sends it: it comes in by the bridge."""
    HOST = "host"
    """A process in the host's own network sends it, or a pod with ``hostNetwork``."""
    OUTSIDE = "outside"
    """It comes in by an underlay device, in clear."""
    PEER = "peer"
    """It comes out of the tunnel: a peer encrypted it, with whatever addresses it liked."""


class Start(Value, frozen=True, kw_only=True):
    """Where a packet comes into being."""

    host: NodeName
    entry: Entry
    peer: NodeName | None = None
    """For :attr:`Entry.PEER` the node that encrypted it."""
