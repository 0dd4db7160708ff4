"""Where the fake's kernel would send a packet: the question behind "encrypted or unreachable"."""

import shlex
from collections.abc import Collection, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from applier.fake.host import FakeHost
from applier.fake.iptables import Chains
from applier.host import LiveRoute

Address = IPv4Address | IPv6Address


class Fate(StrEnum):
    """What becomes of a packet that a pod or the host sends."""

    ENCRYPTED = "encrypted"
    """It enters the WireGuard device, which sends it to a peer or not at all."""
    LOCAL = "local"
    """It enters the bridge: its destination is a pod of this host."""
    UNREACHABLE = "unreachable"
    """No route, or one that rejects."""
    DROPPED = "dropped"
    """The firewall's guard took it."""
    CLEAR = "clear"
    """It leaves by another device, for everybody to read."""


def fate_of(host: FakeHost, destination: str, *, bridges: Collection[str]) -> Fate:
    """Return what becomes of a packet to an address."""
    target = ip_address(destination)
    route = _look_up(host, target)
    if route is None or route.type != "unicast":
        return Fate.UNREACHABLE
    if route.device in host.devices.devices:
        return Fate.ENCRYPTED
    for (_, ipv6), tables in host.tables.items():
        mangle = tables.tables.get("mangle", {})
        drops = _walk(mangle, "POSTROUTING", route.device, target) == "DROP"
        if ipv6 is (target.version == 6) and drops:  # noqa: PLR2004 - the IP version
            return Fate.DROPPED
    return Fate.LOCAL if route.device in bridges else Fate.CLEAR


def _look_up(host: FakeHost, target: Address) -> LiveRoute | None:
    """Return the route taken: the longest prefix, then the lowest metric, whose device is up."""
    links = host.network.links
    candidates = [
        route
        for route in host.network.all_routes()
        if target in _network(route.destination)
        and (not route.device or (route.device in links and links[route.device].up))
    ]
    return min(
        candidates,
        key=lambda route: (-_network(route.destination).prefixlen, route.metric),
        default=None,
    )


@lru_cache
def _network(prefix: str) -> IPv4Network | IPv6Network:
    return ip_network(prefix)


@lru_cache
def _words(rule: str) -> tuple[str, ...]:
    return tuple(shlex.split(rule))


def _walk(chains: Chains, name: str, output: str, target: Address) -> str:
    """Return the verdict of a chain; empty when it returns."""
    for rule in chains.get(name, ()):
        words = _words(rule)
        verdict = _verdict_of(words)
        if not _matches(words, output, target):
            continue
        if verdict == "RETURN":
            return ""
        if verdict in chains:
            verdict = _walk(chains, verdict, output, target)
        if verdict in {"ACCEPT", "DROP", "REJECT"}:
            return verdict
    return ""


def _verdict_of(words: Sequence[str]) -> str:
    return words[words.index("-j") + 1] if "-j" in words else ""


def _matches(words: Sequence[str], output: str, target: Address) -> bool:
    """Whether a rule matches; one with a match that is not known here does not."""
    known = {"-o", "-d", "-j", "-m", "--comment"}
    options = dict(zip(words[::2], words[1::2], strict=False))
    if not options.keys() <= known or options.get("-m", "comment") != "comment":
        return False
    network = options.get("-d", str(target))
    return options.get("-o", output) == output and target in _network(network)
