"""Documents to what in them no packet can be followed through: of that, nothing is proven.

The model knows what the compiler writes, and whatever else the schema lets stand at the same
places. A kernel setting that it does not read, a CNI plugin that it does not know, a firewall that
no host can load: with any of these a proof would be of another host than the one that is there.
"""

import re
from collections.abc import Iterator
from typing import Final

from renderers.iptables import write
from review.model.machine import LOOPBACK, UNDERLAY
from review.model.story import Place
from review.proof.claim import Unfollowed
from review.proof.unfollowedcni import find_odd_cni
from review.proof.world import World
from schemas.document import MESH_FILE, host_file_name
from schemas.problems import Problems
from schemas.state import Chain, Documents, HostState

_SWITCHES: Final = ("0", "1")
_SETTINGS: Final = (
    (re.compile(r"net\.ipv4\.ip_forward|net\.ipv6\.conf\.all\.forwarding"), _SWITCHES),
    (re.compile(r"net\.ipv4\.conf\.[^.]+\.rp_filter"), (*_SWITCHES, "2")),
)
"""What the model reads, and the values that it reads as the kernel does."""
_NO_NAMES: Final = frozenset({LOOPBACK, "all", "default"})
"""The kernel has a device, and settings, of these names (``sysctl_dev_name_is_allowed``)."""
_RULE: Final = re.compile(r"rules\[([0-9]+)\]\.([A-Za-z]+)")


def find_unfollowed(world: World) -> Iterator[Unfollowed]:
    """Yield every place whose effect on packets is not known; one host's for all of its class."""
    if not world.hosts:
        yield Unfollowed(
            place=Place(file=MESH_FILE, path=("peerGroups",)),
            fault="there is no host, so there is nothing to prove",
        )
    for each in world.hosts:
        host = world.documents.hosts[each.names[0]]
        file = f"hosts/{host_file_name(host.name)}"
        for path, fault in _find_in(world.whole, host):
            place = Place(file=file, path=path)
            yield Unfollowed(place=place, fault=fault, hosts=len(each.names))


_Odd = tuple[tuple[str | int, ...], str]
"""A place in a host's document, and why nothing is known of it."""


def _find_in(documents: Documents, host: HostState) -> Iterator[_Odd]:
    yield from _find_odd_settings(host)
    yield from _find_odd_names(host)
    yield from _find_double_peers(documents, host)
    for family, chains in (("ipv4", host.firewall.ipv4), ("ipv6", host.firewall.ipv6)):
        for index, chain in enumerate(chains):
            for path, fault in (*_find_strange_devices(host, chain), *_find_unsupported(chain)):
                yield ("firewall", family, index, *path), fault
    for path, fault in find_odd_cni(host):
        yield ("cni", "config", *path), fault


def _find_odd_settings(host: HostState) -> Iterator[_Odd]:
    for key, value in host.sysctls.items():
        known = next((values for name, values in _SETTINGS if name.fullmatch(key)), None)
        if known is None:
            yield ("sysctls", key), "what this setting does to packets is not known here"
        elif value not in known:
            yield ("sysctls", key), f"must be {' or '.join(known)} to be understood"


def _find_odd_names(host: HostState) -> Iterator[_Odd]:
    for part, link in (("wireguard", host.wireguard), ("bridge", host.bridge)):
        if link.interface in _NO_NAMES:
            yield (part, "interface"), "no device of ours can have this name"
        if link.interface == UNDERLAY:
            yield (part, "interface"), "stands here for every other device: choose another name"


def _find_double_peers(documents: Documents, host: HostState) -> Iterator[_Odd]:
    """Yield the groups in which a host meets a peer again: no host applies such a document."""
    groups = host.wireguard.peer_groups
    met: set[str] = set()
    for index, group in enumerate(groups if len(groups) > 1 else ()):
        names = documents.mesh.peer_groups.get(group, {}).keys()
        if twice := sorted(met & names):
            yield ("wireguard", "peerGroups", index), f"peer {twice[0]!r} is in another one too"
        met |= names


def _find_strange_devices(host: HostState, chain: Chain) -> Iterator[_Odd]:
    known = {None, LOOPBACK, host.wireguard.interface, host.bridge.interface}
    for index, rule in enumerate(chain.rules):
        for field, device in (("input", rule.input), ("output", rule.output)):
            if device not in known:
                fault = "documents do not say what this device is, so who is behind it is not known"
                yield ("rules", index, field), fault


def _find_unsupported(chain: Chain) -> Iterator[_Odd]:
    """Yield what no host can load: there the rules of before stay, or none."""
    try:
        write((chain,))
    except Problems as error:
        for problem in error.problems:
            found = _RULE.fullmatch(problem.path)
            path = ("rules", int(found[1]), found[2]) if found else (problem.path,)
            yield path, f"no host can load this: {problem.rule}"
