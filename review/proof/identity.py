"""Nobody speaks in another's name: no node through the tunnel, no pod, nobody outside in clear.

Walked where hosts let through whatever our rules do, and without chains that are called last.
Not claimed: of pods on one bridge none is kept from another's address there; and a pod may send
from any address of its own host's pod CIDRs.
"""

from collections.abc import Iterator
from itertools import product

from msgspec.structs import replace

from review.model.network import Network, replace_machines
from review.model.numbers import spell_address, spell_addresses
from review.model.packet import Entry, Start
from review.model.story import Fate, Stage, Story
from review.proof.atlas import whole_space
from review.proof.belongings import Member, find_span
from review.proof.blamechains import blame_forgery
from review.proof.claim import Claim, Counterexample
from review.proof.failures import without_late_chains
from review.proof.world import World, list_aims, list_kinds, make_atlas, own_addresses
from schemas.state import Value
from schemas.values import NodeName

_ACCEPTED = frozenset({Fate.DELIVERED, Fate.LEFT, Fate.LEAKED})

_LINK = tuple(span for text in ("fe80::/10", "::/128") if (span := find_span(text)))
"""What neighbours say to each other, and no router forwards (RFC 4291, sections 2.5.2, 2.5.6)."""

_OUTSIDE = {False: "203.0.113.1", True: "2001:db8:ffff::1"}
"""Somebody outside (RFC 5737, RFC 3849)."""


class Forgery(Value, frozen=True, kw_only=True):
    """Who forges, and where it is received."""

    start: Start
    subject: str
    own: Member | None
    """Whose name may be used: the sender's own."""


def find_forgeries(world: World) -> Iterator[Counterexample]:
    """Yield a packet for each sender that gets through in another's name."""
    machines = (
        without_late_chains(machine, world.documents.hosts[name])
        for name, machine in world.lax.machines.items()
    )
    network = replace_machines(world.lax, machines)
    for one, other, pairs in world.list_forgers():
        forgery = Forgery(
            start=Start(host=other, entry=Entry.PEER, peer=one),
            subject=f"{one} can speak in another's name to {other}",
            own=world.members[one],
        )
        yield from _find(world, network, forgery, pairs)
    for each in world.hosts:
        for forgery in _list_local(world, each.names[0]):
            yield from _find(world, network, forgery, len(each.names))


def _list_local(world: World, name: NodeName) -> Iterator[Forgery]:
    yield Forgery(
        start=Start(host=name, entry=Entry.POD),
        subject=f"a pod of {name} can speak in another's name",
        own=world.members[name],
    )
    yield Forgery(
        start=Start(host=name, entry=Entry.OUTSIDE),
        subject=f"somebody outside can speak to {name} in the overlay's name",
        own=None,
    )


def _find(world: World, network: Network, forgery: Forgery, pairs: int) -> Iterator[Counterexample]:
    told = set()
    kinds = list_kinds(world.documents.hosts.values())
    for ipv6 in world.families:
        names = _list_names(world, forgery, ipv6=ipv6)
        targets = dict.fromkeys(_list_targets(world, forgery.start.host, ipv6=ipv6))
        for kind, source in product(kinds, names):
            for target in targets:
                if source == target:
                    continue
                packet = replace(kind, source=source, destination=target)
                story = world.walk(network, packet, forgery.start)
                if [step.stage for step in story.steps] == [Stage.DECRYPT]:
                    break  # whomever it is for: WireGuard asks for the source alone
                if story.fate not in _ACCEPTED or _is_among_neighbours(forgery, story):
                    continue
                place, fault = blame_forgery(
                    world.documents.hosts[forgery.start.host], story, forgery.start
                )
                if place not in told:
                    told.add(place)
                    yield Counterexample(
                        claim=Claim.IDENTITY,
                        subject=forgery.subject,
                        story=story,
                        place=place,
                        fault=fault,
                        pairs=pairs,
                    )


def _list_names(world: World, forgery: Forgery, *, ipv6: bool) -> tuple[str, ...]:
    """Return the sources that a sender has no right to."""
    if forgery.own is None:
        return world.overlay_of(ipv6=ipv6)
    own = forgery.own.own_prefixes
    return tuple(
        source
        for source in world.all_of(ipv6=ipv6)
        if (span := find_span(source)) and not any(each.contains(span) for each in own)
    )


def _list_targets(world: World, name: NodeName, *, ipv6: bool) -> Iterator[str]:
    """Yield whom a forged packet could be for: pods, the host, pods elsewhere, the outside."""
    here = world.lax.machines[name]
    yield from world.pods_of(here, ipv6=ipv6)
    yield from own_addresses(here, ipv6=ipv6)
    for each in world.hosts:
        for other in each.names[:2]:
            if other != name:
                yield from world.pods_of(world.lax.machines[other], ipv6=ipv6)[:1]
    yield _OUTSIDE[ipv6]
    # And whoever a rule of the host's makes a difference for, the host's own endpoint first.
    if here.reach is not None and here.reach.ipv6 is ipv6:
        yield spell_address(here.reach.address, ipv6=ipv6)
    aims = make_atlas(list_aims(world.documents.hosts[name]))
    yield from spell_addresses(aims.pick(whole_space(ipv6=ipv6)), ipv6=ipv6)


def _is_among_neighbours(forgery: Forgery, story: Story) -> bool:
    """Whether a pod's packet stays on its bridge, where the host is one of its neighbours."""
    if forgery.start.entry is not Entry.POD or story.host != forgery.start.host:
        return False
    source = find_span(story.packet.source)
    stays = not any(step.stage == "route" for step in story.steps)
    return stays or (source is not None and any(each.contains(source) for each in _LINK))
