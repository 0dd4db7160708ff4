"""Two desired states of one host to every state that an apply passes through between them.

The plan is the applier's own: :func:`applier.diff.diff` decides what changes, in which order, and
what is loaded in one transaction here is one step there.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from msgspec.structs import replace

from applier.diff import State, diff
from applier.kinds import KINDS
from applier.paths import Paths
from applier.plan import Action, Change, Observed
from applier.wanted import scope_of, want
from renderers.iptables import parts_of, write
from review.proof.moment import Moment
from schemas.state import (
    Chain,
    Hook,
    HostState,
    IptablesVariant,
    ResolvedHost,
    Route,
    RouteType,
    WireGuard,
)
from schemas.values import InterfaceName

_VARIANT: Final = IptablesVariant.NFT
"""Which one a host has is not in its document; both take the same steps."""

_TOOLS: Final = {False: f"iptables-{_VARIANT}", True: f"ip6tables-{_VARIANT}"}


def list_moments(old: ResolvedHost | None, new: ResolvedHost | None) -> Iterator[Moment]:
    """Yield the states of a host between two desired states, both ends included.

    None is a host without Wormhole: one that joins, or one that is cleaned after it left.
    """
    start, end = _desire(old, None), _desire(new, old)
    observed = {kind: Observed(owned=owned) for kind, owned in start.items()}
    changes = tuple(c for c in diff(end, observed, start) if c.action is not Action.CONFLICT)
    steps = list(_list_steps(changes))
    state = {kind: dict(objects) for kind, objects in start.items()}
    for number in range(len(steps) + 1):
        after = _name_step(steps[number - 1]) if number else ""
        yield from _spell_moments(state, old, new, number, len(steps), after)
        if number < len(steps):
            _make(state, steps[number])


def _desire(resolved: ResolvedHost | None, before: ResolvedHost | None) -> State:
    """Return what each kind of the applier makes of a document; nothing of none."""
    if resolved is None:
        return {kind.name: {} for kind in KINDS}
    epoch = resolved.host.wireguard.preshared_key_epoch
    keys = {peer.public_key: epoch for peer in resolved.peers.values() if epoch}
    wanted = want(resolved, keys, _VARIANT)
    scope = scope_of(Paths(), wanted, before, None)
    return {kind.name: kind.desired(wanted, scope) for kind in KINDS}


def _list_steps(changes: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    """Cut a plan where a host could be found in between.

    iptables-restore commits one table at a time, and all of our changes to it at once; all else
    is made one object at a time.
    """
    for (kind, _), run in groupby(changes, key=lambda c: (c.kind, c.action is Action.DELETE)):
        if kind == "firewall":
            tables = groupby(sorted(run, key=_table_of), key=_table_of)
            yield from (tuple(each) for _, each in tables)
        else:
            yield from ((change,) for change in run)


def _table_of(change: Change) -> tuple[str, str]:
    tool, table, _ = change.key.split(" ", 2)
    return tool, table


def _name_step(step: tuple[Change, ...]) -> str:
    if step[0].kind == "firewall":
        return f"firewall {' '.join(_table_of(step[0]))}"
    return f"{step[0].action} {step[0].kind} {step[0].key}"


def _make(state: dict[str, dict[str, Any]], step: tuple[Change, ...]) -> None:
    """Change a state as the kernel would, with all that goes with a link."""
    for change in step:
        objects = state.setdefault(change.kind, {})
        if change.action in {Action.DELETE, Action.RECREATE}:
            objects.pop(change.key, None)
            if change.kind == "link":
                _lose_link(state, change.key)
        if change.action is not Action.DELETE:
            objects[change.key] = change.after


def _lose_link(state: dict[str, dict[str, Any]], name: str) -> None:
    for kind, field in (("route", "device"), ("address", "link"), ("peer", "device")):
        state[kind] = {k: v for k, v in state[kind].items() if getattr(v, field) != name}
    for kind in ("up", "wireguard"):
        state[kind].pop(name, None)


def _spell_moments(  # noqa: PLR0913, PLR0917 - what one moment is made of
    state: Mapping[str, Mapping[str, Any]],
    old: ResolvedHost | None,
    new: ResolvedHost | None,
    number: int,
    total: int,
    after: str,
) -> Iterator[Moment]:
    """Yield a state as documents say it: one for each device and bridge there are.

    While one is renamed there are two, and documents have a word for one.
    """
    either = new or old
    if either is None:
        return
    links = state["link"]
    tunnels = [name for name, link in links.items() if link.kind != "bridge"]
    bridges = [name for name, link in links.items() if link.kind == "bridge"]
    for tunnel in tunnels or [either.host.wireguard.interface]:
        for bridge in bridges or [either.host.bridge.interface]:
            host = _spell_host(state, old, new, tunnel=tunnel, bridge=bridge)
            yield Moment(
                number=number,
                total=total,
                after=after,
                host=host,
                up=frozenset(InterfaceName(name) for name, link in state["up"].items() if link.up),
                guarded=_is_guarded(state, old, new),
            )


def _is_guarded(
    state: Mapping[str, Mapping[str, Any]], old: ResolvedHost | None, new: ResolvedHost | None
) -> bool:
    """Whether every guard route stands: what comes first on a host that joins, and goes last."""
    wanted = _desire(new or old, None)["guard"]
    return wanted.keys() <= state["guard"].keys()


def _spell_host(
    state: Mapping[str, Mapping[str, Any]],
    old: ResolvedHost | None,
    new: ResolvedHost | None,
    *,
    tunnel: str,
    bridge: str,
) -> HostState:
    documents = [each.host for each in (new, old) if each]
    either = documents[0]
    return replace(
        either,
        wireguard=_spell_tunnel(state, either.wireguard, InterfaceName(tunnel)),
        bridge=replace(
            either.bridge,
            interface=InterfaceName(bridge),
            mtu=_mtu_of(state, bridge, either.bridge.mtu),
            addresses=_addresses_of(state, bridge),
        ),
        routes=tuple(
            Route(
                destination=route.destination,
                type=RouteType(route.type),
                metric=route.metric,
                device=InterfaceName(route.device) if route.device else None,
            )
            for kind in ("route", "guard")
            for route in state[kind].values()
        ),
        sysctls={key: sysctl.value for key, sysctl in state["sysctl"].items()},
        firewall=replace(
            either.firewall,
            ipv4=_chains_of(state, documents, ipv6=False),
            ipv6=_chains_of(state, documents, ipv6=True),
        ),
    )


def _spell_tunnel(
    state: Mapping[str, Mapping[str, Any]], wanted: WireGuard, tunnel: InterfaceName
) -> WireGuard:
    device = state["wireguard"].get(tunnel) or wanted
    return replace(
        wanted,
        interface=tunnel,
        public_key=device.public_key,
        listen_port=device.listen_port,
        mtu=_mtu_of(state, tunnel, wanted.mtu),
        addresses=_addresses_of(state, tunnel),
    )


def _mtu_of(state: Mapping[str, Mapping[str, Any]], link: str, otherwise: int) -> int:
    found = state["link"].get(link)
    return found.mtu if found else otherwise


def _addresses_of(state: Mapping[str, Mapping[str, Any]], link: str) -> tuple[Any, ...]:
    return tuple(one.address for one in state["address"].values() if one.link == link)


def _chains_of(
    state: Mapping[str, Mapping[str, Any]], documents: list[HostState], *, ipv6: bool
) -> tuple[Chain, ...]:
    """Return the chains that are there, each with the hooks that call it now."""
    there = {
        key.removeprefix(f"{_TOOLS[ipv6]} "): part
        for key, part in state["firewall"].items()
        if key.startswith(f"{_TOOLS[ipv6]} ")
    }
    found: dict[str, Chain] = {}
    for document in documents:
        for chain in document.firewall.ipv6 if ipv6 else document.firewall.ipv4:
            key, part = next(
                (key, part)
                for key, part in parts_of(write((chain,))).items()
                if not isinstance(part, tuple)
            )
            if there.get(key) == part and key not in found:
                found[key] = replace(chain, hooks=_hooks_of(there, chain, key.split(" ")[1]))
    return tuple(found.values())


def _hooks_of(there: Mapping[str, Any], chain: Chain, target: str) -> tuple[Hook, ...]:
    """Return the hooks whose jumps lead to a chain. They call it from where it says."""
    return tuple(
        hook
        for hook in Hook
        if any(
            jump.target == target and jump.position is chain.position
            for jump in there.get(f"{chain.stage} {hook.upper()}", ())
        )
    )
