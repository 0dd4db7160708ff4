"""Join the mesh's document with one host's: the host's own state, and its peers."""

from schemas.problems import Problem, Problems
from schemas.state import API_VERSION, HostState, MeshState, Peer, ResolvedHost, ResolvedPeer
from schemas.values import NodeName


def resolve(mesh: MeshState, host: HostState) -> ResolvedHost:
    """Return the full desired state of one host: everybody in the groups that it joins but itself.

    Raises:
        Problems: the host belongs to another mesh, joins a peer group that the mesh lacks,
            or meets two peers of one name.

    """
    if host.mesh != mesh.name:
        rule = f"the mesh document is {mesh.name!r}"
        raise Problems([_problem(host, "mesh", host.mesh, rule)])
    keepalive = host.wireguard.persistent_keepalive
    members = sorted(_members(mesh, host).items())
    peers = {name: _with_keepalive(peer, keepalive) for name, peer in members if name != host.name}
    return ResolvedHost(api_version=API_VERSION, host=host, peers=peers)


def _members(mesh: MeshState, host: HostState) -> dict[NodeName, Peer]:
    """Return everybody in the groups that a host joins, itself too."""
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
    return peers


def _with_keepalive(peer: Peer, keepalive: int) -> ResolvedPeer:
    return ResolvedPeer(
        public_key=peer.public_key,
        endpoint=peer.endpoint,
        allowed_ips=peer.allowed_ips,
        persistent_keepalive=keepalive,
    )


def _problem(host: HostState, path: str, value: str, rule: str) -> Problem:
    return Problem(object=f"HostState/{host.name}", path=path, value=value, rule=rule)
