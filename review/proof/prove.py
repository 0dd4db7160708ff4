"""The documents of a mesh to what is proven of it."""

from collections.abc import Iterator

from msgspec.structs import replace

from review.proof.claim import Claim, Counterexample, Proof
from review.proof.classes import HostClass
from review.proof.identity import find_forgeries
from review.proof.privacy import find_leaks
from review.proof.reach import find_losses
from review.proof.world import World
from schemas.state import Documents

_SEARCHES = (find_leaks, find_forgeries, find_losses)
_ORDER = {claim: index for index, claim in enumerate(Claim)}


def prove(documents: Documents, classes: tuple[HostClass, ...] | None = None) -> Proof:
    """Prove that a mesh is private and connected, or return what contradicts it.

    ``classes`` are the members that are walked for others; found, if they are not given.
    """
    world = World(documents, classes)
    found = [each for search in _SEARCHES for each in search(world)]
    pairs = len(documents.hosts) * (len(documents.hosts) - 1)
    return Proof(
        hosts=len(documents.hosts),
        classes=len(world.classes),
        families=tuple("IPv6" if ipv6 else "IPv4" for ipv6 in world.families),
        pairs=pairs,
        situations=world.situations,
        packets=world.packets,
        counterexamples=tuple(found),
    )
