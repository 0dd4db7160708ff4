"""A story that ends wrong to the line that would have to be another one.

What decided is not always what is wrong: a packet that meets the guard route lacks another route.
"""

from collections.abc import Iterator
from typing import Final

from review.model.packet import Entry, Start
from review.model.story import Fate, Place, Stage, Step, Story
from review.proof.belongings import find_span
from review.proof.failures import Failure
from review.proof.world import World
from schemas.document import host_file_name
from schemas.state import Chain, Hook, HostState, Route, RouteType, Verdict
from schemas.state import Stage as Table
from schemas.values import NodeName, is_ipv6

Blame = tuple[Place, str]
"""The place, and what is wrong there."""

_MESH: Final = "mesh.json"


def blame_loss(world: World, story: Story, target: NodeName, trouble: str) -> Blame:
    """Say why a packet did not reach its pod, or not as it should."""
    hosts = world.documents.hosts
    host = hosts[story.host]
    last = story.steps[-1]
    wrong_turn = _find_wrong_turn(story, target)
    if wrong_turn is not None and wrong_turn.by is not None:
        return wrong_turn.by, wrong_turn.decision
    match trouble:
        case "translated":
            return _of_step(_last_of(story, Stage.NAT), host)
        case "in clear":
            return _of_step(_last_of(story, Stage.ROUTE), host)
        case "not the pod":
            return _blame_pods(world, story, target)
    if last.stage is Stage.ROUTE and story.fate is Fate.UNREACHABLE:
        return _blame_route(host, story, last)
    if last.stage is Stage.ENCRYPT:
        return _blame_peers(world, story, target)
    if last.stage is Stage.DELIVER and last.by is None:
        return _blame_pods(world, story, target)
    if last.stage is Stage.FILTER and last.by is None:
        return _blame_silence(host, story, last)
    return _of_step(last, host)


def blame_leak(host: HostState, story: Story, failures: tuple[Failure, ...]) -> Blame:
    """Say which layer should have kept a packet in."""
    route = _last_of(story, Stage.ROUTE)
    flushed = any(failure.flushes for failure in failures)
    destination = story.arrived.destination
    if route and route.by and route.by.path[:1] == ("routes",):
        return route.by, f"sends the overlay elsewhere: {route.decision}"
    if flushed:
        place = Place(file=_file_of(host), path=("routes",))
        return place, f"no unreachable route keeps {destination} in when {_say(failures)}"
    if not any(failure.name.startswith("the route") for failure in failures) and not _guards(
        host, destination
    ):
        place = Place(file=_file_of(host), path=("routes",))
        return place, f"no unreachable route keeps {destination} in"
    return _blame_guard(host, story)


def blame_forgery(world: World, story: Story, start: Start) -> Blame:
    """Say which line let a forged packet in."""
    host = world.documents.hosts[start.host]
    if start.entry is Entry.PEER and (step := _last_of(story, Stage.DECRYPT)) and step.by:
        prefix = step.decision.rpartition(": ")[2]
        return step.by, f"lets {start.peer} speak as {prefix}, which its own document lacks"
    hook = Hook.FORWARD if _last_of(story, Stage.ROUTE, "by ") else Hook.INPUT
    for step in story.steps:
        if step.host == start.host and step.stage is Stage.FILTER and step.by is not None:
            if _chain_of(host, step.by).position != "last":
                return step.by, f"lets it in before a rule that would drop it: {step.decision}"
    return _blame_absent(host, story, hook, Table.FILTER, "drops forged sources")


def _say(failures: tuple[Failure, ...]) -> str:
    return " and ".join(failure.name for failure in failures)


def _of_step(step: Step | None, host: HostState) -> Blame:
    if step is None:
        return Place(file=_file_of(host), path=()), "nothing in the documents decided this"
    return step.by or Place(file=_file_of(host), path=()), step.decision


def _find_wrong_turn(story: Story, target: NodeName) -> Step | None:
    """Return the choice of a peer that is not whom the packet is for."""
    for step in story.steps:
        if step.stage is Stage.ENCRYPT and step.by and step.by.path[2:3] not in ((), (target,)):
            return step
    return None


def _last_of(story: Story, stage: Stage, begins: str = "") -> Step | None:
    found = [s for s in story.steps if s.stage is stage and s.decision.startswith(begins)]
    return found[-1] if found else None


def _blame_route(host: HostState, story: Story, last: Step) -> Blame:
    """Say why a lookup ended at a guard, or nowhere."""
    destination = story.arrived.destination
    file = _file_of(host)
    if last.by is not None and last.by.path[:1] == ("routes",):
        guard = host.routes[int(last.by.path[1])]
        for route in host.routes:
            if route.type is RouteType.UNICAST and route.destination == guard.destination:
                rule = f"metric {guard.metric} is better than {route.metric}, the tunnel's"
                return Place(file=file, path=(*last.by.path, "metric")), rule
    device = host.wireguard.interface
    return Place(file=file, path=("routes",)), f"no route leads {destination} into {device}"


def _blame_peers(world: World, story: Story, target: NodeName) -> Blame:
    """Say why no peer has an address that is a member's."""
    host = world.documents.hosts[story.host]
    destination = story.arrived.destination
    if story.host == target:
        place = Place(file=_file_of(host), path=("bridge", "addresses"))
        return place, f"puts {destination}, an address of its own pods, on no link"
    groups = host.wireguard.peer_groups
    for group in groups:
        if target in world.documents.mesh.peer_groups.get(group, {}):
            place = Place(file=_MESH, path=("peerGroups", group, target, "allowedIPs"))
            return place, f"{destination}, an address of {target}, is not among these"
    for group in groups:
        if group in world.documents.mesh.peer_groups:
            place = Place(file=_MESH, path=("peerGroups", group))
            return place, f"{target} is not among these peers"
    place = Place(file=_file_of(host), path=("wireguard", "peerGroups"))
    return place, f"the mesh has no such peer group, so {host.name} has no peers"


def _blame_pods(world: World, story: Story, target: NodeName) -> Blame:
    """Say what is wrong with the addresses that pods are given."""
    host = world.documents.hosts.get(story.host) or world.documents.hosts[target]
    address = find_span(story.packet.destination)
    for each in world.strict.machines[host.name].pods.ranges:
        span = each.addresses
        if address and span.ipv6 is address.ipv6 and span.first <= address.first <= span.last:
            rule = f"gives a pod {story.packet.destination}, which is the host's own"
            return Place(file=each.place.file, path=(*each.place.path, "rangeStart")), rule
    ranges = world.strict.machines[host.name].pods.ranges
    ipv6 = address is not None and address.ipv6
    place = next((each.place for each in ranges if each.subnet.ipv6 is ipv6), None)
    rule = f"gives no pod an address like {story.packet.destination}"
    return place or Place(file=_file_of(host), path=("cni", "config")), rule


def _blame_silence(host: HostState, story: Story, last: Step) -> Blame:
    """Say which chain should have accepted what the policy dropped."""
    return _blame_absent(host, story, Hook.FORWARD, Table.FILTER, "accepts it", Verdict.ACCEPT)


def _blame_guard(host: HostState, story: Story) -> Blame:
    """Say why no chain dropped what leaves in clear."""
    for step in story.steps:
        if step.stage is Stage.MANGLE and step.by is not None and _ends_chain(host, step.by):
            return step.by, f"lets it out before a rule that would drop it: {step.decision}"
    return _blame_absent(host, story, Hook.POSTROUTING, Table.MANGLE, "drops it")


def _blame_absent(  # noqa: PLR0913 - what is looked for
    host: HostState,
    story: Story,
    hook: Hook,
    table: Table,
    deed: str,
    verdict: Verdict = Verdict.DROP,
) -> Blame:
    """Name the chain that should have decided: called elsewhere, without the rule, or missing."""
    ipv6 = is_ipv6(story.packet.destination)
    family = "ipv6" if ipv6 else "ipv4"
    chains = host.firewall.ipv6 if ipv6 else host.firewall.ipv4
    able = [
        (index, chain)
        for index, chain in enumerate(chains)
        if any(rule.verdict is verdict for rule in chain.rules) and chain.stage is table
    ]
    file = _file_of(host)
    for index, chain in able:
        path = ("firewall", family, index)
        if hook not in chain.hooks:
            rule = f"{chain.name}, which {deed}, is not called at {hook}"
            return Place(file=file, path=(*path, "hooks")), rule
        if chain.position == "last" and verdict is Verdict.DROP:
            rule = f"{chain.name} is called last: what others accept before never comes to it"
            return Place(file=file, path=(*path, "position")), rule
    for index, chain in enumerate(chains):
        if chain.stage is table and hook in chain.hooks:
            place = Place(file=file, path=("firewall", family, index, "rules"))
            return place, f"no rule of {chain.name} {deed}"
    place = Place(file=file, path=("firewall", family) if chains else ("firewall",))
    words = "IPv6" if ipv6 else "IPv4"
    return place, f"no {words} chain at {table} {hook} {deed}"


def _ends_chain(host: HostState, by: Place) -> bool:
    """Whether a rule gives a packet back, and does not merely change it."""
    index = by.path[-1]
    rule = _chain_of(host, by).rules[int(index)]
    return rule.verdict in {Verdict.RETURN, Verdict.ACCEPT}


def _chain_of(host: HostState, by: Place) -> Chain:
    family, index = by.path[1], int(by.path[2])
    return (host.firewall.ipv6 if family == "ipv6" else host.firewall.ipv4)[index]


def _guards(host: HostState, destination: str) -> Iterator[Route] | bool:
    """Whether an unreachable route covers an address."""
    address = find_span(destination)
    return any(
        route.type is RouteType.UNREACHABLE
        and (span := find_span(route.destination)) is not None
        and address is not None
        and span.contains(address)
        for route in host.routes
    )


def _file_of(host: HostState) -> str:
    return f"hosts/{host_file_name(host.name)}"
