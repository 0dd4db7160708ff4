"""Turn the members of a cluster into what they do not agree on yet: empty when they all do."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from lab.member import Member, Object
from lab.mesh import PORT
from lab.probes import ping_all
from lab.tunnels import Device, Tunnel
from lab.waiting import Complaint


def wrong_peers(members: Iterable[Member]) -> Complaint:
    """Say whose device has other peers, endpoints or prefixes than the joined members make up."""
    devices = {member: member.device() for member in members if member.joined}
    owners = {device.key: member for member, device in devices.items()}
    complaints = [
        f"{member.name}: {complaint}"
        for member, device in devices.items()
        if (complaint := _compare(member, device, owners))
    ]
    return "; ".join(complaints)


def _compare(member: Member, device: Device, owners: dict[str, Member]) -> Complaint:
    if not device.key:
        return "no device with a key"
    expected = {key: owner for key, owner in owners.items() if owner is not member}
    complaints = [
        f"no peer {owner.name}" for key, owner in expected.items() if key not in device.peers
    ]
    for key, peer in device.peers.items():
        if key not in expected:
            complaints.append(f"peer {key} too many")
        elif (peer.endpoint, peer.prefixes) != expected[key].tunnel and not _has_roamed(
            member, expected[key], peer
        ):
            complaints.append(
                f"peer {expected[key].name} is {peer.endpoint} {sorted(peer.prefixes)}"
            )
    return ", ".join(complaints)


def _has_roamed(member: Member, owner: Member, peer: Tunnel) -> bool:
    """Whether a peer is at its host's first address, though its agent put it where it should be.

    A host that moves has both for a while, and WireGuard sends from the one that it used last
    (its sticky source). If it speaks first, the peer roams back; that is its right.
    """
    endpoint, prefixes = owner.tunnel
    roamed = (peer.endpoint, peer.prefixes) == (f"{owner.host.ipv4}:{PORT}", prefixes)
    return roamed and member.written_endpoint(owner.name) == endpoint


def wrong_status(members: Iterable[Member], mesh_nodes: dict[str, Object]) -> Complaint:
    """Say which member's MeshNode does not report that all is well with as many peers as it has."""
    joined = [member for member in members if member.joined]
    complaints = []
    for member in joined:
        status = mesh_nodes.get(member.name, {}).get("status", {})
        ready = condition(status, "Ready").get("status", "absent")
        if ready != "True":
            complaints.append(f"{member.name}: Ready is {ready}: {status}")
        elif status.get("peers") != len(joined) - 1:
            complaints.append(f"{member.name}: reports {status.get('peers')} peers")
    return "; ".join(complaints)


def condition(status: Object, kind: str) -> Object:
    """Return one condition of a status; empty when it is not there."""
    found: Iterable[Object] = status.get("conditions", ())
    return next((item for item in found if item["type"] == kind), {})


def silent_pods(members: Iterable[Member], *, patience: float = 2) -> Complaint:
    """Say which pods do not reach which pods' addresses, all asking at once."""
    pods = [member.pod for member in members if member.pod is not None]
    everywhere = tuple(address for pod in pods for address in pod.addresses)
    with ThreadPoolExecutor(max_workers=8) as pool:
        silent = pool.map(lambda pod: ping_all(pod, everywhere, patience=patience), pods)
        return "; ".join(
            f"{pod.host.name} does not reach {' '.join(unheard)}"
            for pod, unheard in zip(pods, silent, strict=True)
            if unheard
        )
