"""Members of a mesh to what is wrong with them and between them, which no schema can say."""

from collections.abc import Iterator, Sequence

from compiler.addresses import FIRST_POD_OFFSET
from compiler.contradictions import find_shared
from compiler.fields import Placed, Site
from compiler.mesh import ReadMesh
from compiler.mtus import find_narrow
from compiler.networks import find_overlaps
from compiler.node import Member
from compiler.topology import tunnel_overhead
from compiler.unfold import Complaint
from schemas.keys import WEAK_KEYS, weak_key_rule


def check_members(mesh: ReadMesh | None, members: Sequence[Member]) -> Iterator[Complaint]:
    """Find everything that is wrong with members, given in order of their names.

    Without a mesh, only what does not depend on it is looked for.
    """
    for member in members:
        yield from member.complaints
        yield from _check_key(member)
    yield from find_shared(members)
    placed = [each for member in members for each in member.networks]
    yield from _check_room(placed)
    yield from _check_overlaps(placed)
    if mesh is not None:
        yield from _check_inside(mesh, placed)
        yield from _check_outside(mesh, members)
        yield from _check_mtus(mesh, members)


def _check_key(member: Member) -> Iterator[Complaint]:
    if member.public_key in WEAK_KEYS:
        site = Site(member.object, ("spec", "publicKey"))
        yield site.complain(weak_key_rule(member.public_key), member.public_key)


def _check_room(placed: Sequence[Placed]) -> Iterator[Complaint]:
    """Demand room for one pod: the first stands at a fixed offset, IPv4's last is broadcast."""
    for network, site in placed:
        reserved_end = 1 if network.version == 4 else 0  # noqa: PLR2004 - the IP version
        if network.last - network.first < FIRST_POD_OFFSET + reserved_end:
            longest = 28 if reserved_end else 124
            rule = (
                f"is too small for a pod: the first one's address is network + {FIRST_POD_OFFSET}, "
                f"so /{longest} is the longest prefix that works"
            )
            yield site.complain(rule, network.prefix)


def _check_overlaps(placed: Sequence[Placed]) -> Iterator[Complaint]:
    """Complain about each prefix inside another, once: about the widest that it lies in."""
    for ((outer, other), *_), (inner, site) in find_overlaps(placed):
        same = site.entry is other.entry
        owner = "the same node" if same else other.entry.title
        twice = "is listed twice" if same and outer == inner else ""
        yield site.complain(twice or f"overlaps {outer.prefix} of {owner}", inner.prefix)


def _check_inside(mesh: ReadMesh, placed: Sequence[Placed]) -> Iterator[Complaint]:
    """Demand that pod CIDRs lie inside the overlay, if all of the overlay is known."""
    if not mesh.complete:
        return
    known = ", ".join(overlay.prefix for overlay in mesh.overlays)
    for network, site in placed:
        if any(overlay.contains(network) for overlay in mesh.overlays):
            continue
        partly = [overlay.prefix for overlay in mesh.overlays if overlay.overlaps(network)]
        rule = (
            f"is wider than overlay CIDR {partly[0]}: it must lie inside"
            if partly
            else f"is outside every overlay CIDR ({known})"
        )
        yield site.complain(rule, network.prefix)


def _check_outside(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Complaint]:
    """Demand that endpoints lie outside the overlay: packets to them would go into the tunnel."""
    for member in members:
        for reach, site in [member.reach] if member.reach else []:
            for overlay in mesh.overlays:
                if reach.is_in(overlay):
                    rule = (
                        f"is inside overlay CIDR {overlay.prefix}: encrypted packets to it "
                        "would be sent into the tunnel again"
                    )
                    yield site.complain(rule, reach.endpoint)


def _check_mtus(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Complaint]:
    """Demand that what is left of the underlay's MTU carries every family of the overlay."""
    reaches = (member.reach for member in members)
    overhead = tunnel_overhead(reach[0].endpoint if reach else None for reach in reaches)
    narrow = find_narrow(mesh, members, overhead)
    # The mesh's own MTU is wrong once, however many nodes take it.
    yield from {complaint.object.title: complaint for _, complaint in narrow}.values()
