"""Changes that hosts share to sentences: overlay, keys' epoch, MTU, ports, names, firewall."""

from typing import Final

from review.changes.reason import tell_several
from review.changes.tellnodes import Sentences
from review.changes.topic import Topic
from review.changes.wording import (
    count,
    each,
    list_all,
    list_some,
    name_few,
    shorten,
    spell_value,
    verb,
)
from schemas.state import MeshState
from schemas.values import is_ipv6

_SHOWN: Final = 3
_SHOWN_RULES: Final = 2
_OFF: Final = "off"
_WITH_MTU: Final = {"wireguard": "the device", "bridge": "the bridge", "cni": "the CNI file"}
_FAMILIES: Final = {"ipv4": "IPv4", "ipv6": "IPv6"}


def tell_overlay(topic: Topic) -> Sentences:
    """Tell of prefixes that the overlay gains or loses."""
    lost, gained = tell_several(topic.reason.before), tell_several(topic.reason.after)
    if lost and gained:
        change = f"changes from {list_some(lost, _SHOWN)} to {list_some(gained, _SHOWN)}"
    else:
        change = f"{'shrinks' if lost else 'grows'} by {list_some(lost or gained, _SHOWN)}"
    return f"overlay {change}{topic.where}", _gain_and_lose(topic)


def tell_epoch(topic: Topic) -> Sentences:
    """Tell of another epoch of pre-shared keys."""
    was, now = topic.reason.before, topic.reason.after
    if now is None:
        title = f"pre-shared keys end{topic.where}"
        return title, f"{topic.say_there('take')} them off every peer, in place"
    if was is None:
        title = f"pre-shared keys begin with epoch {now}{topic.where}"
        return title, f"{topic.say_there('derive')} a key for every peer, in place"
    title = f"pre-shared keys rotate from epoch {was} to {now}{topic.where}"
    return title, f"{topic.say_there('derive')} a new key for every peer, in place"


def tell_mtu(topic: Topic) -> Sentences:
    """Tell of another MTU."""
    was, now = topic.reason.before, topic.reason.after
    falls = int(str(now)) < int(str(was))
    title = f"tunnel MTU {'falls' if falls else 'rises'} from {was} to {now}{topic.where}"
    touched = {str(delta.path[0]) for delta in topic.deltas}
    what = [name for part, name in _WITH_MTU.items() if part in touched]
    change = f"change {list_all(what)} in place"
    who = topic.say_there(change, change.replace("change", "changes", 1))
    return title, f"{_why_mtu(topic)}{who}; running pods keep theirs"


def _why_mtu(topic: Topic) -> str:
    """Say which endpoints are the reason: IPv6 has longer headers, and every path must fit."""
    old, new = (_over_ipv6(side) for side in (topic.frame.old.mesh, topic.frame.new.mesh))
    if new and not old:
        return f"{name_few(new, 'node')} {verb(len(new), 'are', 'is')} reached over IPv6 now; "
    return "no node is reached over IPv6 any more; " if old and not new else ""


def _over_ipv6(mesh: MeshState) -> list[str]:
    return sorted(
        name
        for peers in mesh.peer_groups.values()
        for name, peer in peers.items()
        if peer.endpoint and is_ipv6(peer.endpoint)
    )


def tell_listen_port(topic: Topic) -> Sentences:
    """Tell of another UDP port."""
    names = [topic.frame.files[d.file] for d in topic.deltas if d.path[-1:] == ("listenPort",)]
    everybody = len(names) == len(topic.frame.staying) > 1
    where = "" if everybody else f" on {name_few(names, 'host')}"
    title = f"listen port changes from {topic.reason.before} to {topic.reason.after}{where}"
    who = (
        "each host speaks"
        if everybody
        else f"{name_few(names, 'host')} {verb(len(names), 'speak')}"
    )
    return title, f"peers that know the old one hear nothing until {who} first"


def tell_keepalive(topic: Topic) -> Sentences:
    """Tell of more, fewer or no keepalives."""
    was, now = (_seconds(told) for told in (topic.reason.before, topic.reason.after))
    title = f"keepalive changes from {was} to {now}{topic.where}"
    every = f"one to every peer each {now}" if now != _OFF else "none"
    return title, f"{topic.say_there('send')} {every}, no session is lost"


def tell_interface(topic: Topic) -> Sentences:
    """Tell of a WireGuard device that has another name."""
    title = f"WireGuard device {topic.reason.before} becomes {topic.reason.after}{topic.where}"
    return title, f"{topic.say_there('delete')} the old one, and all sessions with it"


def tell_bridge(topic: Topic) -> Sentences:
    """Tell of a bridge that has another name."""
    title = f"bridge {topic.reason.before} becomes {topic.reason.after}{topic.where}"
    return (
        title,
        f"{topic.say_there('delete')} the old one: pods plugged into it lose their network",
    )


def tell_masquerade(topic: Topic) -> Sentences:
    """Tell of pods that leave the overlay in another way."""
    on = topic.reason.after == "on"
    outside = "the address of their host" if on else "their own addresses"
    title = f"masquerading is switched {topic.reason.after}{topic.where}"
    return title, f"{_gain_and_lose(topic)}; pods leave with {outside}"


def tell_exceptions(topic: Topic) -> Sentences:
    """Tell of destinations that see, or no longer see, pods' own addresses."""
    lost, gained = tell_several(topic.reason.before), tell_several(topic.reason.after)
    changes = [
        f"grow by {list_some(gained, _SHOWN)}" if gained else "",
        f"shrink by {list_some(lost, _SHOWN)}" if lost else "",
    ]
    title = f"masquerade exceptions {' and '.join(filter(None, changes))}{topic.where}"
    return title, f"{_gain_and_lose(topic)}; {_who_sees(lost, gained)}"


def _who_sees(lost: tuple[str, ...], gained: tuple[str, ...]) -> str:
    if lost and gained:
        return "pods reach others with their own addresses"
    return f"pods {'' if gained else 'no longer '}reach it with their own addresses"


def tell_iptables(topic: Topic) -> Sentences:
    """Tell of another variant of iptables."""
    title = f"iptables variant changes from {topic.reason.before} to {topic.reason.after}"
    return f"{title}{topic.where}", "rules go to the new one, and from the old one if it differs"


def tell_cni(topic: Topic) -> Sentences:
    """Tell of another name or version of the CNI configuration."""
    was, now = topic.reason.before, topic.reason.after
    if topic.reason.subject == "file":
        title = f"CNI file {was} becomes {now}{topic.where}"
        return title, f"{topic.say_there('rename')} it in place; running pods notice nothing"
    title = f"CNI version changes from {was} to {now}{topic.where}"
    return title, f"{topic.say_there('write')} the file anew; running pods notice nothing"


def tell_sysctl(topic: Topic) -> Sentences:
    """Tell of other kernel parameters."""
    if len(topic.reasons) > 1:
        title = f"{count(len(topic.reasons), 'kernel parameter')} change{topic.where}"
        return title, f"{topic.say_there('set')} other values"
    key, was, now = topic.reason.subject, topic.reason.before, topic.reason.after
    if now is None:
        return (
            f"{key} is no longer set{topic.where}",
            f"{topic.say_there('put')} back what was there before",
        )
    change = f"changes from {was} to {now}" if was is not None else f"is set to {now}"
    return f"{key} {change}{topic.where}", f"{topic.say_there('write')} it"


def tell_mesh(topic: Topic) -> Sentences:
    """Tell of a mesh that has another name."""
    title = f"mesh {topic.reason.before} is renamed {topic.reason.after}"
    macs = any(delta.path == ("bridge", "mac") for delta in topic.deltas)
    effect = "every bridge has another MAC address, which pods relearn" if macs else "nothing else"
    return title, effect


def tell_firewall(topic: Topic) -> Sentences:
    """Tell of rules that no other change explains."""
    family, _, chain = topic.reason.subject.partition(" ")
    before, after = topic.reason.before, topic.reason.after
    if not chain:
        title = f"{_FAMILIES[family]} chains are called in another order{topic.where}"
        return title, f"{topic.say_there('load')} them anew"
    name = f"{_FAMILIES[family]} chain {chain}"
    if before is None or after is None:
        what = "is new" if before is None else "is gone"
        return f"{name} {what}{topic.where}", _gain_and_lose(topic)
    lost, gained = tell_several(before), tell_several(after)
    if not lost and not gained:
        title = f"{name} has its rules in another order"
        return f"{title}{topic.where}", f"{topic.say_there('load')} it anew"
    said = [f"gains '{rule}'" for rule in gained] + [f"loses '{rule}'" for rule in lost]
    title = f"{name} changes by {count(len(said), 'rule')}{topic.where}"
    return title, f"no other change explains it: it {list_some(said, _SHOWN_RULES)}"


def tell_other(topic: Topic) -> Sentences:
    """Tell of what no rule knows, as it stands there."""
    if not topic.deltas[0].path:
        came = topic.deltas[0].comes
        effect = "its peers had it before" if came else "its peers keep it"
        return f"{topic.reason.subject} is {'new' if came else 'gone'}", effect
    was, now = topic.reason.before, topic.reason.after
    path = topic.reason.subject or "the document"
    before, after = (
        "nothing" if told is None else shorten(spell_value(told)) for told in (was, now)
    )
    return f"{path} changes{topic.where}", f"{before} -> {after}"


def list_rules(topic: Topic) -> tuple[str, ...]:
    """Return each rule that a chain gains or loses."""
    lost, gained = tell_several(topic.reason.before), tell_several(topic.reason.after)
    return (*(f"+ {rule}" for rule in gained), *(f"- {rule}" for rule in lost))


def _gain_and_lose(topic: Topic) -> str:
    """Say how many routes and rules each host gains and loses."""
    parts = []
    one = len(topic.hosts) == 1
    for gone, plural in ((False, "gain"), (True, "lose")):
        numbers = (topic.count_routes(gone=gone), "route"), (topic.count_rules(gone=gone), "rule")
        told = [each(found, noun) for found, noun in numbers if found]
        if told:
            parts.append(f"{plural}s {list_all(told)}" if one else f"{plural} {list_all(told)}")
    who = ("it" if one else "they") if topic.where else topic.many_hosts
    return f"{who} {' and '.join(parts) or verb(len(topic.hosts), 'change')}"


def _seconds(told: object) -> str:
    return _OFF if told in {None, "0"} else f"{told} s"
