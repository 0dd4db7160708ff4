"""Two states to a proof that no host leaks on its way from one to the other."""

from msgspec.structs import replace

from review.proof.claim import Counterexample, Proof
from review.proof.journey import find_journeys, find_leaks_on_the_way, protect
from review.proof.world import World
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
    steps = packets = 0
    for names in find_journeys(old, new):
        before, after = _resolve(old, names[0]), _resolve(new, names[0])
        if before == after:
            continue
        documents = new if after else old
        world = World(documents, ())
        moments = tuple(list_moments(before, after))
        found += find_leaks_on_the_way(
            world,
            documents,
            protected,
            moments,
            joins_or_leaves=before is None or after is None,
            hosts=len(names),
        )
        steps += moments[-1].total
        packets += world.packets
    return replace(
        proof,
        steps=steps,
        packets=proof.packets + packets,
        counterexamples=(*proof.counterexamples, *found),
    )


def _resolve(documents: Documents, name: NodeName) -> ResolvedHost | None:
    host = documents.hosts.get(name)
    return resolve(documents.mesh, host) if host else None
