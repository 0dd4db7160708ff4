"""A packet at a netfilter hook: what our chains say, and what is said when they are silent."""

from review.model.flight import Connection, Devices, Flight
from review.model.machine import Machine
from review.model.rules import Listed, Matched
from review.model.sources import select_source
from review.model.story import Fate
from review.model.story import Stage as At
from review.model.surroundings import Surroundings
from schemas.state import Hook, Stage, Verdict
from schemas.values import InterfaceName

_FAMILIES = {False: "ipv4", True: "ipv6"}
_AT = {Stage.MANGLE: At.MANGLE, Stage.NAT: At.NAT, Stage.FILTER: At.FILTER}


def pass_hook(
    machine: Machine, flight: Flight, hook: Hook, devices: Devices, around: Surroundings
) -> Fate | None:
    """Ask each table at a hook; return how it ended, or None when the packet may go on."""
    decided = None
    for table, chains in machine.chains[flight.ipv6].get(hook, ()):
        if table is Stage.NAT:
            # Only the first packet of a connection is shown to nat (``nf_nat_inet_fn``).
            if not flight.known and (fate := _translate(machine, flight, chains, devices)):
                return fate
            continue
        decided = _ask(machine, flight, chains, devices, table)
        if decided is Verdict.DROP:
            return Fate.DROPPED
    if hook is Hook.FORWARD and decided is None:
        return _follow_policy(machine, flight, around)
    return None


def _follow_policy(machine: Machine, flight: Flight, around: Surroundings) -> Fate | None:
    """Do what filter FORWARD does with what no rule decided. Filter is the last table there."""
    dropped = around.forward_policy is Verdict.DROP
    said = "dropped" if dropped else "accepted"
    decision = f"{said} by the policy of FORWARD: no rule of ours decided"
    flight.trail.append((machine.name, At.FILTER, decision, None))
    return Fate.DROPPED if dropped else None


def _ask(
    machine: Machine, flight: Flight, chains: tuple[Listed, ...], devices: Devices, table: Stage
) -> Verdict | None:
    """Return ACCEPT or DROP; None when every chain gave the packet back.

    ``TCPMSS`` answers ``XT_CONTINUE``: the rules behind it are asked too. ``MASQUERADE`` outside of
    nat is passed over: iptables refuses it there.
    """
    source, destination, syn = flight.source, flight.destination, flight.syn
    for chain in chains:
        for rule in chain.ask(*devices):
            first, last, least, most, opens, _, verdict = rule
            if not (first <= source <= last and least <= destination <= most and syn >= opens):
                continue
            if verdict is Verdict.MASQUERADE:
                continue
            _note(machine, flight, chain, rule, table)
            if verdict is Verdict.RETURN:
                break
            if verdict is not Verdict.CLAMP_MSS:
                return verdict
    return None


def _translate(
    machine: Machine, flight: Flight, chains: tuple[Listed, ...], devices: Devices
) -> Fate | None:
    """Let nat decide about a new connection; whoever masquerades or accepts has the last word."""
    for chain in chains:
        rule = _find_match(flight, chain, devices)
        if rule is None:
            continue
        if rule.verdict is Verdict.MASQUERADE and devices.out is not None:
            return _masquerade(machine, flight, (chain, rule), devices.out)
        _note(machine, flight, chain, rule, Stage.NAT)
        if rule.verdict is not Verdict.RETURN:
            break
    return None


def _find_match(flight: Flight, chain: Listed, devices: Devices) -> Matched | None:
    source, destination, syn = flight.source, flight.destination, flight.syn
    for rule in chain.ask(*devices):
        first, last, least, most, opens, _, _ = rule
        if first <= source <= last and least <= destination <= most and syn >= opens:
            return rule
    return None


def _masquerade(
    machine: Machine, flight: Flight, by: tuple[Listed, Matched], out: InterfaceName
) -> Fate | None:
    """Translate the source to the outgoing device's address.

    ``nf_nat_masquerade_ipv4`` takes the first by ``inet_select_addr``, ``nf_nat_masquerade_ipv6``
    asks source selection; a packet for which there is none is dropped.
    """
    to, ipv6 = flight.destination, flight.ipv6
    address = select_source(machine, to, out, ipv6=ipv6, on_link=True)
    if address is None:
        _note(machine, flight, *by, Stage.NAT, f"dropped: {out} has no address to use")
        return Fate.DROPPED
    _note(machine, flight, *by, Stage.NAT, f"from now on from {flight.spell(address.number)}")
    flight.source = address.number
    return None


def recall(machine: Machine, flight: Flight) -> None:
    """Recognise a reply, and give it back the destination that was translated.

    Before the routing decision: at PREROUTING and LOCAL_OUT, ``nf_nat_manip_pkt``.
    """
    connection = flight.memory.get(machine.name)
    flight.known = (
        connection is not None
        and connection.seen_source == flight.destination
        and connection.destination == flight.source
    )
    if connection is not None and flight.known and connection.source != flight.destination:
        flight.destination = connection.source
        decision = f"a reply: back to {flight.spell(connection.source)}, which asked"
        flight.trail.append((machine.name, At.NAT, decision, None))


def remember(machine: Machine, flight: Flight, source: int) -> None:
    """Remember a connection, as ``nf_conntrack_confirm`` does when its first packet leaves.

    What leaves by loopback comes in again, and is known by then.
    """
    if not flight.known:
        seen = Connection(source, flight.destination, flight.source)
        flight.connections.setdefault(machine.name, seen)


_SAID = {
    Verdict.RETURN: "goes on",
    Verdict.ACCEPT: "accepted",
    Verdict.DROP: "dropped",
    Verdict.CLAMP_MSS: "MSS clamped",
    Verdict.MASQUERADE: "masqueraded",
}


def _note(  # noqa: PLR0913, PLR0917 - what one step is made of
    machine: Machine, flight: Flight, chain: Listed, rule: Matched, table: Stage, said: str = ""
) -> None:
    said = said or (_SAID[rule.verdict] if table is not Stage.NAT else "not translated")
    decision = f"{said}: {chain.comment(rule.number)} ({chain.name})"
    path = ("firewall", _FAMILIES[flight.ipv6], chain.position, "rules", rule.number)
    flight.trail.append((machine.name, _AT[table], decision, (machine.file, path)))
