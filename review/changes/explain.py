"""Sort the differences between two states by reason: each has exactly one."""

from collections.abc import Iterator

from msgspec import UNSET

from review.changes.delta import Delta, find_deltas
from review.changes.frame import Frame
from review.changes.hostreasons import explain_host
from review.changes.meshreasons import explain_mesh, explain_otherwise
from review.changes.pair import Pair
from review.changes.place import spell_place
from review.changes.reason import Reason
from review.changes.review import Cause
from review.changes.rulereasons import explain_rest
from schemas.document import MESH_FILE, host_path

Explained = dict[Reason, list[Delta]]


def explain_all(frame: Frame) -> Explained:
    """Return every difference, under the reason that explains it."""
    explained: Explained = {}
    for reason, delta in _explain_each(frame):
        explained.setdefault(reason, []).append(delta)
    return explained


def _explain_each(frame: Frame) -> Iterator[tuple[Reason, Delta]]:
    yield from _explain_files(frame)
    for name, was in frame.renamed.items():
        for group, peers in frame.old.mesh.peer_groups.items():
            if name in peers:
                delta = Delta(MESH_FILE, ("peerGroups", group), was, name)
                yield Reason(Cause.RENAME, name, was), delta
    for delta in find_deltas(MESH_FILE, frame.old.mesh, frame.new.mesh):
        yield (
            explain_mesh(frame, delta) or explain_otherwise(spell_place(frame, delta), delta),
            delta,
        )
    for name in sorted(frame.staying):
        if frame.old.hosts[name] is frame.new.hosts[name]:
            continue
        yield from _explain_in_host(Pair(frame, name), host_path(name))


def _explain_in_host(pair: Pair, file: str) -> Iterator[tuple[Reason, Delta]]:
    rest: dict[tuple[str, int], list[Delta]] = {}
    for delta in find_deltas(file, pair.old.host, pair.new.host):
        if reason := explain_host(pair, delta):
            yield reason, delta
            continue
        match delta.path:
            case ("firewall", str(family), int(index), "rules", int()):
                rest.setdefault((family, index), []).append(delta)
            case _:
                place = spell_place(pair.frame, delta)
                yield explain_otherwise(place, delta), delta
    for (family, index), deltas in rest.items():
        reason = explain_rest(pair, family, index, deltas)
        yield from ((reason, delta) for delta in deltas)


def _explain_files(frame: Frame) -> Iterator[tuple[Reason, Delta]]:
    """Explain the hosts' files that come or go."""
    old, new = frame.old.hosts, frame.new.hosts
    for name in sorted(new.keys() - old.keys()):
        delta = Delta(host_path(name), (), UNSET, new[name])
        reason = Reason(Cause.OTHER, delta.file) if name in frame.old_nodes else None
        yield reason or Reason(Cause.JOIN, name), delta
    for name in sorted(old.keys() - new.keys()):
        delta = Delta(host_path(name), (), old[name], UNSET)
        reason = Reason(Cause.OTHER, delta.file) if name in frame.new_nodes else None
        yield reason or Reason(Cause.LEAVE, name), delta
