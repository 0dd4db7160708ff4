"""Members of a mesh to the claims of two that cannot both hold, told from either side."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from compiler.fields import Site
from compiler.keys import WEAK_KEYS
from compiler.mesh import ReadMesh
from compiler.mtus import find_narrow
from compiler.networks import find_overlaps
from compiler.node import Member
from compiler.topology import OVERHEAD_IPV6
from compiler.unfold import Complaint
from schemas.values import is_ipv6


class Claim(NamedTuple):
    """A value that a member says is its own."""

    member: Member
    site: Site
    value: str


class Side(NamedTuple):
    """One of two members that contradict each other."""

    claim: Claim
    rule: str
    """What is wrong with this one, if the other is right: worded when somebody asks for it."""
    other: Claim

    @property
    def member(self) -> Member:
        """Whose claim it is."""
        return self.claim.member

    @property
    def complaint(self) -> Complaint:
        """What to say of the claim."""
        other = self.other
        rule = self.rule.format(
            value=other.value, owner=other.site.entry.title, member=other.member.object.title
        )
        return self.claim.site.complain(rule, self.claim.value)


Contradiction = tuple[Side, Side]
"""The one that was given first, or is the wider; and the other."""


def find_contradictions(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Contradiction]:
    """Find members that contradict each other, of members of which each is right by itself.

    Of those who all claim the same, each is paired with the first given only. So nobody is
    missing, and nobody who comes before all whom it contradicts lacks any of its pairs.
    """
    yield from find_shared(members)
    yield from _find_overlapping(members)
    yield from _find_crowded(mesh, members)


def find_shared(members: Sequence[Member]) -> Iterator[Contradiction]:
    """Find keys and endpoints that a member before had already."""
    yield from _pair_equals(
        _keys_of(members), "is the public key of {owner} too: a key has one host"
    )
    yield from _pair_equals(_reaches_of(members), "is the endpoint of {owner} too")


def _keys_of(members: Iterable[Member]) -> Iterator[Claim]:
    for member in members:
        if member.public_key and member.public_key not in WEAK_KEYS:
            site = Site(member.object, ("spec", "publicKey"))
            yield Claim(member, site, member.public_key)


def _reaches_of(members: Iterable[Member]) -> Iterator[Claim]:
    """Yield endpoints. Two hosts may share an address, behind one NAT; not the port as well."""
    for member in members:
        if member.reach is not None:
            reach, site = member.reach
            yield Claim(member, site, reach.endpoint)


def _pair_equals(claims: Iterable[Claim], rule: str) -> Iterator[Contradiction]:
    firsts: dict[str, Claim] = {}
    for later in claims:
        first = firsts.setdefault(later.value, later)
        if first is not later:
            yield _contradict(first, rule, later)


def _find_overlapping(members: Iterable[Member]) -> Iterator[Contradiction]:
    placed = [
        (network, Claim(member, site, network.prefix))
        for member in members
        for network, site in member.networks
    ]
    rule = "overlaps {value} of {owner}"
    for outers, (_, inner) in find_overlaps(placed):
        for _, outer in outers:
            yield _contradict(outer, rule, inner)


def _contradict(first: Claim, rule: str, later: Claim) -> Contradiction:
    return Side(first, rule, later), Side(later, rule, first)


def _find_crowded(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Contradiction]:
    """Find members without room for the longer header that others' IPv6 endpoints bring to all."""
    over_ipv6 = [claim for claim in _reaches_of(members) if is_ipv6(claim.value)]
    if not over_ipv6:
        return
    wide = "is IPv6, whose header is too long for the tunnel of {member}, underlay MTU {value}"
    for index, (member, narrow) in enumerate(find_narrow(mesh, members, OVERHEAD_IPV6)):
        crowded = Claim(member, Site(member.object, narrow.path), str(member.underlay_mtu))
        for claim in over_ipv6 if index == 0 else over_ipv6[:1]:
            yield Side(claim, wide, crowded), Side(crowded, narrow.rule, claim)
