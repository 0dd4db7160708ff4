"""Sort the members of a mesh into classes that are equal up to renaming.

Why this suffices is told in :mod:`review.proof`.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from review.proof.atlas import Atlas
from review.proof.belongings import (
    Member,
    Span,
    find_address,
    find_span,
    list_members,
    list_spans,
)
from schemas.state import Documents, HostState, Value
from schemas.values import NodeName, PublicKey

REPRESENTATIVES: Final = 3
"""Of each class: a claim speaks at most of a sender, a receiver and whose name is used."""

ADDRESS: Final = re.compile(r'"([0-9]+\.[0-9.]+|[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*)(?:/[0-9]+)?"')
"""A quoted address or prefix, in JSON."""


class HostClass(Value, frozen=True, kw_only=True):
    """Members that are equal up to renaming."""

    names: tuple[NodeName, ...]
    """Sorted."""

    @property
    def representatives(self) -> tuple[NodeName, ...]:
        """The few that are walked for all."""
        return self.names[:REPRESENTATIVES]


class _Holding(NamedTuple):
    """A range of addresses and whose it is, in the order of the sweep."""

    span: Span
    owner: NodeName


def sort_into_classes(
    documents: Documents, apart: Collection[NodeName] = ()
) -> tuple[HostClass, ...]:
    """Return the classes of a mesh's members, in the order of their first names.

    Members that are told ``apart`` are like nobody else, whatever documents say.
    """
    members = list_members(documents)
    entangled = find_entangled(members) | frozenset(apart)
    texts = {name: _spell(member, entangled=name in entangled) for name, member in members.items()}
    constants = _list_constants(set(texts.values()))
    classes: dict[object, list[NodeName]] = defaultdict(list)
    for name, member in members.items():
        relation = name if name in entangled else _relate(member, constants)
        classes[texts[name], relation].append(name)
    return tuple(HostClass(names=tuple(names)) for names in classes.values())


def reduce_documents(documents: Documents, names: Iterable[NodeName]) -> Documents:
    """Return the mesh of some of its members alone."""
    kept = frozenset(names)
    groups = {
        group: {name: peer for name, peer in peers.items() if name in kept}
        for group, peers in documents.mesh.peer_groups.items()
    }
    return Documents(
        mesh=replace(documents.mesh, peer_groups=groups),
        hosts={name: host for name, host in documents.hosts.items() if name in kept},
    )


def find_entangled(members: Mapping[NodeName, Member]) -> frozenset[NodeName]:
    """Return whoever shares an address, a prefix or a key with somebody else.

    One sorted sweep over everybody's ranges. Whoever shares nothing may be renamed; whoever is in
    here is taken as it is.
    """
    claims = sorted(
        _Holding(span, name)
        for name, member in members.items()
        for span in (*member.prefixes, *member.endpoints)
    )
    found: set[NodeName] = set()
    furthest: dict[bool, _Holding] = {}
    for claim in claims:
        before = furthest.get(claim.span.ipv6)
        if before and claim.span.first <= before.span.last:
            found |= {before.owner, claim.owner}
        if not before or before.span.last < claim.span.last:
            furthest[claim.span.ipv6] = claim
    return frozenset(found | _find_shared_keys(members))


def _find_shared_keys(members: Mapping[NodeName, Member]) -> set[NodeName]:
    owners: dict[PublicKey, list[NodeName]] = defaultdict(list)
    for name, member in members.items():
        for key in member.keys:
            owners[key].append(name)
    return {name for names in owners.values() if len(names) > 1 for name in names}


def _spell(member: Member, *, entangled: bool) -> str:
    """Return a member's documents as text in which what is its own has no name.

    Two members of one text are the same host, told with other names.
    """
    host = member.host
    entries = member.entries
    if entangled:
        return _encode([member.name, host, entries])
    agrees = [
        host is not None and peer.public_key == host.wireguard.public_key for _, peer in entries
    ]
    ports = [peer.endpoint and peer.endpoint.rpartition(":")[2] for _, peer in entries]
    ipv6 = [bool(peer.endpoint and "[" in peer.endpoint) for _, peer in entries]
    lengths = [(span.ipv6, span.last - span.first) for span in member.prefixes]
    nameless = [
        (group, replace(peer, public_key=PublicKey(""), endpoint=None)) for group, peer in entries
    ]
    text = _encode(
        [lengths, len(member.endpoints), agrees, ports, ipv6, nameless, host and _unname(host)]
    )
    places = _Places(member.prefixes)
    return ADDRESS.sub(places.substitute, text)


def _unname(host: HostState) -> HostState:
    return replace(
        host,
        name=NodeName(""),
        wireguard=replace(host.wireguard, public_key=PublicKey("")),
        bridge=replace(host.bridge, mac=""),
    )


def _encode(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


class _Places:
    """Addresses of one member to their places in its own prefixes."""

    def __init__(self, prefixes: tuple[Span, ...]) -> None:
        self._prefixes = prefixes
        self._known: dict[str, str] = {}

    def substitute(self, match: re.Match[str]) -> str:
        """Return ``<0+1/24>`` for the second address of the first prefix; others as they are.

        Without quotes it is nothing that JSON has, so no document can say it of itself.
        """
        token = match[0]
        if token not in self._known:
            self._known[token] = self._find(token)
        return self._known[token]

    def _find(self, token: str) -> str:
        text = token.strip('"')
        span, address = find_span(text), find_address(text)
        for number, prefix in enumerate(self._prefixes):
            if span and address and prefix.contains(span):
                length = text.partition("/")[2]
                return f"<{number}+{address.first - prefix.first}/{length}>"
        return token


def _list_constants(texts: Iterable[str]) -> Atlas:
    """Return what is called by the same name in all documents: prefixes that nobody owns."""
    tokens = {match[0].strip('"') for text in texts for match in ADDRESS.finditer(text)}
    return Atlas(span for token in tokens for span in list_spans(token))


def _relate(member: Member, constants: Atlas) -> object:
    """Return which constants contain each prefix and endpoint of a member.

    A constant inside of one names this very member, who then is like nobody else.
    """
    around = [constants.find_holders(span) for span in (*member.prefixes, *member.endpoints)]
    return member.name if None in around else tuple(around)
