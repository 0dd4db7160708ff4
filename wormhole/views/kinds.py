"""What each kind of object is called, and what about it is worth a reader's line."""

from typing import Final

from applier.plan import Action, Change
from schemas.problems import neutralise
from wormhole.views.fields import FieldText, describe_difference, describe_value

_TITLES: Final = {
    "guard": "guard routes",
    "sysctl": "kernel parameters",
    "link": "links",
    "wireguard": "WireGuard device",
    "peer": "peers",
    "address": "addresses",
    "up": "links up",
    "route": "routes",
    "firewall": "firewall",
    "cni": "CNI configuration",
}

_SAID_BY_KEY: Final[dict[str, frozenset[str]]] = {
    "guard": frozenset({"destination", "metric", "protocol"}),
    "link": frozenset({"group"}),
    "peer": frozenset({"device", "publicKey", "node", "active"}),
    "address": frozenset({"link", "address"}),
    "route": frozenset({"destination", "metric", "protocol", "type"}),
    "firewall": frozenset({"table", "name"}),
}
"""Fields that a whole object need not say: its key does, or they are the same for all of ours."""


def title_of(kind: str) -> str:
    """Return a kind's heading; a kind that is unknown here is its own."""
    return _TITLES.get(kind, kind)


def name_of(change: Change) -> str:
    """Return what a reader calls the object: a peer by its node, all else by its key.

    A plan that was saved may come from anywhere, and says what it likes.
    """
    if change.kind == "peer":
        for value in (change.after, change.before):
            node = value.get("node") if isinstance(value, dict) else getattr(value, "node", "")
            if node:
                return neutralise(str(node))
    return neutralise(change.key)


def fields_of(change: Change) -> tuple[FieldText, ...]:
    """Say what is made, what goes, or what differs."""
    match change.action:
        case Action.CREATE | Action.DELETE:
            value = change.after if change.action == Action.CREATE else change.before
            return describe_value(value, leave_out=_SAID_BY_KEY.get(change.kind, frozenset()))
        case Action.UPDATE | Action.RECREATE:
            aside = _fields_aside(change)
            return describe_difference(change.before, change.after, leave_out=aside)
        case Action.CONFLICT:
            return ()


def _fields_aside(change: Change) -> frozenset[str]:
    """Return the fields that are there to help, and are no difference."""
    if change.kind == "peer":
        return frozenset({"node", "active"})
    if change.kind == "link" and change.action == Action.UPDATE:
        return frozenset({"kind"})  # a userspace WireGuard device is a tun, and stays one
    return frozenset()
