"""Choose who tells of each cause: adding a cause adds a line here."""

from collections.abc import Callable, Mapping
from typing import Final

from review.changes import tellhosts, tellnodes
from review.changes.evidence import fold
from review.changes.impact import worst
from review.changes.review import Cause, Entry
from review.changes.tellnodes import Sentences
from review.changes.topic import Topic

_TELL: Final[Mapping[Cause, Callable[[Topic], Sentences]]] = {
    Cause.JOIN: tellnodes.tell_join,
    Cause.LEAVE: tellnodes.tell_leave,
    Cause.RENAME: tellnodes.tell_rename,
    Cause.KEY: tellnodes.tell_key,
    Cause.ENDPOINT: tellnodes.tell_endpoint,
    Cause.PREFIX_MOVE: tellnodes.tell_prefix_move,
    Cause.POD_CIDRS: tellnodes.tell_pod_cidrs,
    Cause.OVERLAY: tellhosts.tell_overlay,
    Cause.EPOCH: tellhosts.tell_epoch,
    Cause.MTU: tellhosts.tell_mtu,
    Cause.LISTEN_PORT: tellhosts.tell_listen_port,
    Cause.KEEPALIVE: tellhosts.tell_keepalive,
    Cause.INTERFACE: tellhosts.tell_interface,
    Cause.BRIDGE: tellhosts.tell_bridge,
    Cause.MASQUERADE: tellhosts.tell_masquerade,
    Cause.EXCEPTIONS: tellhosts.tell_exceptions,
    Cause.IPTABLES: tellhosts.tell_iptables,
    Cause.CNI: tellhosts.tell_cni,
    Cause.SYSCTL: tellhosts.tell_sysctl,
    Cause.MESH: tellhosts.tell_mesh,
    Cause.FIREWALL: tellhosts.tell_firewall,
    Cause.OTHER: tellhosts.tell_other,
}

_DETAIL: Final[Mapping[Cause, Callable[[Topic], tuple[str, ...]]]] = {
    Cause.JOIN: tellnodes.list_nodes,
    Cause.LEAVE: tellnodes.list_nodes,
    Cause.RENAME: tellnodes.list_nodes,
    Cause.ENDPOINT: tellnodes.list_nodes,
    Cause.PREFIX_MOVE: tellnodes.list_nodes,
    Cause.POD_CIDRS: tellnodes.list_nodes,
    Cause.FIREWALL: tellhosts.list_rules,
}


def tell(topic: Topic) -> Entry:
    """Return the entry of a topic."""
    cause = topic.reason.cause
    title, effect = _TELL[cause](topic)
    detail = _DETAIL.get(cause)
    return Entry(
        cause=cause,
        subjects=topic.subjects,
        title=title,
        effect=effect,
        impact=worst(topic.hosts.values()),
        hosts=dict(topic.hosts),
        details=detail(topic) if detail else (),
        differences=fold(topic.frame, topic.deltas),
    )
