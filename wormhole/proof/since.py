"""Two states to a proof that no host leaks on its way from one to the other."""

from msgspec.structs import replace

from review.model.story import Place
from review.proof.claim import Counterexample, Proof, Unfollowed
from review.proof.journey import find_journeys, find_leaks_on_the_way, protect
from review.proof.world import PACKETS, ExhaustedError, World
from schemas.document import host_path
from schemas.resolve import resolve
from schemas.state import Documents, ResolvedHost
from schemas.values import NodeName
from wormhole.proof.rollout import list_moments


def prove_rollout(old: Documents, new: Documents, proof: Proof) -> Proof:
    """Return a proof of the new state with that of the way to it.

    Raises:
        Problems: a document of either state cannot be resolved, so that no host would apply it.

    """
    protected = protect(old, new)
    found: list[Counterexample] = []
    unfollowed = list(proof.unfollowed)
    steps = packets = 0
    for names in find_journeys(old, new):
        before, after = _resolve(old, names[0]), _resolve(new, names[0])
        if before == after:
            continue
        documents = new if after else old
        world = World(documents, ())
        world.allow(PACKETS - packets)
        moments = tuple(list_moments(before, after))
        try:
            found += find_leaks_on_the_way(
                world,
                documents,
                protected,
                moments,
                joins_or_leaves=before is None or after is None,
                hosts=len(names),
            )
        except ExhaustedError:
            unfollowed.append(_say_unfinished(names[0]))
            break
        steps += moments[-1].total
        packets += world.packets
    return replace(
        proof,
        steps=steps,
        packets=proof.packets + packets,
        counterexamples=(*proof.counterexamples, *found),
        unfollowed=tuple(unfollowed),
    )


def _say_unfinished(name: NodeName) -> Unfollowed:
    fault = f"too much to walk on the way from the old state: ended after {PACKETS:,} packets"
    return Unfollowed(place=Place(file=host_path(name), path=()), fault=fault)


def _resolve(documents: Documents, name: NodeName) -> ResolvedHost | None:
    host = documents.hosts.get(name)
    return resolve(documents.mesh, host) if host else None
