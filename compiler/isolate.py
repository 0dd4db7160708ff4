"""Sources to an inventory without those who are wrong, so that the others can go on.

Where people write an inventory, one mistake refuses all of it. In a cluster every node publishes
its own object, and one node's mistake, or one node's attack, must not stop the others. Nobody is
left out but who is wrong by himself, or contradicts somebody who goes before him and stays.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from compiler.check import check_members
from compiler.contradictions import Side, find_contradictions
from compiler.fields import read_networks
from compiler.inventory import Inventory
from compiler.lines import locate
from compiler.mesh import ReadMesh
from compiler.mtus import find_narrow
from compiler.networks import Network
from compiler.node import Member
from compiler.parse import Collected, build_inventory, collect, collector_off, find_lacks
from compiler.reading import Document, Path, Reading
from compiler.source import Source
from compiler.text import read_source
from compiler.topology import OVERHEAD_IPV4
from compiler.unfold import Complaint, Object
from schemas.problems import Problem, Problems
from schemas.state import Value

_Place = tuple[int, Path]
"""The source of an object, and its way from there."""
_Lost = dict[str, list[Complaint]]
"""By a node's name: what is wrong with it."""
_LAST: Final = "~"
"""After every time there is."""


class LeftOut(Value, frozen=True, kw_only=True):
    """A node that is left out, and why."""

    name: str
    """Its MeshNode's."""
    problems: tuple[Problem, ...]


class Isolated(Value, frozen=True, kw_only=True):
    """An inventory without contradictions, and what is not in it for that reason."""

    inventory: Inventory
    left_out: tuple[LeftOut, ...]
    """By name. Removed nodes, and nodes without a MeshNode, are warnings of the inventory."""


def parse_isolating(sources: Sequence[Source]) -> Isolated:
    """Parse and check as :func:`compiler.parse.parse` does, but leave out who is wrong.

    A MeshNode is wrong by itself when it would be in a mesh without others, or when its pod CIDRs
    are not within its Node's, which has some: Kubernetes gave it those. Of two that contradict
    each other, the one goes first whose Node backs its pod CIDRs; else the one that was created
    first; else the one whose name is lower.

    Raises:
        Problems: the Mesh is wrong, something cannot be read, an object is there twice, or nobody
            is left.

    """
    with collector_off():
        return _isolate(collect(sources, [read_source(source) for source in sources]))


def isolate_objects(objects: Iterable[object]) -> Isolated:
    """Do what :func:`parse_isolating` does with objects that are no text: they have no lines.

    Raises:
        Problems: as there.

    """
    with collector_off():
        documents = tuple(Document(each, index, 0) for index, each in enumerate(objects))
        reading = Reading(syntax="JSON", documents=documents)
        return _isolate(collect([Source(name="", text="")], [reading]))


class _Candidate(NamedTuple):
    """Somebody who may be left out."""

    member: Member
    node: Object | None
    given: tuple[Network, ...]
    """What Kubernetes gave to the Node."""


def _isolate(collected: Collected) -> Isolated:
    mesh = _demand_mesh(collected)
    pairs = zip(collected.members, collected.pairs, strict=True)
    candidates = [_Candidate(member, node, _networks_of(node)) for member, (_, node) in pairs]
    faulty = _find_faulty(collected, mesh, candidates)
    sound = (each for each in candidates if _name(each.member) not in faulty)
    lost = faulty | _settle(mesh, [each.member for each in sorted(sound, key=_rank)])
    left_out = tuple(_locate(collected, lost))
    members = [member for member in collected.members if _name(member) not in lost]
    if not members:
        raise Problems(problem for each in left_out for problem in each.problems)
    return Isolated(inventory=build_inventory(collected, mesh, members), left_out=left_out)


def _name(member: Member) -> str:
    return member.object.name


def _demand_mesh(collected: Collected) -> ReadMesh:
    """Return the mesh; what is wrong with it, or with nobody's object, is everybody's problem."""
    mesh, members = collected.mesh, _names_by_place(collected)
    complaints = [
        *(each for each in collected.objects.complaints if _place(each.object) not in members),
        *collected.repeated,
        *(mesh.complaints if mesh else ()),
        *(_check_mtu(mesh, collected.members) if mesh else ()),
    ]
    located = locate(complaints, collected.sources, collected.readings)
    problems = (*find_lacks(collected), *located)
    if problems or mesh is None:
        raise Problems(problems)
    return mesh


def _check_mtu(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Complaint]:
    """Complain about the mesh's own MTU, when somebody takes it and nobody could live with it."""
    for _, complaint in find_narrow(mesh, members, OVERHEAD_IPV4):
        if complaint.object is mesh.object:
            yield complaint
            return


def _place(entry: Object) -> _Place:
    return entry.source, entry.path


def _names_by_place(collected: Collected) -> dict[_Place, str]:
    objects = (*collected.objects.mesh_nodes, *collected.objects.nodes)
    return {_place(each): each.name for each in objects}


def _find_faulty(collected: Collected, mesh: ReadMesh, candidates: Iterable[_Candidate]) -> _Lost:
    """Find who is wrong even without the others."""
    faulty: _Lost = {}
    names = _names_by_place(collected)
    for complaint in collected.objects.complaints:
        faulty.setdefault(names[_place(complaint.object)], []).append(complaint)
    for candidate in candidates:
        member = candidate.member
        for complaint in (*_check_backing(candidate), *check_members(mesh, [member])):
            own = complaint
            if complaint.object is mesh.object:  # what others can live with is this one's fault
                own = msgspec.structs.replace(complaint, object=member.object)
            faulty.setdefault(_name(member), []).append(own)
    return faulty


def _check_backing(candidate: _Candidate) -> Iterator[Complaint]:
    """Demand that pod CIDRs are the Node's, or parts of them, if it has any."""
    member, node, given = candidate
    if node is None or not given:
        return
    for network, site in member.networks:
        if not any(each.contains(network) for each in given):
            known = ", ".join(each.prefix for each in given)
            rule = f"is outside the pod CIDRs that Kubernetes gave to {node.title} ({known})"
            yield site.complain(rule, network.prefix)


def _networks_of(node: Object | None) -> tuple[Network, ...]:
    """Return what Kubernetes gave to a node: its list, or the single one of old clusters."""
    if node is None:
        return ()
    placed = read_networks(node, "spec", "podCIDRs")[0] or read_networks(node, "spec", "podCIDR")[0]
    return tuple(network for network, _ in placed)


def _rank(candidate: _Candidate) -> tuple[bool, str, str]:
    """Say who goes first when two that are right by themselves contradict each other."""
    member = candidate.member
    return not candidate.given, _created(member), _name(member)


def _created(member: Member) -> str:
    """Return when the API server first stored the object. All its times sort as text."""
    created = member.object.value["metadata"].get("creationTimestamp")
    return created if isinstance(created, str) else _LAST


def _settle(mesh: ReadMesh, ranked: Sequence[Member]) -> _Lost:
    """Find who contradicts somebody that goes before him and stays, and so has to go.

    Each round leaves out whoever contradicts one that nobody goes before, until nobody contradicts
    anybody: the first of all that are left is always such a one, so that it ends. Of those who
    claim the same, all but one go in the same round; a chain of nodes, each of which contradicts
    the next by another field, is the slowest.
    """
    lost: _Lost = {}
    order = {_name(member): index for index, member in enumerate(ranked)}
    disputed = list(ranked)
    while pairs := _find_pairs(mesh, disputed, order):
        beaten = {_name(loser.member) for _, loser in pairs}
        named = {_name(winner.member) for winner, _ in pairs} | beaten
        settled = [pair for pair in pairs if _name(pair[0].member) not in beaten]
        for name, complaint in _word(settled):
            lost.setdefault(name, []).append(complaint)
        disputed = [each for each in disputed if _name(each) in named and _name(each) not in lost]
    return lost


def _find_pairs(
    mesh: ReadMesh, disputed: Sequence[Member], order: Mapping[str, int]
) -> list[tuple[Side, Side]]:
    """Find contradictions; in each, and of all of them, whoever goes first comes first."""

    def position(side: Side) -> int:
        return order[_name(side.member)]

    found = find_contradictions(mesh, disputed)
    pairs = (sorted(pair, key=position) for pair in found)
    return sorted(((first, last) for first, last in pairs), key=lambda pair: position(pair[0]))


def _word(pairs: Iterable[tuple[Side, Side]]) -> Iterator[tuple[str, Complaint]]:
    """Say of each loser and field once: who claims everything contradicts everybody."""
    said: set[tuple[str, Path]] = set()
    for _, loser in pairs:
        name = _name(loser.member)
        if (name, loser.complaint.path) not in said:
            said.add((name, loser.complaint.path))
            yield name, loser.complaint


def _locate(collected: Collected, lost: _Lost) -> Iterator[LeftOut]:
    """Give each complaint its line, all of them at once: sources are read again for that."""
    complaints = [complaint for name in sorted(lost) for complaint in lost[name]]
    located = locate(complaints, collected.sources, collected.readings)
    for name in sorted(lost):
        problems = {next(located) for _ in lost[name]}
        yield LeftOut(name=name, problems=tuple(sorted(problems)))
