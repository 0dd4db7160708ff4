"""No packet for the overlay leaves a host in clear: now, after one failure, after two.

Whether a packet leaves in clear is decided on the host that it leaves: its routes, its chains,
its device. So one host of each class is enough, and other hosts' failures do not matter.

Two layers keep a packet in: an unreachable route, and a chain that drops. Each has to do without the
other, so failures come in pairs too: the tunnel gone and our chains flushed is what an operator does
who starts anew.

Walked where hosts let through whatever our rules do. Chains that are called last do not count: what
others accept before never comes to them.
"""

from collections.abc import Iterator
from itertools import combinations, product

from review.model.machine import Machine
from review.model.network import Network, replace_machines
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate, Place, Story
from review.proof.blame import blame_leak
from review.proof.claim import Claim, Counterexample
from review.proof.failures import Failure, list_failures, without_late_chains
from review.proof.world import World
from schemas.values import NodeName

_IN_CLEAR = frozenset({Fate.LEAKED, Fate.LEFT})

Leak = tuple[Story, Machine]
"""A packet that leaves in clear, and the host as it was then."""


def find_leaks(world: World) -> Iterator[Counterexample]:
    """Yield a packet for each failure, and pair of failures, that lets one out."""
    for each in world.hosts:
        yield from _find_leaks_of(world, each.names[0], len(each.names))


def list_situations(world: World, name: NodeName) -> Iterator[tuple[Failure, ...]]:
    """Yield what may have failed on a host: nothing, one thing, two layers."""
    peers = tuple(other for other in world.members if other != name)
    failures = tuple(list_failures(world.documents.hosts[name], peers))
    yield ()
    yield from ((failure,) for failure in failures)
    yield from combinations([failure for failure in failures if failure.is_layer], 2)


def find_leak(world: World, network: Network, name: NodeName) -> Story | None:
    """Return a packet for the overlay that a host lets out in clear."""
    for ipv6 in world.families:
        sources = world.all_of(ipv6=ipv6)
        for target in world.overlay_of(ipv6=ipv6):
            for entry, source in product((Entry.POD, Entry.HOST, Entry.OUTSIDE), sources):
                packet = Packet(source=source, destination=target)
                story = world.walk(network, packet, Start(host=name, entry=entry))
                if story.fate in _IN_CLEAR:
                    return story
    return None


def _find_leaks_of(world: World, name: NodeName, hosts: int) -> Iterator[Counterexample]:
    """Yield the leaks of one host. What leaks already leaks after each further failure too."""
    host = world.documents.hosts[name]
    told: set[Place] = set()
    fatal: list[frozenset[str]] = []
    for failures in list_situations(world, name):
        names = frozenset(failure.name for failure in failures)
        if any(each <= names for each in fatal):
            continue
        machine = without_late_chains(world.lax.machines[name], host)
        for failure in failures:
            machine = failure.happen(machine)
        world.situations += 1
        story = find_leak(world, replace_machines(world.lax, [machine]), name)
        if story is None:
            continue
        fatal.append(names)
        place, fault = blame_leak(host, story, failures)
        if place in told:
            continue
        told.add(place)
        yield Counterexample(
            claim=Claim.PRIVACY,
            subject=f"packets for the overlay leave {name} in clear",
            situation=" and ".join(failure.name for failure in failures),
            story=story,
            place=place,
            fault=fault,
            pairs=hosts,
        )
