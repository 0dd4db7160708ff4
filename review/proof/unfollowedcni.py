"""A CNI configuration to what of it the model would not see: other plugins, other fields."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.json import encode

from review.model.numbers import read_address, read_prefix
from schemas.state import HostState

Odd = tuple[tuple[str | int, ...], str]
"""A place in the configuration, and what is odd about it."""

_STRANGE: Final = "what this does to pods is not known here"
_MOST: Final = 65535
"""Bytes of the largest packet."""
_PORTMAP: Final = {"type": "portmap", "capabilities": {"portMappings": True}}
_RANGE: Final = ("gateway", "rangeEnd", "rangeStart", "subnet")
_FREE: Final = ("hairpinMode", "ipam", "mtu")
"""Fields of the bridge plugin that are looked at one by one, or may be anything."""


def find_odd_cni(host: HostState) -> Iterator[Odd]:
    """Yield what is not as the model has it: a bridge with host-local addresses, and portmap."""
    for field in sorted(host.cni.config.keys() - {"cniVersion", "name", "plugins"}):
        yield (field,), _STRANGE
    plugins = host.cni.config.get("plugins")
    first, *others = plugins if isinstance(plugins, list) and plugins else [{}]
    for index, plugin in enumerate(others, 1):
        if not _is_same(plugin, _PORTMAP):
            yield ("plugins", index), _STRANGE
    place = ("plugins", 0)
    wanted = {"type": "bridge", "bridge": host.bridge.interface, "isGateway": True, "ipMasq": False}
    yield from _compare(place, first, wanted, _FREE)
    mtu = first.get("mtu")
    if type(mtu) is not int or not 0 < mtu <= _MOST:
        yield (*place, "mtu"), f"must be a number of bytes, at most {_MOST}"
    yield from _find_odd_ipam((*place, "ipam"), first.get("ipam"))


def _compare(
    place: tuple[str | int, ...],
    held: Any,  # noqa: ANN401 - JSON is anything
    wanted: Mapping[str, object],
    free: tuple[str, ...],
) -> Iterator[Odd]:
    """Yield the fields that are not as wanted, and those that nobody wants."""
    for field, value in wanted.items():
        if field not in held or not _is_same(held[field], value):
            yield (*place, field), f"must be {_spell(value)} for packets to be followed"
    for field in sorted(held.keys() - wanted.keys() - set(free)):
        yield (*place, field), _STRANGE


def _is_same(one: object, other: object) -> bool:
    """Compare as JSON has it: to Python, 1 equals true."""
    return encode(one, order="sorted") == encode(other, order="sorted")


def _spell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _find_odd_ipam(place: tuple[str | int, ...], ipam: object) -> Iterator[Odd]:
    if not isinstance(ipam, dict):
        yield place, "gives pods no addresses"
        return
    yield from _compare(place, ipam, {"type": "host-local"}, ("ranges", "routes"))
    ranges = ipam.get("ranges")
    if not isinstance(ranges, list) or not ranges:
        yield (*place, "ranges"), "gives pods no addresses"
        ranges = []
    for outer, alternatives in enumerate(ranges):
        path = (*place, "ranges", outer)
        if not isinstance(alternatives, list) or not alternatives:
            yield path, "gives pods no addresses"
            continue
        for inner, each in enumerate(alternatives):
            if fault := _find_fault_of_range(each):
                yield (*path, inner), fault
    routes = ipam.get("routes", [])
    for index, route in enumerate(routes if isinstance(routes, list) else [None]):
        if not (isinstance(route, dict) and [*route] == ["dst"] and _is_prefix(route["dst"])):
            yield (*place, "routes", index), "must be a destination alone, such as 0.0.0.0/0"


def _is_prefix(text: object) -> bool:
    return isinstance(text, str) and read_prefix(text) is not None


def _find_fault_of_range(each: object) -> str:
    """Say why host-local would give other addresses than the model reads, or none."""
    if not isinstance(each, dict) or sorted(each) != [*_RANGE]:
        return f"must have {', '.join(_RANGE[:-1])} and {_RANGE[-1]}, and nothing else"
    subnet = read_prefix(each["subnet"]) if _is_prefix(each["subnet"]) else None
    numbers = [
        number
        for field in ("rangeStart", "rangeEnd", "gateway")
        if (number := _read_number(each[field])) is not None
    ]
    if subnet is None or len(numbers) < len(_RANGE) - 1:
        return "must be an IP prefix and addresses, as documents spell them"
    least, most = (subnet.ipv6, subnet.first), (subnet.ipv6, subnet.last)
    if not all(least <= number <= most for number in numbers) or numbers[0] > numbers[1]:
        return "gives pods no addresses: it must begin and end inside its subnet, with its gateway"
    return ""


def _read_number(text: object) -> tuple[bool, int] | None:
    try:
        return read_address(text) if isinstance(text, str) else None
    except ValueError:
        return None
