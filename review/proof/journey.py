"""Look for a leak in every state that a host passes through between two desired states.

One host at a time: hosts move independently, but what leaves a host in clear is decided by its own
routes, chains and devices, in whatever state the others are. What others may send it, in clear or
through the tunnel, is asked in every state.

Protected is what is the overlay's before and after, and the pods of both: a host that has not
begun yet must not send in clear to a pod that has come already, nor one that is done to a pod that
has not gone.
"""

from collections.abc import Iterable, Iterator

from review.model.machine import Machine, build_machine
from review.model.peers import build_peer_table
from review.model.story import Place, Story
from review.model.variants import with_device_down
from review.proof.atlas import FAMILIES
from review.proof.belongings import Span, find_span
from review.proof.blamechains import Blame, blame_leak
from review.proof.claim import Claim, Counterexample
from review.proof.classes import reduce_documents, sort_into_classes
from review.proof.failures import without_late_chains
from review.proof.moment import Moment
from review.proof.privacy import Protected, find_leak, list_questions
from review.proof.world import World
from schemas.document import MESH_FILE
from schemas.state import Documents, HostState
from schemas.values import InterfaceName, NodeName


def find_journeys(old: Documents, new: Documents) -> tuple[tuple[NodeName, ...], ...]:
    """Return the hosts of both states, together those whose documents change alike."""
    before, after = _number_classes(old), _number_classes(new)
    journeys: dict[object, list[NodeName]] = {}
    for name in sorted({*old.hosts, *new.hosts}):
        # Who keeps his prefixes is renamed in both states at once; who does not is like nobody.
        same = name not in old.hosts or name not in new.hosts or _is_same(old, new, name)
        key = (before.get(name), after.get(name), "" if same else name)
        journeys.setdefault(key, []).append(name)
    return tuple(map(tuple, journeys.values()))


def protect(old: Documents, new: Documents) -> Protected:
    """Return what may not leave in clear at any time on the way."""
    mine, theirs = _list_overlay(old), _list_overlay(new)
    common = {one for one in mine for other in theirs if other.contains(one)}
    common |= {other for other in theirs for one in mine if one.contains(other)}
    spans = common | _list_pods(old) | _list_pods(new)
    outer = {one for one in spans if not any(o != one and o.contains(one) for o in common)}
    found = {ipv6: tuple(sorted(one for one in outer if one.ipv6 is ipv6)) for ipv6 in FAMILIES}
    return {ipv6: those for ipv6, those in found.items() if those}


def find_leaks_on_the_way(  # noqa: PLR0913 - two states, one host, and its way
    world: World,
    documents: Documents,
    protected: Protected,
    moments: Iterable[Moment],
    *,
    joins_or_leaves: bool,
    hosts: int,
) -> Iterator[Counterexample]:
    """Yield the first state of a host's journey in which a packet leaves in clear.

    A host that joins, or is cleaned, is no part of the mesh while it has neither guards nor a
    bridge that a pod could be plugged into.
    """
    before: tuple[HostState, frozenset[InterfaceName]] | None = None
    for moment in moments:
        # Peers come and go without a bearing on what leaves in clear.
        if before == (moment.host, moment.up) or (joins_or_leaves and _is_empty(moment)):
            continue
        before = (moment.host, moment.up)
        machine, peer = _build(documents, moment)
        questions = list_questions(moment.host, machine, protected, peer)
        story = find_leak(world, machine, questions)
        if story is None:
            continue
        place, fault = _blame(documents, moment.host, story)
        yield Counterexample(
            claim=Claim.PRIVACY,
            subject=f"packets for the overlay leave {moment.host.name} in clear",
            situation=_say_when(moment),
            failures=1,
            story=story,
            place=place,
            fault=fault,
            pairs=hosts,
        )
        return


def _is_empty(moment: Moment) -> bool:
    return not moment.guarded and moment.host.bridge.interface not in moment.up


def _say_when(moment: Moment) -> str:
    if not moment.number:
        return "it has not begun to change"
    return f"{moment.number} of the {moment.total} steps of its plan are made, {moment.after} last"


def _blame(documents: Documents, host: HostState, story: Story) -> Blame:
    """Say why it leaks: a step in the wrong place, or pods that come before their overlay."""
    target = find_span(story.arrived.destination)
    known = (find_span(route.destination) for route in host.routes)
    if target is not None and not any(one and one.contains(target) for one in known):
        for group, peers in documents.mesh.peer_groups.items():
            for name, peer in peers.items():
                for index, prefix in enumerate(peer.allowed_ips):
                    if (span := find_span(prefix)) and span.contains(target):
                        path = ("peerGroups", group, name, "allowedIPs", index)
                        fault = "is in no overlay that every host guards by then: grow the overlay"
                        return Place(file=MESH_FILE, path=path), f"{fault} first, then move pods"
    return blame_leak(host, story, ())


def _build(documents: Documents, moment: Moment) -> tuple[Machine, Machine | None]:
    """Return a host as it is at a moment, and a peer that may speak to it."""
    name = moment.host.name
    other = next((one for one in documents.hosts if one != name), None)
    few = reduce_documents(documents, [name, *([other] if other else [])])
    peers = build_peer_table(few.mesh, moment.host.wireguard.peer_groups)
    machine = build_machine(few.mesh, moment.host, peers)
    for link in (machine.tunnel, machine.bridge):
        if link not in moment.up:
            machine = with_device_down(machine, link)
    peer = build_machine(few.mesh, few.hosts[other], peers) if other else None
    return without_late_chains(machine, moment.host), peer


def _number_classes(documents: Documents) -> dict[NodeName, int]:
    classes = sort_into_classes(documents)
    return {name: number for number, each in enumerate(classes) for name in each.names}


def _is_same(old: Documents, new: Documents, name: NodeName) -> bool:
    before, after = old.hosts[name], new.hosts[name]
    return (before.bridge.addresses, before.wireguard.addresses) == (
        after.bridge.addresses,
        after.wireguard.addresses,
    )


def _list_overlay(documents: Documents) -> set[Span]:
    routes = {route.destination for host in documents.hosts.values() for route in host.routes}
    return {span for route in routes if (span := find_span(route))}


def _list_pods(documents: Documents) -> set[Span]:
    return {
        span
        for peers in documents.mesh.peer_groups.values()
        for peer in peers.values()
        for prefix in peer.allowed_ips
        if (span := find_span(prefix))
    }
