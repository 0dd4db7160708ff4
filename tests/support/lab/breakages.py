"""What can happen to a host that no document tells of, done by hand and told to the model."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from lab.shootingrange import BR, WG, ShootingRange

from review.model.machine import Machine
from review.model.network import Network, replace_machines
from review.model.variants import (
    with_device_down,
    without_chains,
    without_device,
    without_peer,
    without_route,
)
from schemas.resolve import resolve
from schemas.state import Documents, IptablesVariant
from schemas.values import NodeName


@dataclass(frozen=True, kw_only=True)
class Breakage:
    """A script for the host, and what it is to the model."""

    name: str
    script: str
    variant: Callable[[Machine], Machine]


def break_something(
    rng: Random, hosts: ShootingRange, documents: Documents, network: Network
) -> tuple[str, Network]:
    """Break one thing on one host; return what, and the network with it."""
    name = rng.choice(list(documents.hosts))
    breakage = rng.choice(
        [*_FIXED, _lose_peer(rng, documents, name), _lose_route(rng, documents, name)]
    )
    hosts.hosts[name].sh(breakage.script)
    machine = breakage.variant(network.machines[name])
    return f"{breakage.name} on {name}", replace_machines(network, [machine])


_FLUSH: Final = "\n".join(
    f"{family}-{variant.value}-save 2>/dev/null | awk -v t={family}-{variant.value}"
    ' \'/^\\*/ {table=substr($1,2)} /^:WORMHOLE/ {print t, "-t", table, "-F", substr($1,2)}\' | sh'
    for family in ("iptables", "ip6tables")
    for variant in (IptablesVariant.NFT, IptablesVariant.LEGACY)
)

_FIXED: Final = (
    Breakage(
        name="tunnel deleted",
        script=f"ip link delete {WG}",
        variant=lambda machine: without_device(machine, machine.tunnel),
    ),
    Breakage(
        name="tunnel down",
        script=f"ip link set {WG} down",
        variant=lambda machine: with_device_down(machine, machine.tunnel),
    ),
    Breakage(
        name="bridge deleted",
        script=f"ip link delete {BR}",
        variant=lambda machine: without_device(machine, machine.bridge),
    ),
    Breakage(
        name="bridge down",
        script=f"ip link set {BR} down",
        variant=lambda machine: with_device_down(machine, machine.bridge),
    ),
    Breakage(name="chains flushed", script=_FLUSH, variant=without_chains),
)


def _lose_peer(rng: Random, documents: Documents, name: NodeName) -> Breakage:
    peers = resolve(documents.mesh, documents.hosts[name]).peers
    other = rng.choice(sorted(peers))
    return Breakage(
        name=f"peer {other} removed",
        script=f"wg set {WG} peer {peers[other].public_key} remove",
        variant=lambda machine: without_peer(machine, other),
    )


def _lose_route(rng: Random, documents: Documents, name: NodeName) -> Breakage:
    index, route = rng.choice([*enumerate(documents.hosts[name].routes)])
    family = "-6" if ":" in route.destination else "-4"
    kind = "unreachable " if route.device is None else ""
    return Breakage(
        name=f"route {route.destination} metric {route.metric} removed",
        script=f"ip {family} route delete {kind}{route.destination} metric {route.metric}",
        variant=lambda machine: without_route(machine, index),
    )
