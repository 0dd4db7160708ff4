"""Turn what was seen of a shot, and what the model tells of it, into comparable outcomes."""

import errno
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from lab.cables import ETH
from lab.datagrams import Kind
from lab.draws import is_for_many
from lab.ears import How, Sighting
from lab.shootingrange import OUTSIDE, WG, WIRE_PORT, ShootingRange
from lab.shots import Shot

from review.model.machine import UNKNOWN
from review.model.numbers import spell_address
from review.model.packet import Entry, Packet, Protocol, Start
from review.model.story import Fate, Stage, Story
from schemas.values import NodeName


class End(StrEnum):
    """Everything that a laboratory can tell apart."""

    DELIVERED = "delivered"
    OUT = "out in clear"
    REFUSED = "refused"
    TOO_BIG = "too big"
    SILENT = "silent"
    """Gone on a host, and nobody was told."""
    TUNNEL = "gone in the tunnel"
    """Handed to the tunnel, and never seen on the other side."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a shot ended, where, and what it looked like then."""

    end: End
    host: str
    source: str = ""
    """Where it was seen at its end; else empty."""
    destination: str = ""
    clear: frozenset[str] = frozenset()
    """The hosts that sent it in clear by the underlay, on whatever way."""

    def __str__(self) -> str:
        shown = f", {self.source} > {self.destination}" if self.source else ""
        clear = f" (in clear from {' '.join(sorted(self.clear))})" if self.clear else ""
        return f"{self.end} at {self.host}{shown}{clear}"


_UNKNOWN: Final = {spell_address(UNKNOWN[ipv6], ipv6=ipv6) for ipv6 in (False, True)}
_ERRNOS: Final = {
    errno.EPERM: End.SILENT,
    errno.EHOSTUNREACH: End.REFUSED,
    errno.ENETUNREACH: End.REFUSED,
    errno.EMSGSIZE: End.TOO_BIG,
}
_PORT_UNREACHABLE: Final = {(3, 3), (1, 4)}
"""Said by who has the address (RFC 792, RFC 4443): the packet had arrived."""
_SMALL: Final = 200
"""Bytes that fit everywhere."""
_TOO_BIG: Final = {(3, 4), (2, 0)}


class Trace:
    """The sightings of a shot, or of the answer to one, sorted by what they mean."""

    def __init__(self, flight: Shot, seen: Sequence[Sighting], hosts: ShootingRange) -> None:
        self.shot = flight
        self._hosts = hosts
        self.own = [each for each in seen if each.datagram.kind is flight.kind]
        sender = self._name_sender()
        # A pod's own kernel says itself that it found no neighbour; it passes nothing on.
        self.errors = [
            each
            for each in seen
            if each.datagram.kind is Kind.ERROR
            and flight.kind is Kind.SHOT
            and each.datagram.error not in _PORT_UNREACHABLE
            and (each.how is How.MADE or (each.where, each.how) == (sender, How.LEAVING))
        ]
        start = flight.start
        self.begin = str(start.peer if start.entry is Entry.PEER else start.host)
        self.out = {each.where: each for each in self._seen_at(ETH, How.LEAVING)}
        self.clear = frozenset(self.out)
        self.entered = Counter(each.where for each in self._seen_at(WG, How.LEAVING))
        self.came = Counter(each.where for each in self._seen_at(WG, How.COMING))
        taken = Counter(each.where for each in self._seen_at(ETH, How.COMING))
        if is_for_many(flight.packet.destination):
            taken.clear()  # Everybody on the wire hears it, and it has left all the same.
        elif start.entry is Entry.OUTSIDE:
            taken[self.begin] -= 1
        self.visits = self.came + taken + Counter([self.begin])
        self.arrived_later = {where for where, count in (self.came + taken).items() if count > 0}

    def _name_sender(self) -> str:
        start = self.shot.start
        return f"{start.host}/pod{self.shot.pod}" if start.entry is Entry.POD else ""

    def _own_copies(self) -> set[str]:
        """Return who hears what he himself sends to many (``ip_mc_output`` loops a copy back)."""
        if not is_for_many(self.shot.packet.destination):
            return set()
        host = {self.begin} if self.shot.start.entry is Entry.HOST else set()
        return host | {self._name_sender()}

    def _seen_at(self, device: str, how: How) -> list[Sighting]:
        return [
            each
            for each in self.own
            if each.where in self._hosts.hosts and (each.device, each.how) == (device, how)
        ]

    def judge(self) -> Outcome:
        """Return how it ended."""
        for_many = is_for_many(self.shot.packet.destination)
        if for_many and self.shot.start.entry is Entry.HOST and self.clear:
            return self._disappearance()  # That neighbours hear it is beside the point.
        return self._arrival() or self._refusal() or self._disappearance()

    def _arrival(self) -> Outcome | None:
        # A broadcast reaches the host and pods; pods hear it as it is behind the last hook.
        for each in sorted(self.own, key=lambda each: "/" not in each.where):
            if each.how is How.DELIVERED and each.where not in {OUTSIDE, *self._own_copies()}:
                return self._end(End.DELIVERED, each.where.partition("/")[0], each)
        for each in self.own:
            host, _, pod = each.where.partition("/")
            heard = pod and each.where != self._name_sender() and each.how is How.COMING
            if heard and is_for_many(each.datagram.destination):
                return self._end(End.DELIVERED, host, each)
        for each in self.own:
            if each.how is How.CAUGHT and each.device != WIRE_PORT:
                host = self._hosts.host_of_port(each.device)
                if self._hosts.is_for_pods(host, each.datagram.destination):
                    return self._end(End.DELIVERED, host, each)
                shot = self.shot.kind is Kind.SHOT
                end = End.REFUSED if shot else End.SILENT
                return Outcome(end=end, host=host, clear=self.clear)
        return None

    def _refusal(self) -> Outcome | None:
        for each in self.errors:
            end = End.TOO_BIG if each.datagram.error in _TOO_BIG else End.REFUSED
            return Outcome(end=end, host=each.where.partition("/")[0], clear=self.clear)
        if self.shot.error:
            end = _ERRNOS.get(self.shot.error, End.SILENT)
            return Outcome(end=end, host=self.begin, clear=self.clear)
        return None

    def _disappearance(self) -> Outcome:
        """Tell from where it was last why nobody saw it again."""
        clear = Counter(each.where for each in self._seen_at(ETH, How.LEAVING))
        if stayed := self.visits - self.entered - clear:
            return Outcome(end=End.SILENT, host=min(stayed), clear=self.clear)
        if self.entered.total() > self.came.total():
            later = set(self.entered) & self.arrived_later
            return Outcome(end=End.TUNNEL, host=min(later or self.entered), clear=self.clear)
        host = min(self.clear & self.arrived_later or self.clear)
        return self._end(End.OUT, host, self.out[host])

    def _end(self, end: End, host: str, seen: Sighting) -> Outcome:
        return Outcome(
            end=end,
            host=host,
            source=seen.datagram.source,
            destination=seen.datagram.destination,
            clear=self.clear,
        )


def observe(shot: Shot, seen: Sequence[Sighting], hosts: ShootingRange) -> Outcome:
    """Return how a shot, or an answer, ended in the laboratory."""
    return Trace(shot, seen, hosts).judge()


def answer_of(shot: Shot, story: Story, back: tuple[Packet, Start]) -> Shot | None:
    """Return the answer to a shot as a flight of its own; None where none can be compared.

    Answers over UDP are written by a process of ours, which sets no bit for fragmentation: those
    to small packets only. TCP's have no room for a token. An answer to an address that documents
    do not tell of is an answer to nobody, for the model. An echo reply to a request that its host
    never saw is invalid to conntrack, and not translated; to the model it is like any packet.
    """
    packet, start = back
    comparable = (
        shot.packet.protocol is not Protocol.TCP
        and shot.packet.size <= _SMALL
        and shot.start.entry is not Entry.PEER
        and not is_for_many(shot.packet.destination)
        and not (shot.forged and shot.packet.protocol is Protocol.ICMP)
    )
    unknown = story.arrived.source in _UNKNOWN
    if not comparable or unknown or story.fate is not Fate.DELIVERED:
        return None
    return Shot(token=shot.token, packet=packet, start=start, pod=-1, kind=Kind.ANSWER)


def predict(story: Story, shot: Shot) -> Outcome:
    """Return how the model says that it ends, as far as a laboratory can see."""
    last = story.steps[-1] if story.steps else None
    clear = frozenset(
        step.host
        for step in story.steps
        if step.stage is Stage.DELIVER and step.decision.startswith("leaves by")
    )
    arrived, host = story.arrived, story.host
    if story.fate in {Fate.DELIVERED, Fate.LEFT, Fate.LEAKED}:
        end = End.DELIVERED if story.fate is Fate.DELIVERED else End.OUT
        return Outcome(
            end=end, host=host, source=arrived.source, destination=arrived.destination, clear=clear
        )
    if story.fate is Fate.TOO_BIG:
        return Outcome(end=End.TOO_BIG, host=host, clear=clear)
    if last is not None and last.stage in {Stage.ENCRYPT, Stage.UNDERLAY, Stage.DECRYPT}:
        return Outcome(end=End.TUNNEL, host=_entered(story, shot), clear=clear)
    # Errors about answers quote no shot, so nobody here can tell whose they are.
    told = story.fate is Fate.UNREACHABLE and shot.kind is Kind.SHOT
    return Outcome(end=End.REFUSED if told else End.SILENT, host=host, clear=clear)


def returns_to_liar(story: Story, shot: Shot) -> bool:
    """Whether a lie comes back to who told it, whose device is not as documents say meanwhile."""
    later = [step.host for step in story.steps if step.host != shot.start.host]
    return shot.start.entry is Entry.PEER and shot.start.peer in later + [
        step.decision.partition(":")[0].removeprefix("for ")
        for step in story.steps
        if step.stage is Stage.ENCRYPT
    ]


def _entered(story: Story, shot: Shot) -> NodeName:
    """Return who put it into the tunnel that it did not come out of."""
    entered = [step.host for step in story.steps if step.stage is Stage.ENCRYPT]
    if entered:
        return entered[-1]
    return shot.start.peer if shot.start.peer is not None else shot.start.host


def agree(predicted: Outcome, observed: Outcome, story: Story, hosts: ShootingRange) -> bool:
    """Whether an outcome is what the model says; an unknown underlay address may be the host's."""
    refused = (story.fate, predicted.end, observed.end) == (
        Fate.UNREACHABLE,
        End.TUNNEL,
        End.REFUSED,
    )
    if refused and hosts.tunnel_tells:
        predicted = replace(predicted, end=End.REFUSED)
    if predicted.source in _UNKNOWN:
        passed = {step.host for step in story.steps}
        theirs = {address for name in passed for address in hosts.underlay[name]}
        if observed.source not in theirs:
            return False
        predicted = replace(predicted, source=observed.source)
    for_many = is_for_many(predicted.destination) if predicted.destination else False
    if for_many and ip_address(observed.source).is_link_local:
        # What is translated on its way to neighbours may get an address that is in no document.
        predicted = replace(predicted, source=observed.source)
    return predicted == observed


_LOCAL: Final = {Entry.POD, Entry.HOST}


class Told:
    """Who was told of a refusal in a volley.

    The kernel tells a source five times and then once a second (``ip_error`` in net/ipv4/route.c;
    whoever is outside was told of other meshes before this one),
    and nobody when it finds no way to the source (``icmp_route_lookup``, ``icmp6_send``). A
    neighbour who is missing is told of when a timer ends, perhaps of others first. So only who
    finds no route, on his own host, in his own name and for the first time, has to be told.
    """

    def __init__(self) -> None:
        self._sources: set[tuple[str, str]] = set()

    def may_be_silent(self, shot: Shot, story: Story) -> bool:
        """Whether nobody has to be told of a refusal; asked once for each."""
        key = (story.host, shot.packet.source)
        again = key in self._sources
        self._sources.add(key)
        elsewhere = story.host != shot.start.host or shot.start.entry not in _LOCAL
        if elsewhere or shot.forged:
            return True
        # Of a packet's size the kernel tells without limit.
        return story.fate is not Fate.TOO_BIG and (again or story.steps[-1].stage is Stage.DELIVER)
