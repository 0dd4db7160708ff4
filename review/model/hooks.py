"""A packet at a netfilter hook: what our chains say, and what is said when they are silent."""

from review.model.flight import Connection, Devices, Flight
from review.model.machine import Machine
from review.model.rules import Hit, Listed, find_hit, tables_of
from review.model.sources import select_source
from review.model.story import Fate, Place
from review.model.story import Stage as At
from review.model.surroundings import Surroundings
from schemas.state import Hook, Stage, Verdict

_AT = {Stage.MANGLE: At.MANGLE, Stage.NAT: At.NAT, Stage.FILTER: At.FILTER}


def pass_hook(
    machine: Machine, flight: Flight, hook: Hook, devices: Devices, around: Surroundings
) -> Fate | None:
    """Ask each table at a hook; return how it ended, or None when the packet may go on."""
    for table in tables_of(hook):
        chains = machine.chains[flight.ipv6].get((hook, table), ())
        if table is Stage.NAT:
            # Only the first packet of a connection is shown to nat (``nf_nat_inet_fn``).
            if not flight.known and (fate := _translate(machine, flight, chains, devices)):
                return fate
            continue
        verdict = _ask(machine, flight, chains, devices, table)
        if verdict is None and hook is Hook.FORWARD and table is Stage.FILTER:
            verdict = around.forward_policy
            said = "dropped" if verdict is Verdict.DROP else "accepted"
            decision = f"{said} by the policy of FORWARD: no rule decided"
            flight.trail.append((machine.name, At.FILTER, decision, None))
        if verdict is Verdict.DROP:
            return Fate.DROPPED
    return None


def _ask(
    machine: Machine,
    flight: Flight,
    chains: tuple[Listed, ...],
    devices: Devices,
    table: Stage,
) -> Verdict | None:
    """Return ACCEPT or DROP; None when every chain gave the packet back."""
    for chain in chains:
        for hit in _hits(flight, chain, devices):
            _note(machine, flight, hit, table)
            if hit.verdict is Verdict.RETURN:
                break
            if hit.verdict is Verdict.ACCEPT or hit.verdict is Verdict.DROP:
                return hit.verdict
    return None


def _hits(flight: Flight, chain: Listed, devices: Devices) -> list[Hit]:
    """Return the rules that match, up to the first that ends the chain.

    ``TCPMSS`` answers ``XT_CONTINUE``: whatever comes behind it is asked too. So is
    ``MASQUERADE`` here, where its table is not: iptables refuses it.
    """
    hits, start = [], 0
    while hit := find_hit(
        chain,
        flight.source,
        flight.destination,
        into=devices.into,
        out=devices.out,
        syn=flight.syn,
        start=start,
    ):
        hits.append(hit)
        if hit.verdict not in (Verdict.CLAMP_MSS, Verdict.MASQUERADE):
            break
        start = hit.rule + 1
    return hits


def _translate(
    machine: Machine, flight: Flight, chains: tuple[Listed, ...], devices: Devices
) -> Fate | None:
    """Let nat decide about a new connection; whoever masquerades or accepts has the last word."""
    for chain in chains:
        hit = find_hit(
            chain,
            flight.source,
            flight.destination,
            into=devices.into,
            out=devices.out,
            syn=flight.syn,
        )
        if hit is None:
            continue
        if hit.verdict is Verdict.MASQUERADE and devices.out is not None:
            return _masquerade(machine, flight, hit, devices)
        _note(machine, flight, hit, Stage.NAT)
        if hit.verdict is not Verdict.RETURN:
            break
    return None


def _masquerade(machine: Machine, flight: Flight, hit: Hit, devices: Devices) -> Fate | None:
    """Translate the source to the outgoing device's address.

    ``nf_nat_masquerade_ipv4`` takes the first by ``inet_select_addr``, ``nf_nat_masquerade_ipv6``
    asks source selection; a packet for which there is none is dropped.
    """
    assert devices.out is not None  # noqa: S101 - the caller saw to it
    address = select_source(machine, flight.destination, devices.out, ipv6=flight.ipv6)
    if address is None:
        _note(machine, flight, hit, Stage.NAT, f"dropped: {devices.out} has no address to use")
        return Fate.DROPPED
    _note(machine, flight, hit, Stage.NAT, f"from now on from {flight.spell(address.number)}")
    flight.source = address.number
    return None


def recall(machine: Machine, flight: Flight) -> None:
    """Recognise a reply, and give it back the destination that was translated.

    Before the routing decision: PREROUTING, ``nf_nat_manip_pkt``.
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
    """Remember a connection, as ``nf_conntrack_confirm`` does when its first packet leaves."""
    if not flight.known:
        flight.connections[machine.name] = Connection(source, flight.destination, flight.source)


_SAID = {
    Verdict.RETURN: "goes on",
    Verdict.ACCEPT: "accepted",
    Verdict.DROP: "dropped",
    Verdict.CLAMP_MSS: "MSS clamped",
    Verdict.MASQUERADE: "masqueraded",
}


def _note(machine: Machine, flight: Flight, hit: Hit, table: Stage, said: str = "") -> None:
    family = "ipv6" if flight.ipv6 else "ipv4"
    chain = hit.chain
    said = said or (_SAID[hit.verdict] if table is not Stage.NAT else "not translated")
    place = Place(file=machine.file, path=("firewall", family, chain.position, "rules", hit.rule))
    decision = f"{said}: {chain.comments[hit.rule]} ({chain.name})"
    flight.trail.append((machine.name, _AT[table], decision, place))
