"""Find the rule, the chain or the route that should have stopped a packet."""

from review.model.packet import Entry, Start
from review.model.story import Place, Stage, Step, Story
from review.proof.belongings import find_span
from review.proof.failures import Failure
from schemas.document import host_path
from schemas.state import Chain, Hook, HostState, Position, RouteType, Verdict
from schemas.state import Stage as Table
from schemas.values import is_ipv6

Blame = tuple[Place, str]
"""The place, and what is wrong there."""


def blame_leak(host: HostState, story: Story, failures: tuple[Failure, ...]) -> Blame:
    """Say which layer should have kept a packet in."""
    device, destination = host.wireguard.interface, story.arrived.destination
    route = last_of(story, Stage.ROUTE)
    if route and route.by and route.by.path[:1] == ("routes",):
        return route.by, f"sends the overlay elsewhere: {route.decision}"
    routes = Place(file=host_path(host.name), path=("routes",))
    if any(failure.flushes for failure in failures):
        if any("unreachable" in failure.name for failure in failures):
            return routes, f"none leads {destination} into {device}"
        return routes, f"none is unreachable for {destination}, for when {device} is gone"
    if not _guards(host, destination) and not any(f.is_route for f in failures):
        return routes, f"none is unreachable for {destination}, for when {device} is gone"
    for step in story.steps:
        if step.stage is Stage.MANGLE and step.by is not None and _ends_chain(host, step.by):
            return step.by, f"lets it out before a rule that would drop it: {step.decision}"
    return blame_absent(host, story, Hook.POSTROUTING, Table.MANGLE, "drops it")


def blame_forgery(host: HostState, story: Story, start: Start) -> Blame:
    """Say which line let a forged packet in."""
    if start.entry is Entry.PEER and (step := last_of(story, Stage.DECRYPT)) and step.by:
        prefix = step.decision.rpartition(": ")[2]
        return step.by, f"lets {start.peer} speak as {prefix}, which its own document lacks"
    for step in story.steps:
        if step.host != host.name or step.stage is not Stage.FILTER or step.by is None:
            continue
        if _chain_of(host, step.by).position is Position.FIRST and _ends_chain(host, step.by):
            return step.by, f"lets it in before a rule that would drop it: {step.decision}"
    hook = Hook.FORWARD if last_of(story, Stage.ROUTE, "by ") else Hook.INPUT
    return blame_absent(host, story, hook, Table.FILTER, "drops forged sources")


def blame_absent(  # noqa: PLR0913, PLR0917 - what is looked for
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
    numbered = [(index, chain) for index, chain in enumerate(chains) if chain.stage is table]
    able = [each for each in numbered if any(r.verdict is verdict for r in each[1].rules)]
    file = host_path(host.name)
    for index, chain in able:
        path = ("firewall", family, index)
        if hook not in chain.hooks:
            rule = f"{chain.name}, which {deed}, is not called at {hook}"
            return Place(file=file, path=(*path, "hooks")), rule
        if chain.position is Position.LAST and verdict is Verdict.DROP:
            rule = f"{chain.name} is called last: what others accept before never comes to it"
            return Place(file=file, path=(*path, "position")), rule
    for index, chain in (*able, *numbered):
        if hook in chain.hooks:
            place = Place(file=file, path=("firewall", family, index, "rules"))
            return place, f"no rule of {chain.name} {deed}"
    place = Place(file=file, path=("firewall", family) if chains else ("firewall",))
    words = "IPv6" if ipv6 else "IPv4"
    return place, f"no {words} chain at {table} {hook} {deed}"


def last_of(story: Story, stage: Stage, begins: str = "") -> Step | None:
    """Return the last decision of a stage; of those that begin so, if words are given."""
    found = [s for s in story.steps if s.stage is stage and s.decision.startswith(begins)]
    return found[-1] if found else None


def _ends_chain(host: HostState, by: Place) -> bool:
    """Whether a rule gives a packet back, and does not merely change it."""
    rule = _chain_of(host, by).rules[int(by.path[-1])]
    return rule.verdict in {Verdict.RETURN, Verdict.ACCEPT}


def _chain_of(host: HostState, by: Place) -> Chain:
    family, index = by.path[1], int(by.path[2])
    return (host.firewall.ipv6 if family == "ipv6" else host.firewall.ipv4)[index]


def _guards(host: HostState, destination: str) -> bool:
    """Whether an unreachable route covers an address."""
    address = find_span(destination)
    return address is not None and any(
        route.type is RouteType.UNREACHABLE
        and (span := find_span(route.destination)) is not None
        and span.contains(address)
        for route in host.routes
    )
