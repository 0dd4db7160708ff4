"""Sources to an inventory: read, sort, join, check; or everything that is wrong, at once."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from compiler.check import check_members
from compiler.inventory import Inventory, Mesh, Node
from compiler.lines import locate
from compiler.mesh import ReadMesh, read_mesh
from compiler.node import Member, join, read_member
from compiler.objects import Objects, sort_objects
from compiler.reading import Reading
from compiler.source import Source
from compiler.text import read_source
from compiler.unfold import Complaint, Object, unfold
from compiler.warn import warn_of_members
from schemas.problems import Problem, Problems
from schemas.state import API_VERSION, Value
from schemas.values import NodeName


class Collected(Value, frozen=True, kw_only=True):
    """What sources hold, read and joined; what is wrong with the members is not yet looked for."""

    sources: Sequence[Source]
    readings: Sequence[Reading]
    objects: Objects
    mesh: ReadMesh | None
    pairs: tuple[tuple[Object, Object | None], ...]
    """Each MeshNode with its Node, in order of their names."""
    members: tuple[Member, ...]
    """Of these pairs, in the same order."""
    halves: tuple[Complaint, ...]
    """What the one lacks the other for: worth a warning."""
    repeated: tuple[Complaint, ...]
    """Objects whose name another of their kind has, or that there may be only one of."""


def parse(sources: Sequence[Source]) -> Inventory:
    """Parse and check an inventory; the order of sources and of objects does not matter.

    Raises:
        Problems: something is wrong with it; all of it is said.

    """
    return parse_collected(sources)[1]


def parse_collected(sources: Sequence[Source]) -> tuple[Collected, Inventory]:
    """Do the same, and return also what it was made of: each value where it was written.

    Raises:
        Problems: something is wrong with it; all of it is said.

    """
    with collector_off():
        collected = collect(sources, [read_source(source) for source in sources])
        mesh = collected.mesh
        complaints = (
            *collected.objects.complaints,
            *collected.repeated,
            *(mesh.complaints if mesh else ()),
            *check_members(mesh, collected.members),
        )
        problems = (*find_lacks(collected), *locate(complaints, sources, collected.readings))
        if problems or mesh is None:
            raise Problems(problems)
        return collected, build_inventory(collected, mesh, collected.members)


@contextmanager
def collector_off() -> Iterator[None]:
    """Stop the cyclic garbage collector, which would walk all that is read, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def collect(sources: Sequence[Source], readings: Sequence[Reading]) -> Collected:
    """Sort out what was read of each source, and join what belongs together."""
    names = [source.name for source in sources]
    objects = sort_objects(unfold(readings))
    meshes = _in_order(objects.meshes, names)
    mesh_nodes, repeated_mesh_nodes = _unique(_in_order(objects.mesh_nodes, names), names)
    nodes, repeated_nodes = _unique(_in_order(objects.nodes, names), names)

    mesh = read_mesh(meshes[0]) if meshes else None
    defaults = mesh.mesh if mesh else Mesh(name="", overlay_cidrs=())
    pairs, halves = join(mesh_nodes, nodes)
    return Collected(
        sources=sources,
        readings=readings,
        objects=objects,
        mesh=mesh,
        pairs=pairs,
        members=tuple(read_member(mesh_node, node, defaults) for mesh_node, node in pairs),
        halves=halves,
        repeated=(*repeated_mesh_nodes, *repeated_nodes, *_find_other_meshes(meshes, names)),
    )


def find_lacks(collected: Collected) -> Iterator[Problem]:
    """Say what nobody could read, or else what an inventory needs and is not there."""
    names = [source.name for source in collected.sources]
    faults = tuple(_find_faults(names, collected.readings))
    yield from faults or _find_absences(collected.objects, names, collected.members)


def build_inventory(collected: Collected, mesh: ReadMesh, members: Sequence[Member]) -> Inventory:
    """Build the value of what has been checked: of all members, or of those that are left."""
    objects = collected.objects
    warnings = (*objects.warnings, *collected.halves, *warn_of_members(mesh, members))
    return Inventory(
        mesh=mesh.mesh,
        nodes=tuple(_build_node(member) for member in members),
        warnings=tuple(sorted(locate(warnings, collected.sources, collected.readings))),
        skipped=objects.skipped,
    )


def _in_order(objects: Iterable[Object], names: Sequence[str]) -> list[Object]:
    """Sort by name, then by place, so that what is said does not depend on the input's order."""
    return sorted(objects, key=lambda each: (each.name, names[each.source], each.path))


def _unique(
    objects: Iterable[Object], names: Sequence[str]
) -> tuple[list[Object], list[Complaint]]:
    """Keep the first object of each name, and complain about the others."""
    kept: list[Object] = []
    repeated: list[Complaint] = []
    first: dict[str, Object] = {}
    for each in objects:
        other = first.setdefault(each.name, each) if each.name else each
        if other is each:
            kept.append(each)
        else:
            rule = f"{_place_of(other, names)} has a {each.kind} of this name already"
            repeated.append(Complaint(object=each, rule=rule))
    return kept, repeated


def _place_of(entry: Object, names: Sequence[str]) -> str:
    return f"{names[entry.source]}:{entry.line}"


def _find_other_meshes(meshes: Sequence[Object], names: Sequence[str]) -> Iterator[Complaint]:
    for other in meshes[1:]:
        rule = (
            f"an inventory has exactly one Mesh, and {_place_of(meshes[0], names)} "
            f"has {meshes[0].title} already"
        )
        yield Complaint(object=other, rule=rule)


def _find_faults(names: Sequence[str], readings: Sequence[Reading]) -> Iterator[Problem]:
    for name, reading in zip(names, readings, strict=True):
        for fault in reading.faults:
            yield Problem(file=name, line=fault.line, path=fault.path, rule=fault.rule)


def _find_absences(
    objects: Objects, names: Sequence[str], members: Sequence[Member]
) -> Iterator[Problem]:
    """Say what an inventory lacks; not while it may be among what nobody could make out."""
    file = names[0] if len(names) == 1 else ""
    if not objects.count:
        yield Problem(file=file, rule="the inventory is empty: there is no Kubernetes object in it")
        return
    if objects.unclear:
        return
    if not objects.meshes:
        rule = f"there is no Mesh: an inventory has exactly one, of {API_VERSION}"
        yield Problem(file=file, rule=f"{rule}{_name_strangers('Mesh', objects, names)}")
    if not objects.mesh_nodes:
        rule = f"there is no MeshNode: a mesh has at least one, of {API_VERSION}"
        yield Problem(file=file, rule=f"{rule}{_name_strangers('MeshNode', objects, names)}")
    elif not members:
        rule = "no MeshNode has a Node of its name: the mesh would have no member left"
        yield Problem(file=file, rule=rule)


def _name_strangers(kind: str, objects: Objects, names: Sequence[str]) -> str:
    """Point at a skipped object whose kind has the same name: perhaps its group is misspelt."""
    for warning in objects.warnings:
        if warning.object.kind == kind:
            return f" (what {_place_of(warning.object, names)} has is of {warning.value})"
    return ""


def _build_node(member: Member) -> Node:
    return Node(
        name=NodeName(member.object.name),
        public_key=member.public_key,
        pod_cidrs=tuple(network.prefix for network in sorted(each[0] for each in member.networks)),
        endpoint=member.reach[0].endpoint if member.reach else None,
        listen_port=member.listen_port,
        underlay_mtu=member.underlay_mtu,
        persistent_keepalive=member.persistent_keepalive,
    )
