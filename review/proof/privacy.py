"""No packet for the overlay leaves a host in clear: now, after one failure, after two.

Whether a packet leaves in clear is decided on the host that it leaves: its routes, its chains,
its device. So one host of each class is enough, and other hosts' failures do not matter.

Two layers keep a packet in: an unreachable route, and a chain that drops. Each has to do without
the other, so failures come in pairs too: the tunnel gone and our chains flushed is what an operator
does who starts anew.

Walked where hosts let through whatever our rules do. Chains that are called last do not count: what
others accept before never comes to them.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product

from msgspec.structs import replace

from review.model.machine import Machine
from review.model.numbers import spell_addresses
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate, Place, Story
from review.proof.atlas import whole_space
from review.proof.belongings import Span
from review.proof.blamechains import blame_leak
from review.proof.claim import Claim, Counterexample
from review.proof.failures import Failure, list_failures, without_late_chains
from review.proof.world import (
    PACKETS,
    ExhaustedError,
    World,
    list_aims,
    list_kinds,
    make_atlas,
    own_addresses,
    pods_of,
)
from schemas.state import HostState
from schemas.values import NodeName

_IN_CLEAR = frozenset({Fate.LEAKED, Fate.LEFT})


def find_leaks(world: World) -> Iterator[Counterexample]:
    """Yield a packet for each failure, and pair of failures, that lets one out."""
    for each in world.hosts:
        yield from _find_leaks_of(world, each.names[0], len(each.names))


def list_situations(world: World, name: NodeName) -> Iterator[tuple[Failure, ...]]:
    """Yield what may have failed on a host: nothing, one thing, two layers."""
    peers = tuple(other for each in world.classes for other in each.names[:2] if other != name)
    failures = tuple(list_failures(world.documents.hosts[name], peers))
    yield ()
    yield from ((failure,) for failure in failures)
    yield from combinations([failure for failure in failures if failure.is_layer], 2)


Question = tuple[Packet, Start]
"""A packet, and where it comes from."""

Protected = Mapping[bool, tuple[Span, ...]]
"""What is never to be sent in clear, by whether it is IPv6."""


def list_questions(
    host: HostState, machine: Machine, protected: Protected, peer: Machine | None
) -> tuple[Question, ...]:
    """Return a packet for each answer that the host's own document can give.

    Sources are told apart by the sources in rules, destinations by those in rules and by routes.
    What the kernel refuses by itself is not asked: a packet that it drops leaks nowhere.

    Raises:
        ExhaustedError: a document tells so many apart that nobody could wait for the answers.

    """
    rules = [rule for chain in (*host.firewall.ipv4, *host.firewall.ipv6) for rule in chain.rules]
    own = [*host.bridge.addresses, *host.wireguard.addresses]
    routes = [route.destination for route in host.routes]
    sources = make_atlas([*own, *(rule.source for rule in rules)])
    targets = make_atlas([*own, *routes, *list_aims(host)])
    kinds = list_kinds([host])
    asked: list[Question] = []
    for ipv6, spans in protected.items():
        aims = spell_addresses(targets.pick(*spans), ipv6=ipv6)
        names = spell_addresses(sources.pick(whole_space(ipv6=ipv6)), ipv6=ipv6)
        for start, sources_of in _list_senders(machine, names, peer, ipv6=ipv6):
            given = tuple(dict.fromkeys(sources_of))
            if len(asked) + len(given) * len(aims) * len(kinds) > PACKETS:
                raise ExhaustedError
            asked += [
                (replace(kind, source=source, destination=aim), start)
                for source, aim, kind in product(given, aims, kinds)
                if source != aim
            ]
    return tuple(asked)


def _list_senders(
    machine: Machine, names: tuple[str, ...], peer: Machine | None, *, ipv6: bool
) -> Iterator[tuple[Start, tuple[str, ...]]]:
    """Yield who may send, and from which sources."""
    yield Start(host=machine.name, entry=Entry.POD), (*names, *pods_of(machine, ipv6=ipv6))
    yield Start(host=machine.name, entry=Entry.HOST), own_addresses(machine, ipv6=ipv6)
    yield Start(host=machine.name, entry=Entry.OUTSIDE), names
    if peer is not None:
        start = Start(host=machine.name, entry=Entry.PEER, peer=peer.name)
        yield start, pods_of(peer, ipv6=ipv6)


def find_leak(world: World, machine: Machine, questions: Iterable[Question]) -> Story | None:
    """Return a packet for the overlay that a host lets out in clear.

    The host is alone in its network: what it encrypts is of no concern here.
    """
    network = replace(world.lax, machines={machine.name: machine})
    for packet, start in questions:
        story = world.walk(network, packet, start)
        if story.fate in _IN_CLEAR:
            return story
    return None


def _find_leaks_of(world: World, name: NodeName, hosts: int) -> Iterator[Counterexample]:
    """Yield the leaks of one host. What leaks already leaks after each further failure too."""
    host = world.documents.hosts[name]
    protected = {ipv6: world.overlay_spans(ipv6=ipv6) for ipv6 in world.families}
    machines = world.lax.machines
    peer = next((machines[other] for other in machines if other != name), None)
    questions = list_questions(host, machines[name], protected, peer)
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
        story = find_leak(world, machine, questions)
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
            failures=len(failures),
            story=story,
            place=place,
            fault=fault,
            pairs=hosts,
        )
