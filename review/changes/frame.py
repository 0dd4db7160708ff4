"""Set two states side by side: who is who in both, and who sees whom.

A node is its name; one that has another name and the same key was renamed. The old state is looked
at with the names of the new one, so that all else about such a node is compared as well.
"""

from collections.abc import Mapping
from functools import cached_property
from itertools import chain

from msgspec.structs import replace

from schemas.document import host_path
from schemas.ranges import find_range
from schemas.state import Documents, HostState, MeshState, PeerGroup
from schemas.values import NodeName, Prefix, PublicKey, is_ipv6

Seers = Mapping[str, frozenset[NodeName]]
"""Peer group to the hosts that join it."""


class Frame:
    """Two states side by side, by the names of the new one."""

    def __init__(self, old: Documents, new: Documents) -> None:
        self.new = new
        self.renamed: dict[NodeName, NodeName] = _find_renamed(old, new)
        """New name to old name."""
        self._stranding: dict[tuple[Prefix, frozenset[Prefix]], bool] = {}
        self.old: Documents = _rename(old, {was: now for now, was in self.renamed.items()})

    @cached_property
    def files(self) -> dict[str, NodeName]:
        """The file of every host to its name."""
        return {host_path(name): name for name in self.old.hosts | self.new.hosts}

    @cached_property
    def old_nodes(self) -> frozenset[NodeName]:
        """Who is in the old state: as a host, as a peer, or both."""
        return _nodes_of(self.old)

    @cached_property
    def new_nodes(self) -> frozenset[NodeName]:
        """Who is in the new state."""
        return _nodes_of(self.new)

    @cached_property
    def staying(self) -> frozenset[NodeName]:
        """The hosts that have a document in both."""
        return frozenset(self.old.hosts.keys() & self.new.hosts.keys())

    @cached_property
    def old_pods(self) -> dict[NodeName, tuple[Prefix, ...]]:
        """Each node's pod CIDRs: what its peers accept from it."""
        return _pods_of(self.old.mesh)

    @cached_property
    def new_pods(self) -> dict[NodeName, tuple[Prefix, ...]]:
        """Each node's pod CIDRs, afterwards."""
        return _pods_of(self.new.mesh)

    @cached_property
    def old_owners(self) -> dict[Prefix, NodeName]:
        """Each pod CIDR's node."""
        return _owners_of(self.old_pods)

    @cached_property
    def new_owners(self) -> dict[Prefix, NodeName]:
        """Each pod CIDR's node, afterwards."""
        return _owners_of(self.new_pods)

    def strands(self, lost: Prefix, ways: frozenset[Prefix]) -> bool:
        """Whether pods inside of a lost prefix are in none of the ways that are left."""
        key = lost, ways
        if key not in self._stranding:
            inside = [pods for pods in self.new_owners if _lies_in(pods, lost)]
            self._stranding[key] = any(
                not any(_lies_in(pods, way) for way in ways) for pods in inside
            )
        return self._stranding[key]

    @cached_property
    def old_seers(self) -> Seers:
        """The staying hosts that joined each peer group."""
        return _seers_of(self.old.hosts, self.staying)

    @cached_property
    def new_seers(self) -> Seers:
        """The staying hosts that join each peer group now."""
        return _seers_of(self.new.hosts, self.staying)


def _find_renamed(old: Documents, new: Documents) -> dict[NodeName, NodeName]:
    """Return the nodes whose key has another name now."""
    gone = _keys_of(old, old.hosts.keys() - _nodes_of(new))
    came = _keys_of(new, new.hosts.keys() - _nodes_of(old))
    return {came[key]: gone[key] for key in sorted(gone.keys() & came.keys())}


def _keys_of(documents: Documents, names: set[NodeName]) -> dict[PublicKey, NodeName]:
    return {documents.hosts[name].wireguard.public_key: name for name in sorted(names)}


def _rename(documents: Documents, names: Mapping[NodeName, NodeName]) -> Documents:
    """Return documents filed under new names; what is inside a host's keeps its own."""
    if not names:
        return documents
    groups = {
        group: {names.get(name, name): peer for name, peer in peers.items()}
        for group, peers in documents.mesh.peer_groups.items()
    }
    hosts = {names.get(name, name): host for name, host in documents.hosts.items()}
    return Documents(
        mesh=replace(documents.mesh, peer_groups=groups), hosts=dict(sorted(hosts.items()))
    )


def _nodes_of(documents: Documents) -> frozenset[NodeName]:
    return frozenset(chain(documents.hosts, *documents.mesh.peer_groups.values()))


def _pods_of(mesh: MeshState) -> dict[NodeName, tuple[Prefix, ...]]:
    pods: dict[NodeName, tuple[Prefix, ...]] = {}
    for peers in mesh.peer_groups.values():
        _add_pods(pods, peers)
    return pods


def _add_pods(pods: dict[NodeName, tuple[Prefix, ...]], peers: PeerGroup) -> None:
    for name, peer in peers.items():
        known = pods.get(name, ())
        pods[name] = (*known, *(p for p in peer.allowed_ips if p not in known))


def _owners_of(pods: Mapping[NodeName, tuple[Prefix, ...]]) -> dict[Prefix, NodeName]:
    return {prefix: name for name, prefixes in pods.items() for prefix in prefixes}


def _seers_of(hosts: Mapping[NodeName, HostState], staying: frozenset[NodeName]) -> Seers:
    seers: dict[str, set[NodeName]] = {}
    for name in staying:
        for group in hosts[name].wireguard.peer_groups:
            seers.setdefault(group, set()).add(name)
    return {group: frozenset(names) for group, names in seers.items()}


def _lies_in(prefix: Prefix, other: Prefix) -> bool:
    """Whether all of a prefix is in another; not where one is misspelt."""
    inner, outer = find_range(prefix), find_range(other)
    if is_ipv6(prefix) is not is_ipv6(other) or isinstance(inner, str) or isinstance(outer, str):
        return False
    return outer[0] <= inner[0] and inner[1] <= outer[1]
