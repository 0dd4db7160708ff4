"""What is claimed of a mesh, and what contradicts it: a packet, its story, the line at fault."""

from enum import StrEnum

from review.model.story import Place, Story
from schemas.state import Value
from schemas.values import NodeName


class Claim(StrEnum):
    """What is proven. In the order in which counter-examples are told."""

    PRIVACY = "overlay-leaves-in-clear"
    """No packet for the overlay leaves in clear, whatever fails."""
    IDENTITY = "source-can-be-forged"
    """Nobody can speak in another's name."""
    REACH = "pods-not-reached"
    """Every pod, node and process of a host reaches every pod, through the tunnel, and back."""


class Counterexample(Value, frozen=True, kw_only=True):
    """A packet that contradicts a claim."""

    claim: Claim
    subject: str
    """Who loses what: ``pods of node-a do not reach pods of node-b``."""
    situation: str = ""
    """When: ``wormhole-wg0 is gone``; empty for now, with everything in place."""
    failures: int = 0
    """How many it takes."""
    story: Story
    place: Place
    """Where it would be mended."""
    fault: str
    """What is wrong there."""
    notes: tuple[str, ...] = ()
    """What else is known, such as the sizes that pass."""
    between: tuple[NodeName, ...] = ()
    """The two hosts, or the one, that were walked for all like them."""
    pairs: int = 1
    """Ordered pairs of hosts, or hosts, that this one stands for."""


class Unfollowed(Value, frozen=True, kw_only=True):
    """What stands in a document, and does to packets what nobody here knows."""

    place: Place
    fault: str
    hosts: int = 1
    """How many hosts it stands for."""


class Proof(Value, frozen=True, kw_only=True):
    """What was proven, in numbers, and all that contradicts it."""

    hosts: int
    classes: int
    families: tuple[str, ...]
    pairs: int
    """Ordered pairs of hosts that were spoken of."""
    situations: int
    """States in which hosts were walked: now, and after each failure."""
    packets: int
    """Walked."""
    steps: int = 0
    """Of a rollout, after each of which hosts were walked."""
    lost: int = 0
    """Ordered pairs of hosts of which something of one does not reach the other."""
    counterexamples: tuple[Counterexample, ...] = ()
    unfollowed: tuple[Unfollowed, ...] = ()
    """What the proof cannot speak of. With any of these nothing is proven."""
