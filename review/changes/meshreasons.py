"""Find the reason of a difference within ``mesh.json``."""

from msgspec import UNSET

from review.changes.delta import Delta
from review.changes.frame import Frame
from review.changes.reason import Reason, tell
from review.changes.review import Cause
from review.changes.wording import spell_value
from schemas.values import NodeName, Prefix


def explain_mesh(frame: Frame, delta: Delta) -> Reason | None:
    """Return why the mesh's document differs here; None when no rule knows."""
    match delta.path:
        case ("name",):
            return Reason(Cause.MESH, before=tell(delta.before), after=tell(delta.after))
        case ("peerGroups", str(), str(name)):
            return _explain_peer(frame, NodeName(name), delta)
        case ("peerGroups", str(), str(name), "publicKey"):
            return Reason(Cause.KEY, name)
        case ("peerGroups", str(), str(name), "endpoint"):
            return _explain_endpoint(frame, NodeName(name), delta)
        case ("peerGroups", str(), str(name), "allowedIPs", int()):
            return explain_prefix(frame, NodeName(name), delta.value)
        case _:
            return None


def explain_prefix(frame: Frame, name: NodeName, prefix: Prefix) -> Reason | None:
    """Return why a node gains or loses a pod CIDR: it moves between nodes, or they have others."""
    was, now = frame.old_owners.get(prefix), frame.new_owners.get(prefix)
    both = frame.old_nodes & frame.new_nodes
    if was and now and was != now and {was, now} <= both:
        return Reason(Cause.PREFIX_MOVE, prefix, was, now)
    before, after = frame.old_pods.get(name, ()), frame.new_pods.get(name, ())
    if before == after or name not in both:
        return None
    lost = tuple(p for p in before if p not in after and not _stays(frame, p, both))
    gained = tuple(p for p in after if p not in before and not _stays(frame, p, both))
    return Reason(Cause.POD_CIDRS, name, lost, gained)


def _stays(frame: Frame, prefix: Prefix, both: frozenset[NodeName]) -> bool:
    """Whether a prefix moves between two nodes that are in both states."""
    owners = {frame.old_owners.get(prefix), frame.new_owners.get(prefix)}
    return None not in owners and owners <= both


def _explain_peer(frame: Frame, name: NodeName, delta: Delta) -> Reason | None:
    if delta.comes and name not in frame.old_nodes:
        return Reason(Cause.JOIN, name)
    if delta.goes and name not in frame.new_nodes:
        return Reason(Cause.LEAVE, name)
    return None


def _explain_endpoint(frame: Frame, name: NodeName, delta: Delta) -> Reason:
    """Return why an endpoint differs; that it follows the listen port is no reason of its own."""
    before, after = tell(delta.before), tell(delta.after)
    if before and after and name in frame.staying:
        old, new = (side.hosts[name].wireguard.listen_port for side in (frame.old, frame.new))
        follows = (before.rpartition(":")[2], after.rpartition(":")[2]) == (str(old), str(new))
        if old != new and follows and before.rpartition(":")[0] == after.rpartition(":")[0]:
            return Reason(Cause.LISTEN_PORT, before=str(old), after=str(new))
    return Reason(Cause.ENDPOINT, name, before, after)


def explain_otherwise(path: str, delta: Delta) -> Reason:
    """Return the reason of what no rule knows: the place, and what stands there."""
    values = (
        None if value is UNSET else spell_value(value) for value in (delta.before, delta.after)
    )
    return Reason(Cause.OTHER, path, *values)
