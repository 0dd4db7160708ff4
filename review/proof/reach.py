"""Every pod, node and process of a host reaches every pod, through the tunnel, and back.

Walked where hosts let through as little as they do: the policy of FORWARD is to drop, the reverse
path is strict. Rules that accept and looser checks only add to what arrives.
"""

from collections.abc import Iterator
from itertools import product
from typing import Final

from msgspec.structs import replace

from review.model.machine import Machine
from review.model.packet import Entry, Packet, Protocol, Start
from review.model.story import Fate, Stage, Story
from review.proof.blame import blame_loss
from review.proof.claim import Claim, Counterexample
from review.proof.world import World, own_addresses
from schemas.state import Value
from schemas.values import NodeName

_SMALL: Final = 60
"""Bytes of a TCP segment that opens a connection, about."""
_NOTICE: Final = 576
"""The longest ICMP error of IPv4 (RFC 1812, section 4.3.2.3)."""


class Trip(Value, frozen=True, kw_only=True):
    """A packet that is to arrive, and who speaks to whom."""

    packet: Packet
    start: Start
    target: NodeName
    to_pod: bool
    subject: str


def find_losses(world: World) -> Iterator[Counterexample]:
    """Yield a packet for each pair of hosts and each way in which one fails to reach the other."""
    for one, other, pairs in world.list_pairs():
        yield from lose(world, one, other, pairs)
    for each in world.hosts:
        name = each.names[0]
        yield from lose(world, name, name, len(each.names))


def lose(world: World, one: NodeName, other: NodeName, pairs: int) -> Iterator[Counterexample]:
    """Yield what of one host does not reach another; of one host, what is lost inside of it."""
    told = set()
    for trip in list_trips(world, one, other):
        story = world.walk(world.strict, trip.packet, trip.start)
        if story.fate is Fate.TOO_BIG and story.host != one:
            story = _send_smaller(world, trip, story)
        if not (trouble := find_trouble(story, trip)):
            continue
        place, fault = blame_loss(world, story, trip.start, trip.target, trouble)
        if (place, trip.subject) not in told:
            told.add((place, trip.subject))
            yield Counterexample(
                claim=Claim.REACH,
                subject=_qualify(trip.subject, trouble, story),
                story=story,
                place=place,
                fault=fault,
                notes=_tell_sizes(world, trip, story),
                between=(one, other),
                pairs=pairs,
            )


def _qualify(subject: str, trouble: str, story: Story) -> str:
    """Say what is lost, where it is not everything."""
    if trouble == "translated":
        reaches = subject.replace(" do not reach ", " reach ").replace(
            " does not reach ", " reaches "
        )
        return f"{reaches} under another source only"
    if story.fate is Fate.TOO_BIG:
        return f"{subject} with packets of {story.packet.size} bytes"
    return subject


def _tell_sizes(world: World, trip: Trip, story: Story) -> tuple[str, ...]:
    """Say which sizes pass, where the underlay is too narrow for the largest."""
    last = story.steps[-1]
    if story.fate is not Fate.TOO_BIG or last.stage is not Stage.MTU:
        return ()
    fits, fails = 0, story.packet.size
    while fails - fits > 1:
        size = (fits + fails) // 2
        smaller = world.walk(world.strict, replace(trip.packet, size=size), trip.start)
        fits, fails = (fits, size) if find_trouble(smaller, trip) else (size, fails)
    told = (
        "WireGuard passes no ICMP on, so nobody tells the sender: set underlayMTU"
        if story.host == trip.start.host and "ciphertext" in last.decision
        else "the sender is told"
    )
    return (f"packets of up to {fits} bytes pass; of larger ones {told}",)


def _send_smaller(world: World, trip: Trip, story: Story) -> Story:
    """Do as a sender does who is told that his packet is too big for a host further on.

    Hosts may have tunnels of different widths. Then whoever says so has to reach the sender
    (RFC 1191, RFC 8201), and a packet of the size that was told has to arrive.
    """
    teller = world.strict.machines[story.host]
    for address in own_addresses(teller, teller.tunnel, ipv6=":" in trip.packet.source)[:1]:
        notice = Packet(source=address, destination=trip.packet.source, size=_NOTICE)
        told = world.walk(world.strict, notice, Start(host=story.host, entry=Entry.HOST))
        if told.fate is not Fate.DELIVERED:
            return told
    smallest = min(each.mtu for each in teller.links.values())
    packet = replace(trip.packet, size=min(smallest, trip.packet.size))
    return world.walk(world.strict, packet, trip.start)


def list_trips(world: World, one: NodeName, other: NodeName) -> Iterator[Trip]:
    """Yield what has to arrive: from pods and the host itself to pods, and pods' answers."""
    here, there = world.strict.machines[one], world.strict.machines[other]
    for ipv6 in world.families:
        pods = product(world.pods_of(here, ipv6=ipv6), world.pods_of(there, ipv6=ipv6))
        for source, target in pods:
            subject = _say_subject(f"pods of {one}", "do not", one, other)
            for packet in _packets(source, target, here.pods.mtu):
                yield _trip(packet, one, Entry.POD, other, subject)
        # Inside of a host it speaks as the bridge: so source selection has it.
        own = world.overlay_addresses(here, here.bridge if one == other else "", ipv6=ipv6)
        for source, target in product(own, world.pods_of(there, ipv6=ipv6)):
            subject = _say_subject(f"{one} itself", "does not", one, other)
            for packet in _packets(source, target, _mtu_of(here)):
                yield _trip(packet, one, Entry.HOST, other, subject)
            subject = f"pods of {other} do not reach {one} itself"
            for packet in _packets(target, source, there.pods.mtu):
                yield _trip(packet, other, Entry.POD, one, subject, to_pod=False)


def _say_subject(who: str, does_not: str, one: NodeName, other: NodeName) -> str:
    if one != other:
        return f"{who} {does_not} reach pods of {other}"
    return f"{who} {does_not} reach {'each other' if who.startswith('pods') else 'its own pods'}"


def find_trouble(story: Story, trip: Trip) -> str:
    """Say what went wrong with a packet; empty when nothing did."""
    if story.fate is not Fate.DELIVERED:
        return story.fate
    if story.host != trip.target:
        return "elsewhere"
    if story.arrived.source != story.packet.source:
        return "translated"
    if trip.to_pod is not _reached_pod(story):
        return "not the pod"
    if trip.start.host != trip.target and not any(
        step.stage is Stage.ENCRYPT for step in story.steps
    ):
        return "in clear"
    return ""


def _reached_pod(story: Story) -> bool:
    by = story.steps[-1].by
    return by is not None and by.path[:1] == ("cni",)


def _mtu_of(machine: Machine) -> int:
    link = machine.links.get(machine.tunnel)
    return link.mtu if link else _SMALL


def _packets(source: str, target: str, mtu: int) -> tuple[Packet, ...]:
    """Return the first packet of a connection, and the largest that may be sent."""
    opening = Packet(
        source=source, destination=target, protocol=Protocol.TCP, tcp_syn=True, size=_SMALL
    )
    return opening, Packet(source=source, destination=target, size=mtu, dont_fragment=True)


def _trip(  # noqa: PLR0913 - what a trip is made of
    packet: Packet,
    sender: NodeName,
    entry: Entry,
    target: NodeName,
    subject: str,
    *,
    to_pod: bool = True,
) -> Trip:
    return Trip(
        packet=packet,
        start=Start(host=sender, entry=entry),
        target=target,
        to_pod=to_pod,
        subject=subject,
    )
