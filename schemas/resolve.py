"""Join the mesh's document with one host's: the host's own state, and its peers."""

from schemas.problems import Problem, Problems
from schemas.state import API_VERSION, HostState, MeshState, Peer, ResolvedHost, ResolvedPeer
from schemas.values import NodeName


def resolve(mesh: MeshState, host: HostState) -> ResolvedHost:
    """Return the full desired state of one host.

    Raises:
        Problems: the host belongs to another mesh, joins a peer group that the mesh lacks,
            or meets two peers of one name.

    """
    if host.mesh != mesh.name:
        raise Problems([_problem(host, "mesh", host.mesh, f"the mesh document is {mesh.name!r}")])
    peers: dict[NodeName, ResolvedPeer] = {}
    for group in host.wireguard.peer_groups:
        if group not in mesh.peer_groups:
            known = ", ".join(sorted(mesh.peer_groups)) or "none"
            rule = f"no such peer group in mesh {mesh.name!r} (known: {known})"
            raise Problems([_problem(host, "wireguard.peerGroups", group, rule)])
        for name, peer in mesh.peer_groups[group].items():
            if name in peers:
                raise Problems([_problem(host, "wireguard.peerGroups", name, "joined twice")])
            if name != host.name:
                peers[name] = _as_seen_by(host, peer)
    return ResolvedHost(api_version=API_VERSION, host=host, peers=dict(sorted(peers.items())))


def _as_seen_by(host: HostState, peer: Peer) -> ResolvedPeer:
    return ResolvedPeer(
        public_key=peer.public_key,
        endpoint=peer.endpoint,
        allowed_ips=peer.allowed_ips,
        persistent_keepalive=host.wireguard.persistent_keepalive,
    )


def _problem(host: HostState, path: str, value: str, rule: str) -> Problem:
    return Problem(object=f"HostState/{host.name}", path=path, value=value, rule=rule)
