"""Turn the CNI configuration in a host's document into what pods are given."""

from collections.abc import Iterator
from typing import Any

from schemas.state import HostState


def _plugins(host: HostState) -> Any:  # noqa: ANN401 - the configuration is whatever it is
    return host.cni.config["plugins"]


def pod_ranges(host: HostState) -> Iterator[tuple[int, str, str]]:
    """Yield the set, the first and the last address of each range that pods' addresses are from."""
    for plugin in _plugins(host):
        for index, ranges in enumerate(plugin.get("ipam", {}).get("ranges", ())):
            for each in ranges:
                yield index, each["rangeStart"], each["rangeEnd"]


def pod_mtu(host: HostState) -> int:
    """Return the MTU of pods' devices."""
    return int(next(plugin["mtu"] for plugin in _plugins(host) if "mtu" in plugin))
