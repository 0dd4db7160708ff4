"""Turn what was seen of a shot, and what the model tells of it, into outcomes that can be compared."""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Final

from lab.datagrams import Kind
from lab.ears import How, Sighting
from lab.shootingrange import ETH, WG, ShootingRange
from lab.shots import Shot
from review.model.machine import UNKNOWN
from review.model.numbers import spell_address
from review.model.packet import Entry
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

    def __str__(self) -> str:
        shown = f", {self.source} > {self.destination}" if self.source else ""
        return f"{self.end} at {self.host}{shown}"


_UNKNOWN: Final = {spell_address(UNKNOWN[ipv6], ipv6=ipv6) for ipv6 in (False, True)}
_ERRNOS: Final = {
    errno.EPERM: End.SILENT,
    errno.EHOSTUNREACH: End.REFUSED,
    errno.ENETUNREACH: End.REFUSED,
    errno.EMSGSIZE: End.TOO_BIG,
}
_PORT_UNREACHABLE: Final = {(3, 3), (1, 4)}
"""Said by who has the address (RFC 792, RFC 4443): the packet had arrived."""
_TOO_BIG: Final = {(3, 4), (2, 0)}


def observe(shot: Shot, seen: Sequence[Sighting], hosts: ShootingRange) -> Outcome:
    """Return how a shot ended in the laboratory."""
    own = [each for each in seen if each.datagram.kind is Kind.SHOT]
    if out := _first_out(shot, own, hosts):
        return _outcome(End.OUT, out.where, out)
    for each in own:
        if each.how is How.DELIVERED and each.where != "outside":
            return _outcome(End.DELIVERED, each.where.partition("/")[0], each)
        if each.how is How.CAUGHT and each.device != "wire":
            host = hosts.host_of_port(each.device)
            end = End.DELIVERED if hosts.is_for_pods(host, each.datagram.destination) else End.REFUSED
            return _outcome(end, host, each) if end is End.DELIVERED else Outcome(end=end, host=host)
    last = _last_host(shot, own, hosts)
    for each in seen:
        if each.how is How.MADE and each.datagram.error not in _PORT_UNREACHABLE:
            end = End.TOO_BIG if each.datagram.error in _TOO_BIG else End.REFUSED
            return Outcome(end=end, host=each.where)
    if shot.error:
        return Outcome(end=_ERRNOS.get(shot.error, End.SILENT), host=shot.start.host)
    entered = [each.where for each in own if (each.device, each.how) == (WG, How.LEAVING)]
    left = [each.where for each in own if (each.device, each.how) == (WG, How.COMING)]
    if len(entered) > len(left):
        return Outcome(end=End.TUNNEL, host=last)
    return Outcome(end=End.SILENT, host=last)


def _outcome(end: End, host: str, seen: Sighting) -> Outcome:
    datagram = seen.datagram
    return Outcome(end=end, host=host, source=datagram.source, destination=datagram.destination)


def _first_out(shot: Shot, own: Iterable[Sighting], hosts: ShootingRange) -> Sighting | None:
    """Return where it first left a host in clear: others may have passed it on."""
    passed_on = {
        each.where
        for each in own
        if (each.device, each.how) == (ETH, How.COMING)
        and not (shot.start.entry is Entry.OUTSIDE and each.where == shot.start.host)
    }
    for each in own:
        if each.where in hosts.hosts and (each.device, each.how) == (ETH, How.LEAVING):
            if each.where not in passed_on:
                return each
    return None


def _last_host(shot: Shot, own: Iterable[Sighting], hosts: ShootingRange) -> str:
    """Return where it was last: a packet goes from host to host by the tunnel."""
    first = shot.start.peer if shot.start.entry is Entry.PEER else shot.start.host
    came = {each.where for each in own if (each.device, each.how) == (WG, How.COMING)}
    went = {each.where for each in own if (each.device, each.how) == (WG, How.LEAVING)}
    ends = came - went
    if ends:
        return sorted(ends)[0]
    onward = went & came
    return sorted(onward)[0] if onward else str(first)


def predict(story: Story, shot: Shot) -> Outcome:
    """Return how the model says that it ends, as far as a laboratory can see."""
    last = story.steps[-1] if story.steps else None
    host = story.host
    match story.fate:
        case Fate.DELIVERED:
            return _arrived(End.DELIVERED, story)
        case Fate.LEFT | Fate.LEAKED:
            return _arrived(End.OUT, story)
        case Fate.TOO_BIG:
            return Outcome(end=End.TOO_BIG, host=host)
        case Fate.UNREACHABLE | Fate.DROPPED | Fate.LOST:
            if last is not None and last.stage in {Stage.ENCRYPT, Stage.UNDERLAY, Stage.DECRYPT}:
                return Outcome(end=End.TUNNEL, host=_entered(story, shot))
            end = End.REFUSED if story.fate is Fate.UNREACHABLE else End.SILENT
            return Outcome(end=end, host=host)


def _entered(story: Story, shot: Shot) -> NodeName:
    """Return who put it into the tunnel that it did not come out of."""
    entered = [step.host for step in story.steps if step.stage is Stage.ENCRYPT]
    if entered:
        return entered[-1]
    return shot.start.peer if shot.start.peer is not None else shot.start.host


def _arrived(end: End, story: Story) -> Outcome:
    arrived = story.arrived
    return Outcome(
        end=end, host=story.host, source=arrived.source, destination=arrived.destination
    )


def agree(predicted: Outcome, observed: Outcome, story: Story, hosts: ShootingRange) -> bool:
    """Whether an outcome is what the model says; an unknown underlay address may be the host's."""
    if predicted.source in _UNKNOWN:
        passed = {step.host for step in story.steps}
        theirs = {address for name in passed for address in hosts.underlay[name]}
        if observed.source not in theirs:
            return False
        predicted = Outcome(
            end=predicted.end,
            host=predicted.host,
            source=observed.source,
            destination=predicted.destination,
        )
    return predicted == observed


def is_inside(address: str, prefixes: Iterable[str]) -> bool:
    """Whether an address is in one of some prefixes."""
    number = ip_address(address)
    return any(number in ip_network(prefix) for prefix in prefixes)
