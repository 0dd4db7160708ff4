"""The ``Mesh`` object to its value: defaults filled in, and checked for what no schema can say."""

from collections.abc import Iterator
from typing import Final

import msgspec

from compiler.fields import Placed, Site, read_networks
from compiler.inventory import Mesh
from compiler.networks import RESERVED, Network, find_overlaps
from compiler.unfold import Complaint, Object
from schemas.state import Value

_PLAIN: Final = (
    "listenPort",
    "interface",
    "bridge",
    "underlayMTU",
    "persistentKeepalive",
    "masquerade",
    "iptablesVariant",
    "presharedKeyEpoch",
)
"""The fields that are taken as they are. Defaults are :class:`Mesh`'s."""


class ReadMesh(Value, frozen=True, kw_only=True):
    """A mesh, as far as it could be read."""

    object: Object
    mesh: Mesh
    overlays: tuple[Network, ...]
    complete: bool
    """Whether these are all of them. If not, nobody can say what is outside."""
    complaints: tuple[Complaint, ...]


def read_mesh(entry: Object) -> ReadMesh:
    """Read a mesh; a field whose shape is wrong counts as absent."""
    overlays, bad_overlays = read_networks(entry, "spec", "overlayCIDRs")
    outside, bad_outside = read_networks(entry, "spec", "nonMasqueradeCIDRs")
    mesh = _build_mesh(entry, _sorted(overlays), _sorted(outside))
    # One that holds everything has its own complaint; that every endpoint is in it is none.
    usable = tuple(each for each in _sorted(overlays) if not each.prefix.endswith("/0"))
    return ReadMesh(
        object=entry,
        mesh=mesh,
        overlays=usable,
        complete=len(usable) == len(overlays) > 0
        and not bad_overlays
        and not entry.is_broken("spec", "overlayCIDRs"),
        complaints=(
            *bad_overlays,
            *bad_outside,
            *_demand_overlays(entry),
            *_check_overlays(overlays),
            *_check_devices(entry, mesh),
        ),
    )


def whole_number(value: object) -> object:
    """Make ``9806.0`` an int: to JSON Schema, and so to everybody who writes it, it is one."""
    return int(value) if isinstance(value, float) else value


def _sorted(placed: tuple[Placed, ...]) -> tuple[Network, ...]:
    return tuple(sorted({network for network, _ in placed}))


def _build_mesh(entry: Object, overlays: tuple[Network, ...], outside: tuple[Network, ...]) -> Mesh:
    fields = {name: whole_number(entry.get("spec", name)) for name in _PLAIN}
    cni = entry.get("spec", "cni") or {}
    fields |= {"cniFileName": cni.get("fileName"), "cniVersion": cni.get("version")}
    given = {name: value for name, value in fields.items() if value is not None}
    given |= {
        "name": entry.name,
        "overlayCIDRs": [network.prefix for network in overlays],
        "nonMasqueradeCIDRs": [network.prefix for network in outside],
    }
    return msgspec.convert(given, Mesh)


def _demand_overlays(entry: Object) -> Iterator[Complaint]:
    """Demand what the schema does not: in a cluster, an agent may find it before compiling."""
    if entry.get("spec", "overlayCIDRs") is None and not entry.is_broken("spec", "overlayCIDRs"):
        yield Site(entry, ("spec", "overlayCIDRs")).complain("required field is missing")


def _check_overlays(overlays: tuple[Placed, ...]) -> Iterator[Complaint]:
    for network, site in overlays:
        if network.prefix.endswith("/0"):
            yield site.complain(
                "holds every address there is: no other traffic would be left", network.prefix
            )
            continue
        for reserved, meaning in RESERVED:
            if network.overlaps(reserved):
                rule = f"overlaps {reserved.prefix} ({meaning}), which every host needs"
                yield site.complain(rule, network.prefix)
                break
    for ((outer, _), *_), (inner, site) in find_overlaps(overlays):
        same = "is listed twice" if outer == inner else f"lies inside overlay CIDR {outer.prefix}"
        yield site.complain(f"{same}: overlay CIDRs must not overlap", inner.prefix)


def _check_devices(entry: Object, mesh: Mesh) -> Iterator[Complaint]:
    if mesh.interface == mesh.bridge:
        rule = "is the name of the WireGuard interface too: they are two devices"
        yield Site(entry, ("spec", "bridge")).complain(rule, mesh.bridge)
