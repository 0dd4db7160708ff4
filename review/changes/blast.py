"""Measure how far a change reaches: hosts, peers, sessions, prefixes, rules."""

from collections import Counter
from collections.abc import Iterable, Mapping

from review.changes.counting import rules_of
from review.changes.delta import Delta
from review.changes.frame import Frame
from review.changes.review import Blast, Impact
from schemas.document import MESH_FILE
from schemas.state import Documents
from schemas.values import NodeName, Prefix, sorted_prefixes

Groups = tuple[str, ...]


def measure_blast(frame: Frame, deltas: Iterable[Delta], hosts: Mapping[NodeName, Impact]) -> Blast:
    """Count what a change brings to the hosts that are in both states."""
    changed = tuple(delta for delta in deltas if delta.path)
    noticed = Counter(hosts.values())
    added, removed = _count_peers(frame)
    return Blast(
        hosts=len(frame.staying),
        hitless=noticed[Impact.HITLESS],
        session_drop=noticed[Impact.SESSION_DROP],
        disruptive=noticed[Impact.DISRUPTIVE],
        joining=len(frame.new.hosts) - len(frame.staying),
        leaving=len(frame.old.hosts) - len(frame.staying),
        peers_added=added,
        peers_removed=removed,
        sessions_reset=_count_sessions(frame, _find_resetting(frame, changed)),
        prefixes_moved=_find_moved(frame),
        rules_added=sum(rules_of(delta) for delta in changed if delta.comes),
        rules_removed=sum(rules_of(delta) for delta in changed if delta.goes),
    )


def _count_peers(frame: Frame) -> tuple[int, int]:
    """Count the peers that hosts gain and lose, over all hosts."""
    added = removed = 0
    kept: dict[tuple[Groups, Groups], tuple[frozenset[NodeName], frozenset[NodeName]]] = {}
    for name in frame.staying:
        groups = _groups_of(frame.old, name), _groups_of(frame.new, name)
        if groups not in kept:
            was, now = _members(frame.old, groups[0]), _members(frame.new, groups[1])
            kept[groups] = now - was, was - now
        came, went = kept[groups]
        added += len(came) - (name in came)
        removed += len(went) - (name in went)
    return added, removed


def _find_resetting(frame: Frame, deltas: Iterable[Delta]) -> frozenset[NodeName]:
    """Return the hosts of both states all of whose sessions start anew."""
    found: set[NodeName] = set()
    for delta in deltas:
        match delta.path:
            case ("wireguard", "publicKey" | "listenPort" | "interface"):
                found.add(frame.files[delta.file])
            case ("peerGroups", str(), str(name), "publicKey") if delta.file == MESH_FILE:
                found.add(NodeName(name))
            case _:
                pass
    return frozenset(found & frame.staying)


def _count_sessions(frame: Frame, resetting: frozenset[NodeName]) -> int:
    """Count the pairs of hosts, peers in both states, of which one at least resets."""
    single = double = 0
    kept: dict[tuple[Groups, Groups], frozenset[NodeName]] = {}
    for name in resetting:
        groups = _groups_of(frame.old, name), _groups_of(frame.new, name)
        if groups not in kept:
            both = _members(frame.old, groups[0]) & _members(frame.new, groups[1])
            kept[groups] = both & frame.staying
        peers = kept[groups] - {name}
        single += len(peers)
        double += len(peers & resetting)
    return single - double // 2


def _find_moved(frame: Frame) -> tuple[Prefix, ...]:
    owners = frame.new_owners
    return sorted_prefixes(
        prefix for prefix, was in frame.old_owners.items() if owners.get(prefix, was) != was
    )


def _groups_of(documents: Documents, name: NodeName) -> Groups:
    return documents.hosts[name].wireguard.peer_groups


def _members(documents: Documents, groups: Groups) -> frozenset[NodeName]:
    known = documents.mesh.peer_groups
    return frozenset(name for group in groups for name in known.get(group, {}))
