"""Sources to an inventory without those who are wrong, so that the others can go on.

Where people write an inventory, one mistake refuses all of it. In a cluster every node publishes
its own object, and one node's mistake, or one node's attack, must not stop the others. The law:

1. Who is wrong by himself is left out, and then counts for nothing.
2. Of those who claim the same prefix, key or endpoint, the one keeps it who has it already, under
   his name and key, by this host's last good documents. If nobody has: a prefix is his whose Node
   has it, and otherwise nobody's; an endpoint is his whose Node lists it, or else the oldest's; a
   key the oldest's.
3. Who loses a prefix or a key is left out; who loses an endpoint stays without it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from compiler.check import check_members
from compiler.disputes import (
    Candidate,
    Loss,
    settle_endpoints,
    settle_keys,
    settle_prefixes,
    settle_room,
)
from compiler.fields import read_networks
from compiler.holdings import Holdings, Incumbents
from compiler.inventory import Inventory
from compiler.lines import locate
from compiler.mesh import ReadMesh
from compiler.mtus import find_narrow
from compiler.networks import Network
from compiler.node import Member
from compiler.parse import Collected, build_inventory, collect, collector_off, find_lacks
from compiler.reading import Document, Path, Reading
from compiler.source import Source
from compiler.topology import OVERHEAD_IPV4
from compiler.unfold import Complaint, Object
from schemas.problems import Problem, Problems
from schemas.state import Value

_Place = tuple[int, Path]
"""The source of an object, and its way from there."""
_Lost = dict[str, list[Complaint]]
"""By a node's name: what is wrong with it."""
_NOBODY: Final[Incumbents] = MappingProxyType({})
_MOST: Final = 10
"""Problems that are told of one node: who claims a thousand things is told of enough of them."""


class LeftOut(Value, frozen=True, kw_only=True):
    """A node that is left out, or its endpoint, and why."""

    name: str
    """Its MeshNode's."""
    problems: tuple[Problem, ...]
    """At most ten."""


class Isolated(Value, frozen=True, kw_only=True):
    """An inventory without contradictions, and what is not in it for that reason."""

    inventory: Inventory
    """Without any node, if all are left out."""
    left_out: tuple[LeftOut, ...]
    """By name. Removed nodes, and nodes without a MeshNode, are warnings of the inventory."""
    endpoints_left_out: tuple[LeftOut, ...]
    """By name: members without their endpoint, whom others cannot speak to first."""


def isolate_objects(objects: Iterable[object], incumbents: Incumbents = _NOBODY) -> Isolated:
    """Check objects as :func:`compiler.parse.parse` does, but leave out who is wrong.

    A MeshNode is wrong by itself when it would be in a mesh without others, or when its pod CIDRs
    are not within its Node's, which has some: Kubernetes gave it those. ``incumbents`` is whom the
    host's last good documents know (:func:`compiler.holdings.list_incumbents`).

    Raises:
        Problems: the Mesh is wrong, something cannot be read. A cluster has no object twice.

    """
    with collector_off():
        documents = tuple(Document(each, index, 0) for index, each in enumerate(objects))
        reading = Reading(syntax="JSON", documents=documents)
        return _isolate(collect([Source(name="", text="")], [reading]), incumbents)


def _isolate(collected: Collected, incumbents: Incumbents) -> Isolated:
    mesh = _demand_mesh(collected)
    pairs = zip(collected.members, collected.pairs, strict=True)
    candidates = [Candidate(member, node, _networks_of(node)) for member, (_, node) in pairs]
    lost = _find_faulty(collected, mesh, candidates)
    staying, silent = _settle(mesh, _without(candidates, lost), Holdings(incumbents), lost)
    return Isolated(
        inventory=build_inventory(collected, mesh, [each.member for each in staying]),
        left_out=tuple(_locate(collected, lost)),
        endpoints_left_out=tuple(_locate(collected, silent)),
    )


def _settle(
    mesh: ReadMesh, candidates: list[Candidate], holdings: Holdings, lost: _Lost
) -> tuple[list[Candidate], _Lost]:
    """Settle one kind of claims after the other, each among those who have lost nothing before.

    Adds to ``lost`` who has to go; returns who stays, and who of these stays without an endpoint.
    """
    silent: _Lost = {}
    for settle in (settle_prefixes, settle_keys):
        _note(settle(candidates, holdings), lost)
        candidates = _without(candidates, lost)
    crowding = settle_room(mesh, candidates, holdings)
    _note(crowding.nodes, lost)
    _note(crowding.endpoints, silent)
    candidates = _silence(_without(candidates, lost), silent)
    _note(settle_endpoints(candidates, holdings), silent)
    return _silence(candidates, silent), silent


def _note(losses: Iterable[Loss], lost: _Lost) -> None:
    for name, complaint in losses:
        said = lost.setdefault(name, [])
        if len(said) < _MOST:
            said.append(complaint)


def _without(candidates: Iterable[Candidate], lost: Mapping[str, object]) -> list[Candidate]:
    return [each for each in candidates if each.name not in lost]


def _silence(candidates: Iterable[Candidate], silent: Mapping[str, object]) -> list[Candidate]:
    """Take the endpoints of some away."""
    return [
        each._replace(member=msgspec.structs.replace(each.member, reach=None))
        if each.name in silent
        else each
        for each in candidates
    ]


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


def _find_faulty(collected: Collected, mesh: ReadMesh, candidates: Iterable[Candidate]) -> _Lost:
    """Find who is wrong even without the others."""
    faulty: _Lost = {}
    names = _names_by_place(collected)
    shapes = collected.objects.complaints
    _note(((names[_place(each.object)], each) for each in shapes), faulty)
    for candidate in candidates:
        member = candidate.member
        for complaint in (*_check_backing(candidate), *check_members(mesh, [member])):
            own = complaint
            if complaint.object is mesh.object:  # what others can live with is this one's fault
                own = msgspec.structs.replace(complaint, object=member.object)
            _note([(candidate.name, own)], faulty)
    return faulty


def _check_backing(candidate: Candidate) -> Iterator[Complaint]:
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


def _locate(collected: Collected, lost: _Lost) -> Iterator[LeftOut]:
    """Give each complaint its line, all of them at once: sources are read again for that."""
    complaints = [complaint for name in sorted(lost) for complaint in lost[name]]
    located = locate(complaints, collected.sources, collected.readings)
    for name in sorted(lost):
        problems = {next(located) for _ in lost[name]}
        yield LeftOut(name=name, problems=tuple(sorted(problems)))
