"""Find the line of a document that is at fault for a lost packet.

The line that decided is not always the one that is wrong: a packet that meets the guard route lacks
another route.
"""

from review.model.packet import Entry, Start
from review.model.story import Fate, Place, Stage, Step, Story
from review.proof.belongings import Member, Span, find_endpoint, find_span
from review.proof.blamechains import Blame, blame_absent, last_of
from review.proof.world import World
from schemas.document import MESH_FILE, host_path
from schemas.state import Hook, HostState, RouteType, Verdict
from schemas.state import Stage as Table
from schemas.values import NodeName


def blame_loss(world: World, story: Story, start: Start, target: NodeName, trouble: str) -> Blame:
    """Say why a packet did not reach its pod, or not as it should."""
    host = world.documents.hosts[story.host]
    last = story.steps[-1]
    if found := _blame_ends(world, story, start, target):
        return found
    wrong_turn = _find_wrong_turn(story, target)
    if wrong_turn is not None and wrong_turn.by is not None:
        return wrong_turn.by, f"takes the packet: {wrong_turn.decision}"
    if trouble == "translated":
        return _blame_translation(story, host)
    if trouble == "in clear":
        return _of_step(last_of(story, Stage.ROUTE), host)
    if trouble == "not the pod":
        return _blame_pods(world, story.host, story.packet.destination)
    return _blame_last(world, story, start, target, last)


def _blame_last(  # noqa: PLR0911 - a table of stages, a sentence each
    world: World, story: Story, start: Start, target: NodeName, last: Step
) -> Blame:
    """Judge by the stage that had the last word."""
    host = world.documents.hosts[story.host]
    match last.stage:
        case Stage.ROUTE if story.fate is Fate.UNREACHABLE:
            return _blame_route(host, last, story.arrived.destination)
        case Stage.REVERSE_PATH if last.by and last.by.path[:1] == ("routes",):
            return _blame_route(host, last, story.arrived.source)
        case Stage.REVERSE_PATH if last.by is None and start.entry is Entry.POD:
            return _blame_pods(world, start.host, story.packet.source)
        case Stage.MANGLE if route := last_of(story, Stage.ROUTE):
            return _blame_route(host, route, story.arrived.destination)
        case Stage.ENCRYPT:
            return _blame_peers(world, host, target, story.arrived.destination)
        case Stage.UNDERLAY:
            return _blame_underlay(world, story, target, last)
        case Stage.DELIVER if last.by is None:
            return _blame_pods(world, story.host, story.packet.destination)
        case Stage.FILTER if last.by is None:
            deed, verdict = "accepts this packet", Verdict.ACCEPT
            return blame_absent(host, story, Hook.FORWARD, Table.FILTER, deed, verdict)
        case Stage.MTU if _fits_no_own_device(last) and story.host == start.host:
            mtu = world.strict.machines[start.host].pods
            return mtu.mtu_place, f"pods build packets that do not fit: {last.decision}"
        case _:
            return _of_step(last, host)


def _fits_no_own_device(last: Step) -> bool:
    """Whether a device of the host was too narrow, and not the underlay behind it."""
    return "ciphertext" not in last.decision


def _of_step(step: Step | None, host: HostState) -> Blame:
    if step is None:
        return Place(file=host_path(host.name), path=()), "nothing in the documents decided this"
    return step.by or Place(file=host_path(host.name), path=()), step.decision


def _blame_ends(world: World, story: Story, start: Start, target: NodeName) -> Blame | None:
    """Say that a pod's address is none of its host's pod CIDRs; None when both are."""
    ends = [(target, story.packet.destination)]
    if start.entry is Entry.POD:
        ends.append((start.host, story.packet.source))
    for name, text in ends:
        address = find_span(text)
        pods = world.strict.machines[name].pods
        if address is None or pods.find(address.first, ipv6=address.ipv6) is None:
            continue
        if found := _blame_end(world, world.members[name], address, text):
            return found
    return None


def _blame_end(world: World, member: Member, address: Span, text: str) -> Blame | None:
    host = world.documents.hosts[member.name]
    networks = [span for one in host.bridge.addresses if (span := find_span(one))]
    if any(span.contains(address) for span in networks):
        return None
    allowed = [find_span(prefix) for _, peer in member.entries for prefix in peer.allowed_ips]
    if any(span and span.contains(address) for span in allowed):
        place = Place(file=host_path(host.name), path=("bridge", "addresses"))
        return place, f"none is on link with {text}, an address of its own pods"
    place = _place_of_range(world, member.name, address)
    return place, f"gives a pod {text}, which is in none of the host's pod CIDRs"


def _place_of_range(world: World, name: NodeName, address: Span) -> Place:
    machine = world.strict.machines[name]
    found = machine.pods.find(address.first, ipv6=address.ipv6)
    same = (each for each in machine.pods.ranges if each.subnet.ipv6 is address.ipv6)
    given = found or next(same, None)
    return given.place if given else machine.at("cni", "config")


def _find_wrong_turn(story: Story, target: NodeName) -> Step | None:
    """Return the choice of a peer that is not whom the packet is for."""
    for step in story.steps:
        if step.stage is Stage.ENCRYPT and step.by and step.by.path[2:3] not in ((), (target,)):
            return step
    return None


def _blame_translation(story: Story, host: HostState) -> Blame:
    """Name the chain that translated: it lacks the rule that keeps it from that."""
    step = last_of(story, Stage.NAT, "from now on")
    if step is None or step.by is None:
        return _of_step(step, host)
    place = Place(file=step.by.file, path=step.by.path[:-1])
    return place, f"translates the source of a packet inside the overlay: {step.decision}"


def _blame_route(host: HostState, last: Step, address: str) -> Blame:
    """Say why a lookup ended at a guard, or nowhere, or elsewhere."""
    file, device = host_path(host.name), host.wireguard.interface
    if last.by is not None and last.by.path[:1] == ("routes",):
        found = host.routes[int(last.by.path[1])]
        if found.type is RouteType.UNICAST:
            place = Place(file=file, path=(*last.by.path, "device"))
            return place, f"sends {found.destination} elsewhere than into {device}"
        for route in host.routes:
            if route.type is RouteType.UNICAST and route.destination == found.destination:
                rule = f"is better than {route.metric}, the metric of the route into {device}"
                return Place(file=file, path=(*last.by.path, "metric")), rule
    return Place(file=file, path=("routes",)), f"none leads {address} into {device}"


def _blame_peers(world: World, host: HostState, target: NodeName, address: str) -> Blame:
    """Say why no peer has an address that is a member's."""
    if host.name == target:
        place = Place(file=host_path(host.name), path=("bridge", "addresses"))
        return place, f"none is on link with {address}, an address of its own pods"
    groups = world.documents.mesh.peer_groups
    joined = [group for group in host.wireguard.peer_groups if group in groups]
    for group in joined:
        if target in groups[group]:
            place = Place(file=MESH_FILE, path=("peerGroups", group, target, "allowedIPs"))
            return place, f"{address}, an address of {target}, is not among these"
    if joined:
        place = Place(file=MESH_FILE, path=("peerGroups", joined[0]))
        return place, f"{target} is not among these peers"
    place = Place(file=host_path(host.name), path=("wireguard", "peerGroups"))
    return place, f"the mesh has no such peer group, so {host.name} has no peers"


def _blame_underlay(world: World, story: Story, target: NodeName, last: Step) -> Blame:
    """Say what keeps two hosts from shaking hands."""
    groups = world.documents.mesh.peer_groups
    there = world.documents.hosts[target]
    if last.by is not None and last.by.path[-1:] == ("peerGroups",):
        return _blame_peers(world, there, story.host, story.packet.source)
    without = []
    for name in sorted((story.host, target)):
        for group, peers in groups.items():
            if (peer := peers.get(name)) is None:
                continue
            place = Place(file=MESH_FILE, path=("peerGroups", group, name, "endpoint"))
            if peer.endpoint is None:
                without.append(Place(file=MESH_FILE, path=("peerGroups", group, name)))
            elif (address := find_endpoint(peer.endpoint)) and world.lax.surroundings.covers(
                address.first, ipv6=address.ipv6
            ):
                return place, "is an address of the overlay: the tunnel would lead into itself"
            sharing = sorted(one for one in peers if peers[one].endpoint == peer.endpoint)
            if peer.endpoint is not None and len(sharing) > 1:
                place = Place(file=MESH_FILE, path=("peerGroups", group, sharing[0], "endpoint"))
                return place, f"is the endpoint of {sharing[1]} too, and one host can be there"
    if len(without) > 1:
        return without[
            0
        ], f"has no endpoint, and nor has {without[1].path[-1]}: neither can speak first"
    return _of_step(last, world.documents.hosts[story.host])


def _blame_pods(world: World, name: NodeName, text: str) -> Blame:
    """Say what is wrong with the addresses that pods are given."""
    machine = world.strict.machines[name]
    address = find_span(text)
    if address is None:
        return machine.at("cni", "config"), "gives no pod an address"
    place = _place_of_range(world, name, address)
    if address.first in machine.own[address.ipv6]:
        place = Place(file=place.file, path=(*place.path, "rangeStart"))
        return place, f"gives a pod {text}, which is the host's own"
    return place, f"gives no pod an address like {text}"
