"""Members that are right by themselves, and what each had before, to who loses what he claims.

Each kind of claim is settled by itself, and once: a prefix wherever it overlaps, a key, the room
that all need for IPv6's header, an endpoint. Whoever had it already keeps it. So nobody who has
something can lose it to a newcomer, whatever that one says of itself; and when the outcome has
become what everybody had before, everybody who stayed stays again.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from compiler.contradictions import Claim, complain_of_key, keys_of, pair_equals, reaches_of
from compiler.fields import Site
from compiler.holdings import Holdings
from compiler.mesh import ReadMesh
from compiler.mtus import find_narrow
from compiler.networks import InvalidTextError, Network, parse_reach
from compiler.node import Member
from compiler.topology import OVERHEAD_IPV6
from compiler.unfold import Complaint, Object
from schemas.values import is_ipv6

Loss = tuple[str, Complaint]
"""The name of who loses, and why."""
_LAST: Final = "~"
"""After every time there is."""


class Candidate(NamedTuple):
    """Somebody who may lose something."""

    member: Member
    node: Object | None
    given: tuple[Network, ...]
    """What Kubernetes gave to the Node."""

    @property
    def name(self) -> str:
        """Its MeshNode's."""
        return self.member.object.name

    @property
    def age(self) -> tuple[str, str]:
        """Sorts the older first: when the API server stored it; its times sort as text."""
        created = self.member.object.value["metadata"].get("creationTimestamp")
        return created if isinstance(created, str) else _LAST, self.name


class _Stake(NamedTuple):
    """A claim to a prefix. The strongest sorts first, and no two are equal."""

    weakness: tuple[bool, bool]
    name: str
    network: Network
    site: Site


def settle_prefixes(candidates: Iterable[Candidate], holdings: Holdings) -> Iterator[Loss]:
    """Find who claims a prefix that somebody has a better right to, or as good a one.

    Whoever has it already has the best; next comes whose Node has it. Nothing else tells whose a
    prefix is: of two who have it from nowhere both go. That all of a loser's claims count against
    others, wherever it loses, is what makes the outcome independent of any order.
    """
    stakes = [
        _Stake(
            (not holdings.has_network(each.member, network), not each.given),
            each.name,
            network,
            site,
        )
        for each in candidates
        for network, site in each.member.networks
    ]
    for stake, rival in _find_rivals(sorted(stakes, key=lambda stake: stake.network)):
        if rival.weakness <= stake.weakness:
            even = rival.weakness == stake.weakness
            unknown = ", and nothing says whose it is: both are left out" if even else ""
            rule = f"overlaps {rival.network.prefix} of {rival.site.entry.title}{unknown}"
            yield stake.name, stake.site.complain(rule, stake.network.prefix)


def _find_rivals(stakes: Iterable[_Stake]) -> Iterator[tuple[_Stake, _Stake]]:
    """Pair each stake, given in order of networks, with the strongest of those that it overlaps.

    Prefixes overlap only if one lies in the other, so they are a forest. None of a member's own
    lie in each other: that would be wrong by itself.
    """
    groups, parents = _plant(stakes)
    strongest = [sorted(group)[:2] for group in groups]
    above: list[_Stake | None] = []
    for parent in parents:
        above.append(None if parent is None else _stronger(strongest[parent][0], above[parent]))
    below: list[_Stake | None] = [None] * len(groups)
    for index in reversed(range(len(groups))):  # what lies in others comes after them
        parent = parents[index]
        if parent is not None:
            mine = _stronger(strongest[index][0], below[index])
            below[parent] = _stronger(mine, below[parent])
    for group, best, *around in zip(groups, strongest, above, below, strict=True):
        for stake in group:
            beside = next((other for other in best if other is not stake), None)
            rivals = [rival for rival in (beside, *around) if rival is not None]
            if rivals:
                yield stake, min(rivals)


def _plant(stakes: Iterable[_Stake]) -> tuple[list[list[_Stake]], list[int | None]]:
    """Return stakes by network, wider ones first, and the place of what each lies in directly."""
    groups: list[list[_Stake]] = []
    parents: list[int | None] = []
    path: list[int] = []
    for stake in stakes:
        while path and not groups[path[-1]][0].network.contains(stake.network):
            path.pop()
        if path and groups[path[-1]][0].network == stake.network:
            groups[path[-1]].append(stake)
            continue
        parents.append(path[-1] if path else None)
        path.append(len(groups))
        groups.append([stake])
    return groups, parents


def _stronger(one: _Stake, other: _Stake | None) -> _Stake:
    return one if other is None else min(one, other)


def settle_keys(candidates: Iterable[Candidate], holdings: Holdings) -> Iterator[Loss]:
    """Find who claims a key that another has already; or else an older one claims, too."""

    def rank(candidate: Candidate) -> tuple[bool, tuple[str, str]]:
        return not holdings.has_key(candidate.member), candidate.age

    ranked = sorted(candidates, key=rank)
    for owner, other in pair_equals(keys_of(each.member for each in ranked)):
        yield other.member.object.name, complain_of_key(owner, other)


class Crowding(NamedTuple):
    """Who loses what, because IPv6's longer header does not fit into somebody's tunnel."""

    nodes: tuple[Loss, ...] = ()
    endpoints: tuple[Loss, ...] = ()


def settle_room(mesh: ReadMesh, candidates: Sequence[Candidate], holdings: Holdings) -> Crowding:
    """Find who loses if some have IPv6 endpoints and others no room for such packets.

    If an IPv6 endpoint was there already, those without room go; else, if they were there, all
    such endpoints; else, whichever side has the oldest member stays.
    """
    by_name = {each.name: each for each in candidates}
    members = [each.member for each in candidates]
    wide = [claim for claim in reaches_of(members) if is_ipv6(claim.value)]
    narrow = list(find_narrow(mesh, members, OVERHEAD_IPV6)) if wide else []
    if not narrow:
        return Crowding()

    def rank_wide(claim: Claim) -> tuple[int, tuple[str, str]]:
        had = holdings.has_endpoint(claim.member)
        return 0 if had else 2, by_name[claim.member.object.name].age

    def rank_narrow(member: Member) -> tuple[int, tuple[str, str]]:
        return 1 if holdings.has_key(member) else 2, by_name[member.object.name].age

    first = min((member for member, _ in narrow), key=rank_narrow)
    if min(map(rank_wide, wide)) < rank_narrow(first):
        return Crowding(nodes=tuple(_blame_narrow(narrow)))
    rule = (
        f"it is IPv6, whose header is too long for the tunnel of {first.object.title}, "
        f"underlay MTU {first.underlay_mtu}"
    )
    return Crowding(endpoints=tuple(_lose_endpoint(claim, rule) for claim in wide))


def _blame_narrow(narrow: Iterable[tuple[Member, Complaint]]) -> Iterator[Loss]:
    """Say it of each member, even if the MTU is the Mesh's: others can live with that."""
    for member, complaint in narrow:
        yield member.object.name, msgspec.structs.replace(complaint, object=member.object)


def settle_endpoints(candidates: Iterable[Candidate], holdings: Holdings) -> Iterator[Loss]:
    """Find who claims an endpoint that is another's: who had it, whose Node lists it, the older."""
    shared = _share_endpoints(candidates)

    def rank(candidate: Candidate) -> tuple[bool, bool, tuple[str, str]]:
        had = holdings.has_endpoint(candidate.member)
        return not had, not _is_listed(candidate), candidate.age

    ranked = sorted(shared, key=rank)
    for owner, other in pair_equals(reaches_of(each.member for each in ranked)):
        yield _lose_endpoint(other, f"this is the endpoint of {owner.member.object.title} too")


def _share_endpoints(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return those whose endpoint somebody else has too."""
    by_endpoint: dict[str, list[Candidate]] = {}
    for each in candidates:
        if each.member.reach is not None:
            by_endpoint.setdefault(each.member.reach[0].endpoint, []).append(each)
    return [each for group in by_endpoint.values() if len(group) > 1 for each in group]


def _lose_endpoint(claim: Claim, why: str) -> Loss:
    rule = f"its endpoint is left out, and it must speak first: {why}"
    return claim.member.object.name, claim.complain(rule)


def _is_listed(candidate: Candidate) -> bool:
    """Whether a member's Node has the address that the member wants to be reached at."""
    node, reach = candidate.node, candidate.member.reach
    if node is None or reach is None:
        return False
    for listed in node.get("status", "addresses") or ():
        try:
            found = parse_reach(listed["address"], 1)
        except InvalidTextError:  # a host name, for one
            continue
        if found[:2] == reach[0][:2]:
            return True
    return False
