"""Documents, or two sets of them, to a :class:`~review.pictures.picture.Picture`."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Final, NamedTuple, TypeVar

from review.pictures.picture import Change, Link, Node, Pairs, Picture, Way
from schemas.state import Documents, HostState, Peer
from schemas.values import NodeName

_Document = TypeVar("_Document", Peer, HostState)

LINKS_AT_MOST: Final = 12
"""Nodes whose links are drawn one by one. Twelve have 66; thirty have 435: a black disc."""


class _Role(NamedTuple):
    """All about a node that decides whom it meets. Nodes of one role are asked once."""

    joins: frozenset[str]
    listed: frozenset[str]
    reachable: bool


class _Side:
    """One state of the mesh: each node's role, entry and document."""

    def __init__(self, documents: Documents) -> None:
        self.hosts = documents.hosts
        self.peers: dict[NodeName, Peer] = {}
        listed: dict[NodeName, set[str]] = {}
        for group, members in sorted(documents.mesh.peer_groups.items()):
            for name, peer in members.items():
                self.peers.setdefault(name, peer)
                listed.setdefault(name, set()).add(group)
        self.names = sorted({*self.peers, *self.hosts})
        self.roles = {name: self._role(name, listed.get(name, set())) for name in self.names}

    def _role(self, name: NodeName, listed: set[str]) -> _Role:
        host, peer = self.hosts.get(name), self.peers.get(name)
        joins = frozenset(host.wireguard.peer_groups) if host else frozenset[str]()
        reachable = peer is not None and peer.endpoint is not None
        return _Role(joins, frozenset(listed), reachable)


def build_picture(documents: Documents, old: Documents | None = None) -> Picture:
    """Return the picture of a mesh; with ``old``, of what changes from there."""
    new = _Side(documents)
    before = new if old is None else _Side(old)
    names = sorted({*new.names, *before.names})
    drawn = len(names) <= LINKS_AT_MOST
    return Picture(
        mesh=documents.mesh.name,
        nodes=tuple(_build_node(name, before, new) for name in names),
        pairs=_count_pairs(new),
        links=tuple(_build_links(names, before, new)) if drawn else None,
        compared=old is not None,
    )


def _build_node(name: NodeName, before: _Side, new: _Side) -> Node:
    side = new if name in new.roles else before
    peer = side.peers.get(name)
    change, fields = _compare(name, before, new)
    return Node(
        name=name,
        endpoint=peer.endpoint if peer else None,
        prefixes=peer.allowed_ips if peer else (),
        change=change,
        fields=fields,
    )


def _compare(name: NodeName, before: _Side, new: _Side) -> tuple[Change, tuple[str, ...]]:
    if name not in before.roles:
        return Change.JOINS, ()
    if name not in new.roles:
        return Change.LEAVES, ()
    fields = (
        *_differing(_PEER_FIELDS, before.peers.get(name), new.peers.get(name)),
        *_differing(_HOST_FIELDS, before.hosts.get(name), new.hosts.get(name)),
    )
    return (Change.CHANGED if fields else Change.SAME), fields


_PEER_FIELDS: Final[tuple[tuple[str, Callable[[Peer], object]], ...]] = (
    ("endpoint", lambda peer: peer.endpoint),
    ("key", lambda peer: peer.public_key),
    ("pod CIDRs", lambda peer: peer.allowed_ips),
)
_HOST_FIELDS: Final[tuple[tuple[str, Callable[[HostState], object]], ...]] = (
    ("peer groups", lambda host: host.wireguard.peer_groups),
    ("MTU", lambda host: (host.wireguard.mtu, host.bridge.mtu)),
    ("port", lambda host: host.wireguard.listen_port),
    ("keepalive", lambda host: host.wireguard.persistent_keepalive),
    ("pre-shared keys", lambda host: host.wireguard.preshared_key_epoch),
    ("addresses", lambda host: (host.wireguard.addresses, host.bridge.addresses)),
    ("interfaces", lambda host: (host.wireguard.interface, host.bridge.interface, host.bridge.mac)),
    ("routes", lambda host: host.routes),
    ("firewall", lambda host: host.firewall),
    ("sysctls", lambda host: host.sysctls),
    ("CNI", lambda host: host.cni),
)


def _differing(
    fields: tuple[tuple[str, Callable[[_Document], object]], ...],
    old: _Document | None,
    new: _Document | None,
) -> Iterator[str]:
    """Yield the words of what differs; nothing of documents that are equal, the common case."""
    if old == new:
        return
    if old is None or new is None:
        yield "document"
        return
    yield from (word for word, read in fields if read(old) != read(new))


def _meet(tail: _Role, head: _Role) -> tuple[Way | None, bool]:
    """Return how two nodes meet, and whether the second is who begins."""
    knows, is_known = bool(tail.joins & head.listed), bool(head.joins & tail.listed)
    if not knows and not is_known:
        return None, False
    if knows != is_known:
        return Way.ONE_SIDED, is_known
    if tail.reachable and head.reachable:
        return Way.EITHER, False
    if not tail.reachable and not head.reachable:
        return Way.NEVER, False
    return Way.FIRST, tail.reachable


def _count_pairs(side: _Side) -> Pairs:
    """Count by role: a thousand equal nodes are one question, not half a million."""
    counts: Counter[Way | None] = Counter()
    roles = Counter(side.roles.values())
    for role, number in roles.items():
        counts[_meet(role, role)[0]] += number * (number - 1) // 2
    for (tail, tails), (head, heads) in combinations(roles.items(), 2):
        counts[_meet(tail, head)[0]] += tails * heads
    return Pairs(
        either=counts[Way.EITHER],
        first=counts[Way.FIRST],
        never=counts[Way.NEVER],
        one_sided=counts[Way.ONE_SIDED],
        strangers=counts[None],
    )


def _build_links(names: list[NodeName], before: _Side, new: _Side) -> Iterator[Link]:
    for first, second in combinations(names, 2):
        old, now = _link(first, second, before), _link(first, second, new)
        if now is not None:
            change = Change.JOINS if old is None else Change.SAME
            change = Change.CHANGED if old is not None and old != now else change
            yield Link(tail=now.tail, head=now.head, way=now.way, change=change)
        elif old is not None:
            yield Link(tail=old.tail, head=old.head, way=old.way, change=Change.LEAVES)


def _link(first: NodeName, second: NodeName, side: _Side) -> Link | None:
    if first not in side.roles or second not in side.roles:
        return None
    way, turned = _meet(side.roles[first], side.roles[second])
    if way is None:
        return None
    tail, head = (second, first) if turned else (first, second)
    return Link(tail=tail, head=head, way=way)
