"""Read the two ends of a packet, as people name them: addresses, and where it starts."""

from typing import Final

from review.model.machine import Machine, Scope
from review.model.network import Network
from review.model.numbers import read_address, spell_address
from review.model.packet import Entry, Start
from schemas.problems import Problems
from schemas.state import Value
from schemas.values import NodeName
from schemas.wording import suggest

_PODS: Final = {"pod": None, "pod4": False, "pod6": True}
_OUTSIDE: Final = {False: "198.51.100.1", True: "2001:db8::1"}
"""Documentation prefixes (RFC 5737, RFC 3849): anybody out there."""
_SENDERS: Final = (
    "a pod's address, NODE/pod, NODE (its host network), outside:NODE (comes to it in clear) or"
    " peer:NODE (what that node encrypts)"
)
_RECEIVERS: Final = "an address, NODE/pod, or NODE (the host itself)"


class Ends(Value, frozen=True, kw_only=True):
    """Where a packet comes from, and where it is to go."""

    start: Start
    source: str
    """Empty: the host chooses."""
    destination: str


def read_ends(network: Network, sender: str, receiver: str, source: str = "") -> Ends:
    """Return the ends of a packet; ``source`` is what its sender writes there, forged or not.

    Raises:
        Problems: a name or an address that is none of the network's.

    """
    if source and not _is_address(source):
        raise Problems.one("is no IP address", path="--source", value=source)
    family = _family_of(source) if source else _family_of(receiver)
    if family is None:
        family = _family_of(sender)
    if family is None:
        family = _common_family(network, sender, receiver)
    destination = _read_receiver(network, receiver, ipv6=family)
    start, own = _read_sender(network, sender, destination, ipv6=family)
    source = source or own
    if source and (":" in source) is not (":" in destination):
        rule = f"is not of the same IP family as {destination}"
        raise Problems.one(rule, path="--from", value=source)
    return Ends(start=start, source=source, destination=destination)


def _family_of(text: str) -> bool | None:
    """Return whether a name of an end says IPv6 or IPv4; None when it leaves that open."""
    if (kind := text.partition("/")[2]) in _PODS:
        return _PODS[kind]
    try:
        return read_address(text)[0]
    except ValueError:
        return None


def _common_family(network: Network, *names: str) -> bool:
    """Return the first family of which both nodes have pods."""
    nodes = [name.partition("/")[0].rpartition(":")[2] for name in names]
    machines = [network.machines[node] for node in map(NodeName, nodes) if node in network.machines]
    for ipv6 in (False, True):
        if all(any(each.addresses.ipv6 is ipv6 for each in m.pods.ranges) for m in machines):
            return ipv6
    return False


def _read_receiver(network: Network, text: str, *, ipv6: bool) -> str:
    node, slash, kind = text.partition("/")
    if slash and kind in _PODS:
        return _first_pod(_find_host(network, node, "--to", _RECEIVERS), "--to", ipv6=ipv6)
    if _is_address(text):
        return text
    machine = _find_host(network, text, "--to", _RECEIVERS)
    if machine.reach is not None and machine.reach.ipv6 is ipv6:
        return spell_address(machine.reach.address, ipv6=ipv6)
    for address in machine.addresses:
        if address.place is not None and address.ipv6 is ipv6 and address.scope is Scope.UNICAST:
            return spell_address(address.number, ipv6=ipv6)
    raise Problems.one("has no address of this IP family", path="--to", value=text)


def _read_sender(network: Network, text: str, destination: str, *, ipv6: bool) -> tuple[Start, str]:
    """Return where a packet starts, and the source that its sender would write."""
    prefix, colon, node = text.partition(":")
    if colon and prefix == "outside":
        machine = _find_host(network, node, "--from", _SENDERS)
        return Start(host=machine.name, entry=Entry.OUTSIDE), _OUTSIDE[ipv6]
    if colon and prefix == "peer":
        return _read_peer(network, node, destination, ipv6=ipv6)
    node, slash, kind = text.partition("/")
    if slash and kind in _PODS:
        machine = _find_host(network, node, "--from", _SENDERS)
        pod = _first_pod(machine, "--from", ipv6=ipv6)
        return Start(host=machine.name, entry=Entry.POD), pod
    if _is_address(text):
        owner = _read_owner(network, text)
        if owner is None:
            rule = "is on no host of this state; for a sender outside of it write outside:NODE"
            raise Problems.one(rule, path="--from", value=text)
        return owner, text
    machine = _find_host(network, text, "--from", _SENDERS)
    return Start(host=machine.name, entry=Entry.HOST), ""


def _read_peer(network: Network, node: str, destination: str, *, ipv6: bool) -> tuple[Start, str]:
    """Let a peer speak to the host that has the destination."""
    peer = _find_host(network, node, "--from", _SENDERS)
    owner = _read_owner(network, destination)
    if owner is None:
        rule = "is on no host of this state; a peer speaks to one of its hosts"
        raise Problems.one(rule, path="--to", value=destination)
    start = Start(host=owner.host, entry=Entry.PEER, peer=peer.name)
    return start, _first_pod(peer, "--from", ipv6=ipv6)


def _read_owner(network: Network, text: str) -> Start | None:
    """Return the host that an address is on, as its own or as a pod's."""
    ipv6, number = read_address(text)
    for machine in network.machines.values():
        if number in machine.own[ipv6]:
            return Start(host=machine.name, entry=Entry.HOST)
        for pods in machine.pods.ranges:
            if pods.subnet.ipv6 is ipv6 and pods.subnet.first <= number <= pods.subnet.last:
                return Start(host=machine.name, entry=Entry.POD)
    return None


def _is_address(text: str) -> bool:
    try:
        read_address(text)
    except ValueError:
        return False
    return True


def _first_pod(machine: Machine, path: str, *, ipv6: bool) -> str:
    for pods in machine.pods.ranges:
        if pods.addresses.ipv6 is ipv6:
            return spell_address(pods.addresses.first, ipv6=ipv6)
    family = "IPv6" if ipv6 else "IPv4"
    raise Problems.one(f"has no pods with {family}", path=path, value=machine.name)


def _find_host(network: Network, name: str, path: str, spellings: str) -> Machine:
    machine = network.machines.get(NodeName(name))
    if machine is None:
        meant = suggest(name, network.machines)
        rule = f"no such host{meant}, nor an address as documents spell it: write {spellings}"
        raise Problems.one(rule, path=path, value=name)
    return machine
