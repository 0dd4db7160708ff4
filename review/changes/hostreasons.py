"""Find the reason of a difference within one host's document."""

from collections.abc import Callable, Mapping
from typing import Final

from review.changes.delta import Delta, Path
from review.changes.meshreasons import explain_prefix
from review.changes.pair import Pair
from review.changes.reason import Reason, tell
from review.changes.review import Cause
from review.changes.rulereasons import explain_chain, explain_rule
from schemas.state import Bridge, WireGuard
from schemas.values import Prefix

_FORWARDING: Final = {"net.ipv4.ip_forward": False, "net.ipv6.conf.all.forwarding": True}
"""What comes and goes with an IP family of the overlay: whether that is IPv6."""

_FIELDS: Final[dict[Path, Cause]] = {
    ("mesh",): Cause.MESH,
    ("wireguard", "listenPort"): Cause.LISTEN_PORT,
    ("wireguard", "mtu"): Cause.MTU,
    ("wireguard", "persistentKeepalive"): Cause.KEEPALIVE,
    ("wireguard", "presharedKeyEpoch"): Cause.EPOCH,
    ("wireguard", "interface"): Cause.INTERFACE,
    ("bridge", "interface"): Cause.BRIDGE,
    ("firewall", "iptablesVariant"): Cause.IPTABLES,
}
"""Fields whose reason is their own value, so that hosts with the same change share it."""


def explain_host(pair: Pair, delta: Delta) -> Reason | None:
    """Return why a host's document differs here; None when no rule knows."""
    if cause := _FIELDS.get(delta.path):
        return Reason(cause, before=tell(delta.before), after=tell(delta.after))
    explain = _PARTS.get(str(delta.path[0]))
    return explain(pair, delta) if explain else None


def _explain_name(pair: Pair, _delta: Delta) -> Reason | None:
    was = pair.frame.renamed.get(pair.name)
    return Reason(Cause.RENAME, pair.name, was) if was else None


def _explain_link(pair: Pair, delta: Delta) -> Reason | None:
    match delta.path:
        case ("wireguard", "publicKey"):
            return Reason(Cause.KEY, pair.name)
        case ("bridge", "mac"):
            return _explain_name(pair, delta) or _explain_mesh_name(pair)
        case ("bridge", "mtu"):
            return _follow_mtu(delta, pair.old.host.wireguard, pair.new.host.wireguard)
        case (_, "addresses", int()):
            prefix = pair.find_pod_cidr(delta)
            return explain_prefix(pair.frame, pair.name, prefix) if prefix else None
        case _:
            return None


def _follow_mtu(delta: Delta, old: WireGuard | Bridge, new: WireGuard | Bridge) -> Reason | None:
    """Return the MTU's reason where it is another link's; what is JSON may be no number."""
    if (repr(delta.before), repr(delta.after)) != (repr(old.mtu), repr(new.mtu)):
        return None
    return Reason(Cause.MTU, before=tell(delta.before), after=tell(delta.after))


def _explain_mesh_name(pair: Pair) -> Reason | None:
    """Return the mesh's new name, from which each bridge's MAC address is derived."""
    before, after = pair.old.host.mesh, pair.new.host.mesh
    return Reason(Cause.MESH, before=before, after=after) if before != after else None


def _explain_route(pair: Pair, delta: Delta) -> Reason | None:
    match delta.path[2:]:
        case ():
            ours, theirs = (pair.old, pair.new) if delta.goes else (pair.new, pair.old)
            changed = pair.lost_overlay if delta.goes else pair.gained_overlay
            follows = delta.value.destination in changed and theirs.routes_like(delta.value, ours)
            return pair.overlay_reason if follows else None
        case ("device",) if (delta.before, delta.after) == (pair.old.device, pair.new.device):
            return Reason(Cause.INTERFACE, before=delta.before, after=delta.after)
        case _:
            return None


def _explain_sysctl(pair: Pair, delta: Delta) -> Reason:
    key = str(delta.path[1])
    ipv6 = _FORWARDING.get(key)
    if ipv6 is not None:
        came_or_went = pair.old.has_overlay(ipv6=ipv6) is not pair.new.has_overlay(ipv6=ipv6)
        if came_or_went and (delta.comes or delta.goes):
            return pair.overlay_reason
    return Reason(Cause.SYSCTL, key, tell(delta.before), tell(delta.after))


def _explain_firewall(pair: Pair, delta: Delta) -> Reason | None:
    match delta.path:
        case (_, str(family), int()):
            return explain_chain(pair, family, delta)
        case (_, str(family), int(index), "rules", int()):
            return explain_rule(pair, family, index, delta)
        case _:
            return None


def _explain_cni(pair: Pair, delta: Delta) -> Reason | None:
    before, after = tell(delta.before), tell(delta.after)
    match delta.path[1:]:
        case ("fileName",):
            return Reason(Cause.CNI, "file", before, after)
        case ("config", "cniVersion") if before and after:
            return Reason(Cause.CNI, "version", before, after)
        case ("config", "plugins", int(), "mtu"):
            return _follow_mtu(delta, pair.old.host.bridge, pair.new.host.bridge)
        case ("config", "plugins", int(), "bridge") if (before, after) == pair.bridges:
            return Reason(Cause.BRIDGE, before=before, after=after)
        case ("config", "plugins", int(), "ipam", *_):
            return _explain_ranges(pair, delta)
        case _:
            return None


def _explain_ranges(pair: Pair, delta: Delta) -> Reason | None:
    """Return why the pods' addresses differ: whole ranges come and go with pod CIDRs."""
    if not (delta.comes or delta.goes):
        return None
    changed = pair.lost_pods if delta.goes else pair.gained_pods
    subnets = _subnets_of(delta.value)
    if subnets and all(subnet in changed for subnet in subnets):
        return explain_prefix(pair.frame, pair.name, Prefix(subnets[0]))
    match delta.value:
        case {"dst": "0.0.0.0/0" | "::/0" as destination}:
            return _explain_family(pair, ipv6=":" in destination)
        case _:
            return None


def _explain_family(pair: Pair, *, ipv6: bool) -> Reason | None:
    """Return why pods have a default route of an IP family now, or no longer."""
    if pair.old.has_pods(ipv6=ipv6) is pair.new.has_pods(ipv6=ipv6):
        return None
    changed = sorted((*pair.lost_pods, *pair.gained_pods))
    prefix = next((p for p in changed if (":" in p) is ipv6), None)
    return explain_prefix(pair.frame, pair.name, prefix) if prefix else None


def _subnets_of(value: object) -> tuple[str, ...]:
    """Return the subnets of a range, or of a range set."""
    ranges = value if isinstance(value, list) else [value]
    found = tuple(one.get("subnet", "") if isinstance(one, dict) else "" for one in ranges)
    return found if all(found) else ()


_PARTS: Final[Mapping[str, Callable[[Pair, Delta], Reason | None]]] = {
    "name": _explain_name,
    "wireguard": _explain_link,
    "bridge": _explain_link,
    "routes": _explain_route,
    "sysctls": _explain_sysctl,
    "firewall": _explain_firewall,
    "cni": _explain_cni,
}
