"""Documents to the few numbers that a reader wants first, and to what they should be warned of."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from review.changes.wording import count
from review.pictures.picture import Pairs, Picture
from schemas.check import check_state
from schemas.problems import neutralise
from schemas.state import Documents, HostState, RouteType, Value
from schemas.values import sorted_prefixes

_NAMES_AT_MOST: Final = 12
_OVERLAYS_AT_MOST: Final = 4


class Figure(Value, frozen=True, kw_only=True):
    """One headline number."""

    label: str
    values: tuple[str, ...]
    """More than one stand beneath each other."""
    note: str = ""


def find_figures(documents: Documents, picture: Picture) -> tuple[Figure, ...]:
    """Return the headline: hosts, pairs, overlay, MTU, firewall rules, pre-shared keys."""
    hosts = tuple(documents.hosts.values())
    pairs = picture.pairs
    epochs = _spread(hosts, lambda host: host.wireguard.preshared_key_epoch or "none")
    return (
        _figure("Hosts", f"{len(hosts):,}", _say_prefixes(picture)),
        _figure("Pairs that meet", f"{pairs.meeting:,}", f"of {pairs.total:,}"),
        Figure(label="Overlay", values=_say_overlay(hosts)),
        _figure("MTU", _spread(hosts, lambda host: host.wireguard.mtu), "inside the tunnel"),
        _figure("Port", _spread(hosts, lambda host: host.wireguard.listen_port), "UDP"),
        _figure("Firewall rules", _spread(hosts, count_rules), "per host"),
        _figure("Pre-shared keys", epochs, "" if epochs == "none" else "epoch"),
    )


def _figure(label: str, value: str, note: str) -> Figure:
    return Figure(label=label, values=(value,), note=note)


def _say_overlay(hosts: tuple[HostState, ...]) -> tuple[str, ...]:
    prefixes = overlay_of(hosts)
    more = len(prefixes) - _OVERLAYS_AT_MOST
    said = (f"and {more:,} more",) if more > 0 else ()
    return (*prefixes[:_OVERLAYS_AT_MOST], *said) or ("none",)


def overlay_of(hosts: Iterable[HostState]) -> tuple[str, ...]:
    """Return what the hosts keep from leaving in clear: the overlay's CIDRs."""
    guarded = {
        route.destination
        for host in hosts
        for route in host.routes
        if route.type is RouteType.UNREACHABLE
    }
    return sorted_prefixes(guarded)


def count_rules(host: HostState) -> int:
    """Return how many firewall rules a host has, of both families."""
    return sum(len(chain.rules) for chain in (*host.firewall.ipv4, *host.firewall.ipv6))


def find_contradictions(documents: Documents) -> tuple[str, ...]:
    """Return what in the documents contradicts itself: with any of it nothing is proven."""
    return tuple(map(str, check_state(documents.mesh, documents.hosts.values())))


def find_warnings(
    documents: Documents, picture: Picture, contradictions: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what does not contradict the schema and is yet not as most would have it."""
    return (*_warn_of_pairs(picture), *_warn_of_mixtures(documents), *_name_faults(contradictions))


def _warn_of_pairs(picture: Picture) -> Iterator[str]:
    pairs: Pairs = picture.pairs
    silent = [node.name for node in picture.present if node.endpoint is None]
    if silent:
        yield f"{_name_some(silent)}: no endpoint, so nobody reaches them before they have spoken"
    if pairs.never:
        yield f"{count(pairs.never, 'pair')} can never meet: neither node has an endpoint"
    if pairs.one_sided:
        yield f"{count(pairs.one_sided, 'pair')} are one-sided: one node does not know the other"


def _warn_of_mixtures(documents: Documents) -> Iterator[str]:
    hosts = documents.hosts.values()
    mtus = {host.wireguard.mtu for host in hosts}
    if len(mtus) > 1:
        yield f"hosts have different MTUs: {', '.join(map(str, sorted(mtus)))}"
    epochs = {host.wireguard.preshared_key_epoch or "none" for host in hosts}
    if len(epochs) > 1:
        said = ", ".join(sorted(epochs))
        yield f"hosts have different epochs of pre-shared keys, and do not talk across: {said}"


def _name_faults(faults: tuple[str, ...]) -> Iterator[str]:
    yield from faults[:_NAMES_AT_MOST]
    if len(faults) > _NAMES_AT_MOST:
        more = f"{len(faults) - _NAMES_AT_MOST:,} more contradictions"
        yield f"and {more}: wormhole validate lists all"


def _say_prefixes(picture: Picture) -> str:
    return count(sum(len(node.prefixes) for node in picture.present), "pod network")


def _spread(hosts: tuple[HostState, ...], read: Callable[[HostState], object]) -> str:
    """Return the one value that all hosts have, or from which to which they go."""
    values = Counter(map(read, hosts))
    if len(values) <= 1:
        return "".join(str(value) for value in values) or "none"
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    return f"{ordered[0]} to {ordered[-1]}"


def _name_some(names: list[str]) -> str:
    shown = ", ".join(map(neutralise, names[:_NAMES_AT_MOST]))
    more = len(names) - _NAMES_AT_MOST
    return shown + (f" and {more:,} more" if more > 0 else "")
