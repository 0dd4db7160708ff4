"""Read from a CNI configuration which pods a host may have, and what they know."""

from typing import NamedTuple

from review.model.numbers import Range, read_address, read_prefix
from review.model.story import Place
from schemas.state import HostState


class PodRange(NamedTuple):
    """Addresses that pods are given, one pod each; a pod of each is assumed to run."""

    addresses: Range
    subnet: Range
    gateway: int | None
    place: Place


class Pods(NamedTuple):
    """The pods of a host."""

    ranges: tuple[PodRange, ...]
    routes: tuple[Range, ...]
    """What pods send to their gateway."""
    mtu: int
    """Of a pod's own device."""
    mtu_place: Place

    def find(self, number: int, *, ipv6: bool) -> PodRange | None:
        """Return the range that an address is given from."""
        for each in self.ranges:
            addresses = each.addresses
            if addresses.ipv6 is ipv6 and addresses.first <= number <= addresses.last:
                return each
        return None


def read_pods(host: HostState, file: str) -> Pods:
    """Read what the plugins ``bridge`` and ``host-local`` will make of a CNI configuration.

    A pod gets an address of each range set, the subnet's length with it, and the routes of
    ``ipam`` by its gateway (CNI plugins: ipam/host-local, main/bridge).
    """
    mtu, mtu_place = host.bridge.mtu, Place(file=file, path=("bridge", "mtu"))
    ranges: list[PodRange] = []
    routes: list[Range] = []
    for index, plugin in enumerate(_items(_field(host.cni.config, "plugins"))):
        path = ("cni", "config", "plugins", index)
        own_mtu = _field(plugin, "mtu")
        if isinstance(own_mtu, int):
            mtu, mtu_place = own_mtu, Place(file=file, path=(*path, "mtu"))
        ipam = _field(plugin, "ipam")
        ranges += _read_ranges(ipam, file, (*path, "ipam", "ranges"))
        routes += [
            read
            for route in _items(_field(ipam, "routes"))
            if (read := read_prefix(str(_field(route, "dst")))) is not None
        ]
    return Pods(tuple(ranges), tuple(routes), mtu, mtu_place)


def _read_ranges(ipam: object, file: str, path: tuple[str | int, ...]) -> list[PodRange]:
    found = []
    for outer, alternatives in enumerate(_items(_field(ipam, "ranges"))):
        for inner, given in enumerate(_items(alternatives)):
            place = Place(file=file, path=(*path, outer, inner))
            if (read := _read_range(given, place)) is not None:
                found.append(read)
    return found


def _read_range(given: object, place: Place) -> PodRange | None:
    subnet = read_prefix(str(_field(given, "subnet")))
    first = _read_number(_field(given, "rangeStart"))
    last = _read_number(_field(given, "rangeEnd"))
    if subnet is None or first is None or last is None:
        return None
    addresses = Range(subnet.ipv6, max(first, subnet.first), min(last, subnet.last), subnet.length)
    return PodRange(addresses, subnet, _read_number(_field(given, "gateway")), place)


def _read_number(value: object) -> int | None:
    try:
        return read_address(str(value))[1]
    except ValueError:
        return None


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
