"""Members of a mesh to keys and endpoints that more than one of them claims."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from compiler.fields import Site
from compiler.node import Member
from compiler.unfold import Complaint
from schemas.keys import WEAK_KEYS


class Claim(NamedTuple):
    """A value that a member says is its own."""

    member: Member
    site: Site
    value: str

    def complain(self, rule: str) -> Complaint:
        """Say what is wrong with it."""
        return self.site.complain(rule, self.value)


def find_shared(members: Sequence[Member]) -> Iterator[Complaint]:
    """Complain about keys and endpoints that a member before had already."""
    for first, later in pair_equals(keys_of(members)):
        yield complain_of_key(first, later)
    for first, later in pair_equals(reaches_of(members)):
        yield later.complain(f"is the endpoint of {first.site.entry.title} too")


def complain_of_key(owner: Claim, other: Claim) -> Complaint:
    """Say that a key is somebody else's."""
    return other.complain(f"is the public key of {owner.site.entry.title} too: a key has one host")


def keys_of(members: Iterable[Member]) -> Iterator[Claim]:
    """Yield keys that could be somebody's."""
    for member in members:
        if member.public_key and member.public_key not in WEAK_KEYS:
            site = Site(member.object, ("spec", "publicKey"))
            yield Claim(member, site, member.public_key)


def reaches_of(members: Iterable[Member]) -> Iterator[Claim]:
    """Yield endpoints. Two hosts may share an address, behind one NAT; not the port as well."""
    for member in members:
        if member.reach is not None:
            reach, site = member.reach
            yield Claim(member, site, reach.endpoint)


def pair_equals(claims: Iterable[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Pair each claim with the first that was given of its value, but for that one itself."""
    firsts: dict[str, Claim] = {}
    for later in claims:
        first = firsts.setdefault(later.value, later)
        if first is not later:
            yield first, later
