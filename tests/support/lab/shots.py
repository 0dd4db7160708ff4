"""A packet of the model, to be fired in the laboratory."""

from dataclasses import dataclass

from lab.datagrams import Kind

from review.model.packet import Packet, Start


@dataclass(kw_only=True)
class Shot:
    """One packet, and where it comes from."""

    token: int
    packet: Packet
    start: Start
    pod: int = 0
    """Which of its host's pods fires it, if one does."""
    forged: bool = False
    """Whether the source is somebody else's."""
    kind: Kind = Kind.SHOT
    """What its datagrams are called: an answer flies like a shot, with the same token."""
    error: int = 0
    """The ``errno`` with which the sender's kernel refused it; 0 when it did not."""
    fired: bool = True
    """False: there was no device to fire it from."""
