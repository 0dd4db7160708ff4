"""Which live links are ours, by their marks; see :mod:`schemas.marks`."""

from typing import Final

from applier.host import Link
from applier.view import View
from applier.wanted import Scope
from schemas.marks import LINK_GROUP

NAME_PREFIX: Final = "wormhole-"
"""Links of our group with such a name are ours even when nobody remembers naming them."""

WIREGUARD_KINDS: Final = frozenset({"wireguard", "tun"})
"""The kernel's device, and the one behind which a userspace process stands."""

_NO_GROUP: Final = 0


def owned_links(view: View, scope: Scope) -> dict[str, Link]:
    """Return the links that Wormhole made, by name, wanted or not."""
    return {link.name: link for link in view.links.values() if is_ours(link, view, scope)}


def is_ours(link: Link, view: View, scope: Scope) -> bool:
    """Whether a link has our marks: its group, and a name that we were given.

    Two have no mark yet, and memory in its place.
    """
    named = link.name in scope.wireguard or link.name in scope.bridges
    if link.group == LINK_GROUP:
        return named or link.name.startswith(NAME_PREFIX)
    return named and (is_unfinished(link, view, scope) or is_unmarked(link, scope))


def is_unfinished(link: Link, view: View, scope: Scope) -> bool:
    """Whether a tun device was being made by us when we were killed.

    wireguard-go makes its device itself, so our group can only be set a moment later. The note
    written before it was started says whose the device is.
    """
    return link.kind == "tun" and view.read_file(scope.paths.starting(link.name)) is not None


def is_unmarked(link: Link, scope: Scope) -> bool:
    """Whether a bridge is one that the CNI plugin made, from our configuration, for want of ours.

    So it does when a pod starts while our bridge is gone. Then the bridge has the name that this
    host converged with, and the group that the kernel gives to links for which nobody names one.
    """
    return link.kind == "bridge" and link.group == _NO_GROUP and link.name in scope.joined_bridges
