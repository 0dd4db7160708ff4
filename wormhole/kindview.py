"""What each kind of object is called, and what about it is worth a reader's line."""

from typing import Final

import msgspec

from applier.plan import Action, Change
from wormhole.fieldview import FieldText, describe_difference, describe_value

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

_SAID_BY_KEY: Final = {
    "guard": {"destination", "metric", "protocol"},
    "link": {"group"},
    "peer": {"device", "publicKey", "node", "active"},
    "address": {"link", "address"},
    "route": {"destination", "metric", "protocol"},
    "firewall": {"table", "name"},
}
"""Fields that a whole object need not say: its key does, or they are the same for all of ours."""

_ASIDE: Final = {"peer": {"node", "active"}}
"""Fields that are there to help, and never a difference."""


def title_of(kind: str) -> str:
    """Return a kind's heading; a kind that is unknown here is its own."""
    return _TITLES.get(kind, kind)


def name_of(change: Change) -> str:
    """Return what a reader calls the object: a peer by its node, all else by its key."""
    if change.kind == "peer":
        for value in (change.after, change.before):
            fields = msgspec.to_builtins(value) or {}
            if fields.get("node"):
                return str(fields["node"])
    return change.key


def fields_of(change: Change) -> tuple[FieldText, ...]:
    """Say what is made, what goes, or what differs."""
    said = _SAID_BY_KEY.get(change.kind, frozenset())
    match change.action:
        case Action.CREATE:
            return describe_value(change.after, leave_out=said)
        case Action.DELETE:
            return describe_value(change.before, leave_out=said)
        case Action.UPDATE | Action.RECREATE:
            aside = _ASIDE.get(change.kind, frozenset())
            return describe_difference(change.before, change.after, leave_out=aside)
        case Action.CONFLICT:
            return ()
