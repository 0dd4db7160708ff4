"""Say what each host notices of a difference, in the words of the applier's plans.

The figures are those of ``applier/kinds``, which this room does not know; a test holds the two
together. Some are worse here: an address that leaves the bridge costs an applier nothing, and the
pods behind it their gateway; what is changed by hand may stop traffic that nobody plans for.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from review.changes.delta import Delta
from review.changes.frame import Frame
from review.changes.review import Impact
from review.changes.stopping import may_stop
from schemas.document import MESH_FILE
from schemas.values import NodeName

RANKS: Final = {impact: rank for rank, impact in enumerate(Impact)}


def worst(impacts: Iterable[Impact]) -> Impact:
    """Return the worst of what is noticed; hitless when nothing is."""
    return max(impacts, key=RANKS.__getitem__, default=Impact.HITLESS)


def find_touched(
    frame: Frame, deltas: Iterable[Delta], *, explained: bool
) -> dict[NodeName, Impact]:
    """Return the hosts of both states that differences touch, sorted, and what each notices.

    ``explained`` is whether another change is why they are there.
    """
    touched: dict[NodeName, Impact] = {}
    far: dict[tuple[frozenset[NodeName], Impact], set[NodeName]] = {}
    for delta in deltas:
        if delta.file != MESH_FILE:
            name = frame.files[delta.file]
            if name in frame.staying:
                stops = may_stop(frame, name, delta, explained=explained)
                _note(touched, name, Impact.DISRUPTIVE if stops else impact_on_host(delta))
            continue
        if owner := _find_losing(frame, delta):
            _note(touched, owner, Impact.DISRUPTIVE)
        for seers, peers, impact in _find_seers(frame, delta):
            far.setdefault((seers, impact), set()).update(peers)
    for (seers, impact), peers in far.items():
        for name in seers:
            if len(peers) > 1 or name not in peers:  # nobody is its own peer
                _note(touched, name, impact)
    return dict(sorted(touched.items()))


def impact_on_host(delta: Delta) -> Impact:
    """Return what a host notices of a difference in its own document."""
    match delta.path:
        case ("wireguard" | "bridge", "interface"):
            return Impact.DISRUPTIVE  # the old link is deleted
        case ("bridge", "addresses", int()) if delta.goes:
            return Impact.DISRUPTIVE  # see above
        case ("wireguard", "publicKey" | "listenPort") | ("bridge", "mac"):
            return Impact.SESSION_DROP
        case ("wireguard", "peerGroups", int()) if delta.goes:
            return Impact.SESSION_DROP  # its peers go
        case _:
            return Impact.HITLESS


def _find_seers(
    frame: Frame, delta: Delta
) -> Iterator[tuple[frozenset[NodeName], Iterable[NodeName], Impact]]:
    """Yield who sees a difference in the mesh's document: hosts, peers, what the hosts notice."""
    match delta.path:
        case ("peerGroups", str(group)) if delta.comes or delta.goes:
            yield _seers(frame, group, gone=delta.goes), tuple(delta.value), _of_peer(delta)
        case ("peerGroups", str(group), str(name)):
            yield _seers(frame, group, gone=delta.goes), (NodeName(name),), _of_peer(delta)
        case ("peerGroups", str(group), str(name), "publicKey"):
            yield _seers(frame, group, gone=False), (NodeName(name),), Impact.SESSION_DROP
        case ("peerGroups", str(group), str(name), *_):
            yield _seers(frame, group, gone=False), (NodeName(name),), Impact.HITLESS
        case _:
            return


def _find_losing(frame: Frame, delta: Delta) -> NodeName | None:
    """Return the host of both states from whose pods nobody takes packets any more."""
    match delta.path:
        case ("peerGroups", str(), str(name), "allowedIPs", int()) if delta.goes:
            owner = NodeName(name)
            kept = delta.value in frame.new_pods.get(owner, ())
            return owner if owner in frame.staying and not kept else None
        case _:
            return None


def _of_peer(delta: Delta) -> Impact:
    return Impact.SESSION_DROP if delta.goes else Impact.HITLESS


def _seers(frame: Frame, group: str, *, gone: bool) -> frozenset[NodeName]:
    return (frame.old_seers if gone else frame.new_seers).get(group, frozenset())


def _note(touched: dict[NodeName, Impact], name: NodeName, impact: Impact) -> None:
    known = touched.get(name)
    if known is None or RANKS[impact] > RANKS[known]:
        touched[name] = impact
