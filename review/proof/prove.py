"""The documents of a mesh to what is proven of it."""

from collections.abc import Mapping

from review.proof.claim import Claim, Counterexample, Proof
from review.proof.classes import HostClass
from review.proof.identity import find_forgeries
from review.proof.privacy import find_leaks
from review.proof.reach import find_losses
from review.proof.unfollowed import find_unfollowed
from review.proof.world import World
from schemas.state import Documents
from schemas.values import NodeName

_SEARCHES = (find_leaks, find_forgeries, find_losses)


def prove(
    documents: Documents,
    classes: tuple[HostClass, ...] | None = None,
    path_mtus: Mapping[frozenset[NodeName], int] | None = None,
) -> Proof:
    """Prove that a mesh is private and connected, or return what contradicts it.

    ``classes`` are the members that are walked for others; found, if they are not given.
    ``path_mtus`` are what-ifs: bytes of ciphertext that the underlay carries between two nodes.
    """
    world = World(documents, classes, path_mtus)
    found = tuple(each for search in _SEARCHES for each in search(world))
    return Proof(
        hosts=len(documents.hosts),
        classes=len(world.classes),
        families=tuple("IPv6" if ipv6 else "IPv4" for ipv6 in world.families),
        pairs=len(documents.hosts) * (len(documents.hosts) - 1),
        situations=world.situations,
        packets=world.packets,
        lost=_count_lost(found),
        counterexamples=found,
        unfollowed=tuple(find_unfollowed(world)),
    )


def _count_lost(found: tuple[Counterexample, ...]) -> int:
    """Return how many ordered pairs of different hosts lose something."""
    losses = {
        each.between: each.pairs
        for each in found
        if each.claim is Claim.REACH and len(set(each.between)) > 1
    }
    return sum(losses.values())
