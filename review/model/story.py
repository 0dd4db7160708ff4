"""What becomes of a packet: each decision on its way, and what in the documents decided it."""

from enum import StrEnum

from review.model.packet import Packet
from schemas.state import Value
from schemas.values import NodeName


class Place(Value, frozen=True, kw_only=True):
    """A value in a document: what somebody would edit to have it decided otherwise."""

    file: str
    """As it is called inside a state folder: ``mesh.json``, ``hosts/node-a.json``."""
    path: tuple[str | int, ...]
    """Steps into the document, such as ``("firewall", "ipv4", 0, "rules", 3)``."""


class Stage(StrEnum):
    """Who decides, in the words of the kernel's own stages."""

    SOURCE = "source"
    """Source address selection of a process that did not bind to an address."""
    ROUTE = "route"
    MANGLE = "mangle"
    NAT = "nat"
    FILTER = "filter"
    REVERSE_PATH = "reverse path"
    """``rp_filter``, where the host has it."""
    MTU = "mtu"
    ENCRYPT = "encrypt"
    """WireGuard's choice of a peer by destination (cryptokey routing, outbound)."""
    UNDERLAY = "underlay"
    """The way of the ciphertext between two hosts."""
    DECRYPT = "decrypt"
    """WireGuard's check of the source against the peer's allowed IPs (inbound)."""
    DELIVER = "deliver"


class Step(Value, frozen=True, kw_only=True):
    """One decision about the packet, on one host."""

    host: NodeName
    stage: Stage
    decision: str
    """In a few words: ``by wormhole-wg0``, ``dropped: the overlay is never sent in clear``."""
    by: Place | None = None
    """What decided; None where the documents are silent and the kernel's default did."""


class Fate(StrEnum):
    """How it ended."""

    DELIVERED = "delivered"
    """It reached the pod, or the host, that has its destination address."""
    LEFT = "left"
    """It left the overlay towards the outside, as it should: its destination is not ours."""
    LEAKED = "leaked"
    """It is for the overlay and left by a device other than the tunnel, in clear."""
    DROPPED = "dropped"
    """A firewall rule, the reverse path or cryptokey routing swallowed it."""
    UNREACHABLE = "unreachable"
    """A route, or the tunnel, refused it: the sender is told."""
    TOO_BIG = "too big"
    """It fits no device on its way and may not be fragmented: the sender is told."""
    LOST = "lost"
    """It was encrypted and has nowhere to go: no endpoint, or nobody there who knows the key."""


class Story(Value, frozen=True, kw_only=True):
    """A packet's whole way."""

    packet: Packet
    """As it was sent."""
    arrived: Packet
    """As it was at its end, addresses translated."""
    fate: Fate
    host: NodeName
    """Where it ended."""
    steps: tuple[Step, ...]
