"""The documents of a mesh to what is proven of it."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from review.model.story import Place
from review.proof.claim import Claim, Counterexample, Proof, Unfollowed
from review.proof.classes import HostClass
from review.proof.identity import find_forgeries
from review.proof.privacy import find_leaks
from review.proof.reach import find_losses
from review.proof.unfollowed import find_unfollowed
from review.proof.world import PACKETS, ExhaustedError, World
from schemas.document import MESH_FILE
from schemas.state import Documents
from schemas.values import NodeName

_SEARCHES = {
    Claim.PRIVACY: find_leaks,
    Claim.IDENTITY: find_forgeries,
    Claim.REACH: find_losses,
}
_EXAMPLES: Final = 2_000
"""Told of one claim at most: who has so many mends a few and looks again."""


def prove(
    documents: Documents,
    classes: tuple[HostClass, ...] | None = None,
    path_mtus: Mapping[frozenset[NodeName], int] | None = None,
    packets: int = PACKETS,
) -> Proof:
    """Prove that a mesh is private and connected, or return what contradicts it.

    ``classes`` are the members that are walked for others; found, if they are not given.
    ``path_mtus`` are what-ifs: bytes of ciphertext that the underlay carries between two nodes.
    ``packets`` are walked for each claim at most; a search that ends before is said to have.
    """
    world = World(documents, classes, path_mtus)
    found: list[Counterexample] = []
    unfollowed = [*find_unfollowed(world)]
    unfollowed += [
        _say_unfinished(world, claim, packets)
        for claim in Claim
        if not _search(world, claim, packets, found)
    ]
    return Proof(
        hosts=len(documents.hosts),
        classes=len(world.classes),
        families=tuple("IPv6" if ipv6 else "IPv4" for ipv6 in world.families),
        pairs=len(documents.hosts) * (len(documents.hosts) - 1),
        situations=world.situations,
        packets=world.packets,
        lost=_count_lost(found),
        counterexamples=tuple(found),
        unfollowed=tuple(unfollowed),
    )


def _search(world: World, claim: Claim, packets: int, found: list[Counterexample]) -> bool:
    """Add the counter-examples of one claim; return whether all packets were walked."""
    world.allow(packets)
    examples = iter(_SEARCHES[claim](world))
    try:
        found += islice(examples, _EXAMPLES)
        return next(examples, None) is None
    except ExhaustedError:
        return False


def _say_unfinished(world: World, claim: Claim, packets: int) -> Unfollowed:
    classes = f"{len(world.classes):,} class{'' if len(world.classes) == 1 else 'es'} of hosts"
    ended = f"after {packets:,} packets or {_EXAMPLES:,} counter-examples"
    return Unfollowed(
        place=Place(file=MESH_FILE, path=("peerGroups",)),
        fault=f"too much to walk for {claim}, with {classes}: ended {ended}",
    )


def _count_lost(found: Iterable[Counterexample]) -> int:
    """Return how many ordered pairs of different hosts lose something."""
    losses = {
        each.between: each.pairs
        for each in found
        if each.claim is Claim.REACH and len(set(each.between)) > 1
    }
    return sum(losses.values())
