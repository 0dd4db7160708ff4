"""What a comparison of two states found: entries, each one cause, and how far they reach.

Everything here is a finding, ready to be printed, coloured or counted; it is made by
:mod:`review.changes.compare`. Names are the new state's, where a node has one there.
"""

from enum import StrEnum
from typing import Any

from msgspec import UNSET, UnsetType

from schemas.state import API_VERSION, ApiVersion, Value
from schemas.values import NodeName, Prefix


class Impact(StrEnum):
    """What traffic notices, in rising order: the words of the applier's plans (``Risk``)."""

    HITLESS = "hitless"
    SESSION_DROP = "session drop"
    DISRUPTIVE = "disruptive"


class Cause(StrEnum):
    """What an entry is about, in the order in which entries of one impact are told.

    What nothing explains comes first: lists of entries are cut, and it must not be what is cut off.
    """

    FIREWALL = "firewall"
    OTHER = "other"
    """No rule knows this difference: it is shown as it stands in the documents."""
    JOIN = "join"
    LEAVE = "leave"
    RENAME = "rename"
    KEY = "key"
    ENDPOINT = "endpoint"
    PREFIX_MOVE = "prefix move"
    POD_CIDRS = "pod CIDRs"
    OVERLAY = "overlay"
    EPOCH = "epoch"
    MTU = "MTU"
    LISTEN_PORT = "listen port"
    KEEPALIVE = "keepalive"
    INTERFACE = "interface"
    BRIDGE = "bridge"
    MASQUERADE = "masquerade"
    EXCEPTIONS = "masquerade exceptions"
    IPTABLES = "iptables variant"
    CNI = "CNI"
    SYSCTL = "sysctl"
    MESH = "mesh"


class Action(StrEnum):
    """What happened at a place."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Difference(Value, frozen=True, kw_only=True):
    """One difference between documents, in every file that has it."""

    files: tuple[str, ...]
    """As they are called in a state folder, sorted: ``hosts/node-a.json``."""
    action: Action
    path: str = ""
    """Where in the file, chains by name; empty: the whole file. What comes into a list or goes from
    one has the path of the list."""
    before: Any | UnsetType = UNSET
    """Unset: it was not there; or a whole file, which is not repeated here."""
    after: Any | UnsetType = UNSET
    """Unset: it is not there any more; or a whole file."""


class Entry(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One cause, wherever it shows."""

    cause: Cause
    subjects: tuple[str, ...]
    """Whom or what it is about: nodes, prefixes, devices, paths. Sorted."""
    title: str
    """``node-d joins``."""
    effect: str
    """What follows from it, for whom: ``3 hosts gain a peer``."""
    impact: Impact
    """The worst of what the hosts notice."""
    hosts: dict[NodeName, Impact]
    """The hosts that it touches, sorted, and what each notices. Not those that join or leave."""
    details: tuple[str, ...] = ()
    """Lines for who wants to know more, such as each node of many."""
    differences: tuple[Difference, ...] = ()
    """All that this cause explains, and no other entry does."""


class Blast(Value, frozen=True, kw_only=True, omit_defaults=False):
    """How far a change reaches: what the hosts that stay in the mesh are in for."""

    hosts: int
    """Hosts that are in both states."""
    hitless: int
    """Of these, the hosts that change and notice nothing."""
    session_drop: int
    disruptive: int
    joining: int
    leaving: int
    peers_added: int
    """Peers that hosts gain, counted on each host."""
    peers_removed: int
    sessions_reset: int
    """Pairs of hosts, in both states, whose session begins anew."""
    prefixes_moved: tuple[Prefix, ...]
    """Pod CIDRs that another node has now, sorted."""
    rules_added: int
    """Firewall rules, counted on each host."""
    rules_removed: int

    @property
    def touched(self) -> int:
        """How many hosts change at all."""
        return self.hitless + self.session_drop + self.disruptive


class Side(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One of the two states."""

    mesh: str
    hosts: int


class Review(Value, frozen=True, kw_only=True, omit_defaults=False, tag_field="kind", tag="Review"):
    """What has changed from one state to another; without entries, nothing."""

    api_version: ApiVersion = API_VERSION
    old: Side
    new: Side
    entries: tuple[Entry, ...]
    """Worst first."""
    blast: Blast
    hosts: dict[NodeName, Impact]
    """What each host that changes notices of all entries, sorted by name."""
