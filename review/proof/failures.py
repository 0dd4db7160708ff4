"""List everything of a host that may fail, one thing at a time."""

from collections.abc import Callable, Iterator
from functools import partial

from msgspec.structs import replace

from review.model.machine import Machine
from review.model.rules import Hooked, hang_chains
from review.model.variants import (
    without_chain,
    without_chains,
    without_device,
    without_peer,
    without_route,
)
from schemas.state import Chain, HostState, Position, RouteType, Value
from schemas.values import NodeName


class Failure(Value, frozen=True, kw_only=True):
    """Something that is gone."""

    name: str
    """A clause: ``wormhole-wg0 is gone``."""
    happen: Callable[[Machine], Machine]
    flushes: bool = False
    """Whether it takes our chains."""
    is_route: bool = False
    is_layer: bool = True
    """Whether it takes away what another layer has to make up for."""


def list_failures(host: HostState, peers: tuple[NodeName, ...]) -> Iterator[Failure]:
    """Yield the failures of a host.

    An agent that stopped is none of them: it changes nothing, and nothing of ours needs it.
    """
    for link in (host.wireguard.interface, host.bridge.interface):
        yield Failure(name=f"{link} is gone", happen=partial(without_device, device=link))
    yield Failure(name="our chains are flushed", happen=without_chains, flushes=True)
    for index, route in enumerate(host.routes):
        kind = "unreachable" if route.type is RouteType.UNREACHABLE else f"{route.device}"
        name = f"the route {route.destination} ({kind}) is lost"
        yield Failure(name=name, happen=partial(without_route, index=index), is_route=True)
    for name in sorted({chain.name for chain in (*host.firewall.ipv4, *host.firewall.ipv6)}):
        happen = partial(without_chain, name=name)
        yield Failure(name=f"the chain {name} is flushed", happen=happen, is_layer=False)
    for peer in peers:
        happen = partial(without_peer, peer=peer)
        yield Failure(name=f"peer {peer} is gone", happen=happen, is_layer=False)


def without_late_chains(machine: Machine, host: HostState) -> Machine:
    """Return a host without chains that others may keep packets from: those called last."""
    firewall = host.firewall
    early = (_hang_early(firewall.ipv4, ipv6=False), _hang_early(firewall.ipv6, ipv6=True))
    return replace(machine, chains=early)


def _hang_early(chains: tuple[Chain, ...], *, ipv6: bool) -> Hooked:
    early = (
        replace(chain, hooks=()) if chain.position is Position.LAST else chain for chain in chains
    )
    return hang_chains(tuple(early), ipv6=ipv6)
