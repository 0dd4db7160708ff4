"""Join the mesh's document with one host's: the host's own state, and its peers."""

from schemas.problems import Problem, Problems
from schemas.state import API_VERSION, HostState, MeshState, Peer, ResolvedHost, ResolvedPeer
from schemas.values import NodeName

_Joined = tuple[tuple[str, ...], int]
"""What decides how a host sees the others: the groups that it joins, and its keepalive."""


def resolve(mesh: MeshState, host: HostState) -> ResolvedHost:
    """Return the full desired state of one host; for many hosts, use one :class:`Resolver`.

    Raises:
        Problems: the host belongs to another mesh, joins a peer group that the mesh lacks,
            or meets two peers of one name.

    """
    return Resolver(mesh).resolve(host)


class Resolver:
    """The hosts of one mesh. Hosts that see the others alike share their peers' values."""

    def __init__(self, mesh: MeshState) -> None:
        self._mesh = mesh
        self._seen: dict[_Joined, dict[NodeName, ResolvedPeer]] = {}

    def resolve(self, host: HostState) -> ResolvedHost:
        """Return the full desired state of one host.

        Raises:
            Problems: as :func:`resolve` does.

        """
        if host.mesh != self._mesh.name:
            rule = f"the mesh document is {self._mesh.name!r}"
            raise Problems([_problem(host, "mesh", host.mesh, rule)])
        joined = host.wireguard.peer_groups, host.wireguard.persistent_keepalive
        if joined not in self._seen:
            self._seen[joined] = _members(self._mesh, host)
        peers = self._seen[joined].copy()
        peers.pop(host.name, None)
        return ResolvedHost(api_version=API_VERSION, host=host, peers=peers)


def _members(mesh: MeshState, host: HostState) -> dict[NodeName, ResolvedPeer]:
    """Return everybody in the groups of a host, itself too, sorted by name."""
    peers: dict[NodeName, Peer] = {}
    for group in host.wireguard.peer_groups:
        if group not in mesh.peer_groups:
            known = ", ".join(sorted(mesh.peer_groups)) or "none"
            rule = f"no such peer group in mesh {mesh.name!r} (known: {known})"
            raise Problems([_problem(host, "wireguard.peerGroups", group, rule)])
        members = mesh.peer_groups[group]
        if twice := sorted(peers.keys() & members.keys()):
            raise Problems([_problem(host, "wireguard.peerGroups", twice[0], "joined twice")])
        peers |= members
    keepalive = host.wireguard.persistent_keepalive
    return {name: _with_keepalive(peer, keepalive) for name, peer in sorted(peers.items())}


def _with_keepalive(peer: Peer, keepalive: int) -> ResolvedPeer:
    return ResolvedPeer(
        public_key=peer.public_key,
        endpoint=peer.endpoint,
        allowed_ips=peer.allowed_ips,
        persistent_keepalive=keepalive,
    )


def _problem(host: HostState, path: str, value: str, rule: str) -> Problem:
    return Problem(object=f"HostState/{host.name}", path=path, value=value, rule=rule)
