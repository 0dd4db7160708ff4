"""Each decision of the parser to the fields that it was made from, also those that are silent."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec

from compiler.fields import Placed, Site, read_networks
from compiler.inventory import Mesh
from compiler.mesh import ReadMesh
from compiler.node import Member
from compiler.parse import Collected
from compiler.topology import tunnel_overhead
from compiler.unfold import Object
from schemas.values import NodeName, is_ipv6


class How(StrEnum):
    """How a field takes part."""

    WRITTEN = "written"
    SILENT = "silent"
    """Nothing is written there, so the next origin decides; writing it there would decide."""
    DEFAULT = "default"
    """Nothing is written there, and so the schema's default is taken."""


class Mark(NamedTuple):
    """One field of the inventory, and how it takes part in a value."""

    site: Site
    how: How
    value: object = None
    """What is written there, or the default; None where neither is."""


Marks = Iterator[Mark]

_FIELDS: Final = {field.encode_name: field.name for field in msgspec.structs.fields(Mesh)}


class Evidence:
    """The fields that the parser read, looked up by what each was read for."""

    def __init__(self, collected: Collected, mesh: ReadMesh) -> None:
        self._mesh: Final = mesh
        self._members: Final = {each.object.name: each for each in collected.members}
        self._nodes: Final = {entry.name: node for entry, node in collected.pairs}
        self._overlays: Final = read_networks(mesh.object, "spec", "overlayCIDRs")[0]
        self._outside: Final = read_networks(mesh.object, "spec", "nonMasqueradeCIDRs")[0]

    @property
    def values(self) -> Mesh:
        """The mesh, defaults filled in."""
        return self._mesh.mesh

    def underlay_mtu(self, name: NodeName) -> int:
        """Return the MTU that a node's underlay counts as having."""
        return self._members[name].underlay_mtu

    def mesh_name(self) -> Marks:
        """Yield the mesh's name."""
        yield _written(self._mesh.object, ("metadata", "name"))

    def mesh_field(self, name: str) -> Marks:
        """Yield a plain field of the mesh's, or its default."""
        mesh = self._mesh
        site = Site(mesh.object, ("spec", name))
        given = mesh.object.get("spec", name)
        if given is not None:
            yield Mark(site, How.WRITTEN, given)
        else:
            yield Mark(site, How.DEFAULT, getattr(mesh.mesh, _FIELDS[name]))

    def cni_field(self, name: str) -> Marks:
        """Yield a field of the mesh's ``cni``, or its default."""
        mesh = self._mesh
        site = Site(mesh.object, ("spec", "cni", name))
        given = (mesh.object.get("spec", "cni") or {}).get(name)
        if given is not None:
            yield Mark(site, How.WRITTEN, given)
        else:
            default = _FIELDS[f"cni{name[0].upper()}{name[1:]}"]
            yield Mark(site, How.DEFAULT, getattr(mesh.mesh, default))

    def overlays(self, *, ipv6: bool) -> Marks:
        """Yield the overlay CIDRs of a family."""
        version = _version(ipv6=ipv6)
        yield from _cite(each for each in self._overlays if each[0].version == version)

    def overlay(self, prefix: str) -> Marks:
        """Yield the overlay CIDR that is this prefix."""
        yield from _cite(each for each in self._overlays if each[0].prefix == prefix)

    def exception(self, prefix: str) -> Marks:
        """Yield each exception from masquerading that is this prefix: it may stand there twice."""
        yield from _cite(each for each in self._outside if each[0].prefix == prefix)

    def membership(self, name: NodeName) -> Marks:
        """Yield what makes a node a member: its MeshNode, and its Node where there are Nodes."""
        yield _written(self._members[name].object, ("metadata", "name"))
        node = self._nodes[name]
        if node is not None:
            yield _written(node, ("metadata", "name"))

    def node_key(self, name: NodeName) -> Marks:
        """Yield a node's public key."""
        yield _written(self._members[name].object, ("spec", "publicKey"))

    def node_field(self, name: NodeName, field: str) -> Marks:
        """Yield a number of a node's, or the mesh's where the node is silent."""
        entry = self._members[name].object
        site, given = Site(entry, ("spec", field)), entry.get("spec", field)
        if given is not None:
            yield Mark(site, How.WRITTEN, given)
            return
        yield Mark(site, How.SILENT)
        yield from self.mesh_field(field)

    def pod_cidr(self, name: NodeName, index: int) -> Marks:
        """Yield one of a node's pod CIDRs, in the order of the documents."""
        placed = sorted(self._members[name].networks)
        yield from self._cite_pods(name, placed[index : index + 1])

    def pod_cidrs(
        self, name: NodeName, prefix: str | None = None, *, ipv6: bool | None = None
    ) -> Marks:
        """Yield a node's pod CIDRs: all of them, the one that is this prefix, or a family's."""
        versions = (4, 6) if ipv6 is None else (_version(ipv6=ipv6),)
        placed = [
            each
            for each in sorted(self._members[name].networks)
            if each[0].version in versions and prefix in (None, each[0].prefix)
        ]
        yield from self._cite_pods(name, placed)

    def address(self, name: NodeName) -> Marks:
        """Yield where a node's endpoint has its address from."""
        member = self._members[name]
        if member.reach is None:
            return
        entry, path = member.reach[1]
        if entry is not member.object:
            yield Mark(Site(member.object, ("spec", "endpoint")), How.SILENT)
            yield _written(entry, (*path[:-1], "type"))
        yield _written(entry, path)

    def endpoint(self, name: NodeName) -> Marks:
        """Yield where a node's endpoint has its address and its port from."""
        yield from self.address(name)
        if not _names_port(self._members[name]):
            yield from self.node_field(name, "listenPort")

    def tunnel_mtu(self, name: NodeName) -> Marks:
        """Yield the MTU of a node's underlay, and an endpoint over IPv6, if there is any."""
        yield from self.node_field(name, "underlayMTU")
        over_ipv6 = (
            other
            for other, member in self._members.items()
            if member.reach is not None and is_ipv6(member.reach[0].endpoint)
        )
        yield from chain.from_iterable(self.address(NodeName(other)) for other in [*over_ipv6][:1])

    def overhead(self) -> int:
        """Return the bytes that encryption adds."""
        reaches = (member.reach for member in self._members.values())
        return tunnel_overhead(reach[0].endpoint if reach else None for reach in reaches)

    def _cite_pods(self, name: NodeName, placed: list[Placed]) -> Marks:
        member = self._members[name]
        if any(site.entry is not member.object for _, site in placed):
            yield Mark(Site(member.object, ("spec", "podCIDRs")), How.SILENT)
        yield from _cite(iter(placed))


def _cite(placed: Iterator[Placed]) -> Marks:
    for _, site in placed:
        yield _written(*site)


def _written(entry: Object, path: tuple[str | int, ...]) -> Mark:
    value: Any = entry.value
    for step in path:
        value = value[step]
    return Mark(Site(entry, path), How.WRITTEN, value)


def _version(*, ipv6: bool) -> int:
    return 6 if ipv6 else 4


def _names_port(member: Member) -> bool:
    """Whether an endpoint, which is a valid one, was written with its port."""
    text = member.object.get("spec", "endpoint")
    if text is None:
        return False
    return not text.endswith("]") if text.startswith("[") else text.count(":") == 1
