"""A packet of the model, to be fired in the laboratory."""

from dataclasses import dataclass

from review.model.packet import Packet, Start


@dataclass(kw_only=True)
class Shot:
    """One packet, and where it comes from."""

    token: int
    packet: Packet
    start: Start
    pod: int = 0
    """Which of its host's pods fires it, if one does."""
    error: int = 0
    """The ``errno`` with which the sender's kernel refused it; 0 when it did not."""
