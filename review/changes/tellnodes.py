"""Changes of nodes to sentences: who joins, leaves, moves, has another key or other pod CIDRs."""

from typing import Final

from review.changes.reason import Reason, Told, tell_several
from review.changes.topic import Topic
from review.changes.wording import (
    a_or_count,
    count,
    each,
    list_all,
    list_some,
    name_few,
    verb,
)
from schemas.state import Peer
from schemas.values import NodeName

Sentences = tuple[str, str]
"""What happens, and what follows from it."""

_SHOWN: Final = 3


def tell_join(topic: Topic) -> Sentences:
    """Tell of nodes that join."""
    many = len(topic.subjects)
    return _title(topic, "join"), f"{topic.say('gain')} {a_or_count(many, 'peer')}"


def tell_leave(topic: Topic) -> Sentences:
    """Tell of nodes that leave."""
    many = len(topic.subjects)
    return _title(topic, "leave"), f"{topic.say('lose')} {a_or_count(many, 'peer')}"


def tell_rename(topic: Topic) -> Sentences:
    """Tell of nodes that have another name and the same key."""
    one = len(topic.reasons) == 1
    title = f"{topic.reason.before} is renamed {topic.reason.subject}" if one else ""
    bridges = "its bridge has" if one else "their bridges have"
    effect = f"same key, no session is lost; {bridges} another MAC address, which pods relearn"
    return title or f"{count(len(topic.reasons), 'node')} are renamed", effect


def tell_key(topic: Topic) -> Sentences:
    """Tell of nodes that have another key."""
    many = len(topic.subjects)
    keys = "its key" if many == 1 else "their keys"
    sessions = f"each session with {'it' if many == 1 else 'them'} starts anew"
    peers = "a peer" if many == 1 else f"up to {count(many, 'peer')}"
    return f"{_title(topic, 'change')} {keys}", f"{topic.say_others('replace')} {peers}, {sessions}"


def tell_endpoint(topic: Topic) -> Sentences:
    """Tell of nodes that move, gain an endpoint or lose it."""
    if len(topic.reasons) > 1:
        many = count(len(topic.reasons), "endpoint")
        return _title(topic, "move"), f"{topic.say('change')} up to {many}, no session is lost"
    name, was, now = topic.reason.subject, topic.reason.before, topic.reason.after
    if now is None:
        title = f"{name} loses its endpoint"
        return (
            title,
            f"{topic.say('keep')} the session, and cannot begin one: {name} must speak first",
        )
    if was is None:
        return f"{name} gains endpoint {now}", f"{topic.say('can speak', 'can speak')} to it first"
    return f"{name} moves to {now}", f"{topic.say('change')} one endpoint, no session is lost"


def tell_prefix_move(topic: Topic) -> Sentences:
    """Tell of pod CIDRs that go from one node to another."""
    if len(topic.reasons) > 1:
        title = f"{count(len(topic.reasons), 'pod CIDR')} move between nodes"
        return title, f"{topic.say('route')} them to other peers; {_pods_lose()}"
    prefix, was, now = topic.reason.subject, topic.reason.before, topic.reason.after
    effect = f"{topic.say('change')} where it leads; {_pods_lose(f' of {was}')}"
    return f"{prefix} moves from {was} to {now}", effect


def tell_pod_cidrs(topic: Topic) -> Sentences:
    """Tell of nodes that have other pod CIDRs."""
    losing = [reason for reason in topic.reasons if reason.before]
    lose = f"; {_pods_lose()}" if losing else ""
    if len(topic.reasons) > 1:
        effect = f"{topic.say('change')} allowed IPs, or addresses and rules of their own{lose}"
        return f"{count(len(topic.reasons), 'node')} have other pod CIDRs", effect
    own = [
        f"gains {each(gained, 'rule')}" if (gained := topic.count_rules(gone=False)) else "",
        f"loses {each(lost, 'rule')}" if (lost := topic.count_rules(gone=True)) else "",
    ]
    itself = f"{topic.reason.subject} {' and '.join(filter(None, own))}" if any(own) else ""
    peers = f"{topic.say_others('change')} one peer's allowed IPs"
    return _spell_growth(topic.reason), ", ".join(filter(None, (peers, itself))) + lose


def list_nodes(topic: Topic) -> tuple[str, ...]:
    """Return a line for each of the nodes, with what it has and had."""
    return tuple(_describe(topic, reason) for reason in topic.reasons)


def _describe(topic: Topic, reason: Reason) -> str:
    frame, name = topic.frame, NodeName(reason.subject)
    peers = [
        peers[name]
        for side in (frame.new.mesh, frame.old.mesh)
        for peers in side.peer_groups.values()
        if name in peers
    ]
    if reason.before is None and reason.after is None:
        return f"{name}: {_spell_peer(peers[0])}" if peers else name
    before, after = _spell_values(reason.before), _spell_values(reason.after)
    return f"{name}: {before} -> {after}"


def _spell_peer(peer: Peer) -> str:
    where = f"at {peer.endpoint}" if peer.endpoint else "without an endpoint"
    return f"{list_all(peer.allowed_ips) if peer.allowed_ips else 'no pod CIDR'}, {where}"


def _spell_values(told: Told) -> str:
    if told is None or told == ():
        return "none"
    return told if isinstance(told, str) else list_all(told)


def _spell_growth(reason: Reason) -> str:
    lost, gained = tell_several(reason.before), tell_several(reason.after)
    who = f"pod CIDRs of {reason.subject}"
    if lost and gained:
        return f"{who} change from {list_some(lost, _SHOWN)} to {list_some(gained, _SHOWN)}"
    return f"{who} {'shrink' if lost else 'grow'} by {list_some(lost or gained, _SHOWN)}"


def _pods_lose(whose: str = "") -> str:
    return f"pods{whose} with its addresses lose their network"


def _title(topic: Topic, what: str) -> str:
    names = topic.subjects
    return f"{name_few(names, 'node')} {verb(len(names), what)}"
