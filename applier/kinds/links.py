"""The two links, and whether they are up.

Two kinds, because a link is made down, and comes up when its addresses and peers are in place.
A bridge's ports are never looked at: CNI plugins add and remove them.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from applier.errors import HostError, Missing
from applier.host import Host, Link
from applier.kind import Difference, Kind, Need
from applier.ownership import WIREGUARD_KINDS, owned_links
from applier.parameters import slashed
from applier.plan import Action, Change, Observed, Risk
from applier.view import View
from applier.wanted import Scope, Wanted
from schemas.marks import LINK_GROUP
from schemas.state import Value
from schemas.values import is_ipv6

_DISABLE_IPV6: Final = "net.ipv6.conf.{}.disable_ipv6"
_OFF_ON_A_BRIDGE: Final = ("net.ipv6.conf.{}.accept_dad", "net.ipv6.conf.{}.accept_ra")
"""What a new bridge does not need. Looking whether somebody else has its link-local address, the
kernel finds no IPv6 neighbours for a second or two after the first pod came; the address is made
from a MAC of our own, and a pod that claimed it would cut off all others. No pod is our router."""

_UNMARKED: Final = "made without our mark, as the CNI plugin makes one from our configuration"


class NetworkLink(Value, frozen=True, kw_only=True):
    """A link of ours, apart from whether it is up."""

    kind: str
    """``bridge``, ``wireguard``, or ``tun`` for a WireGuard device of a userspace process."""
    mtu: int
    group: int = LINK_GROUP
    mac: str = ""
    """Empty: it has none, or it does not matter."""
    dead: bool = False
    """Its userspace process is gone, so that it carries nothing and cannot be configured."""
    ipv6_off: bool = False
    """Its ``disable_ipv6`` is 1, so that the kernel refuses the IPv6 addresses that are wanted."""


class LinkState(Value, frozen=True, kw_only=True):
    """Whether a link is administratively up."""

    up: bool


class LinkKind(Kind[NetworkLink]):
    """Key: the link's name."""

    name: ClassVar[str] = "link"
    value_type: ClassVar[type] = NetworkLink

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, NetworkLink]:
        """Return the WireGuard device and the bridge."""
        del scope
        device, bridge = wanted.host.wireguard, wanted.host.bridge
        return {
            device.interface: NetworkLink(kind="wireguard", mtu=device.mtu),
            bridge.interface: NetworkLink(kind="bridge", mtu=bridge.mtu, mac=bridge.mac),
        }

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return our links, and foreign ones of the names that we want."""
        ours = owned_links(view, scope)
        ipv6 = _wants_ipv6(scope)
        owned = {name: _value_of(link, view, ipv6=ipv6) for name, link in ours.items()}
        wanted = (scope.names.wireguard, scope.names.bridge) if scope.names else ()
        foreign = {
            str(name): _describe(view.links[name])
            for name in wanted
            if name in view.links and name not in ours
        }
        return Observed(owned=owned, foreign=foreign)

    def compare(
        self, desired: NetworkLink | None, observed: NetworkLink | None, last: NetworkLink | None
    ) -> Difference | None:
        """Change in place whatever can be; only another kind of link needs a new one."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE, risk=Risk.DISRUPTIVE, note=_loss(observed))
        if observed is None:
            return Difference(action=Action.CREATE)
        return _compare_in_place(desired, observed)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Make each change on its own."""
        failures: dict[str, HostError] = {}
        for change in changes:
            try:
                _make(host, change, ipv6=_wants_ipv6(scope))
                with suppress(Missing):
                    _forget_start(host, change, scope)
            except HostError as error:
                failures[change.key] = error
        return failures

    def claim(self, value: NetworkLink) -> str:
        """Return the UDP port, which two devices cannot listen on: the old one must go first."""
        return "listen port" if value.kind in WIREGUARD_KINDS else ""


class UpKind(Kind[LinkState]):
    """Key: the link's name."""

    name: ClassVar[str] = "up"
    value_type: ClassVar[type] = LinkState

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, LinkState]:
        """Return both links, up."""
        del scope
        links = (wanted.host.wireguard, wanted.host.bridge)
        return {link.interface: LinkState(up=True) for link in links}

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return which of our links are up."""
        links = owned_links(view, scope)
        return Observed(owned={name: LinkState(up=link.up) for name, link in links.items()})

    def compare(
        self,
        desired: LinkState | None,
        observed: LinkState | None,
        last: LinkState | None,
    ) -> Difference | None:
        """Compare; a new link is down."""
        del last
        if desired is None or desired == (observed or LinkState(up=False)):
            return None
        return Difference(action=Action.UPDATE if observed is not None else Action.CREATE)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Set each link up or down."""
        del scope
        failures: dict[str, HostError] = {}
        for change in changes:
            try:
                host.set_link(change.key, up=change.after.up)
            except HostError as error:
                failures[change.key] = error
        return failures

    def needs(self, key: str, value: LinkState) -> tuple[Need, ...]:
        """Return the link."""
        del value
        return (Need("link", key),)

    def dies_with(self, key: str, value: LinkState) -> tuple[Need, ...]:
        """Return the link."""
        del value
        return (Need("link", key),)


LINKS: Final = LinkKind()
UP: Final = UpKind()


def _wants_ipv6(scope: Scope) -> bool:
    return scope.names is not None and any(map(is_ipv6, scope.names.overlays))


def _value_of(link: Link, view: View, *, ipv6: bool) -> NetworkLink:
    is_device = link.kind in WIREGUARD_KINDS
    return NetworkLink(
        kind=link.kind,
        mtu=link.mtu,
        group=link.group,
        mac="" if is_device else link.mac,
        dead=is_device and view.device(link.name) is None,
        ipv6_off=ipv6 and view.read_sysctl(_DISABLE_IPV6.format(slashed(link.name))) == "1",
    )


def _compare_in_place(desired: NetworkLink, observed: NetworkLink) -> Difference | None:
    if observed.dead and not desired.dead:
        note = "its userspace process is gone, and a device without one cannot be revived"
        return Difference(action=Action.RECREATE, risk=Risk.DISRUPTIVE, note=note)
    if not _same_kind(desired.kind, observed.kind):
        note = f"a {observed.kind or 'physical'} link cannot become a {desired.kind} one"
        return Difference(action=Action.RECREATE, risk=Risk.DISRUPTIVE, note=note)
    if desired.mac and desired.mac != observed.mac:
        unmarked = f"{_UNMARKED}; " if _lacks_mark(observed) else ""
        note = f"{unmarked}pods relearn the address of their gateway"
        return Difference(action=Action.UPDATE, risk=Risk.SESSION_DROP, note=note)
    if observed.ipv6_off and not desired.ipv6_off:
        note = "IPv6 is switched off on it, which refuses its IPv6 addresses"
        return Difference(action=Action.UPDATE, note=note)
    if _settings(desired) != _settings(observed):
        return Difference(action=Action.UPDATE, note=_UNMARKED if _lacks_mark(observed) else "")
    return None


def _lacks_mark(link: NetworkLink) -> bool:
    return link.kind == "bridge" and link.group != LINK_GROUP


def _settings(link: NetworkLink) -> tuple[int, int, bool]:
    return link.mtu, link.group, link.ipv6_off


def _same_kind(one: str, other: str) -> bool:
    return one == other or {one, other} <= WIREGUARD_KINDS


def _describe(link: Link) -> str:
    kind = f"{link.kind} link" if link.kind else "link"
    return (
        f"a {kind} in group {link.group} has this name and is not Wormhole's (its group is "
        f"{LINK_GROUP}); what depends on it waits"
    )


def _loss(link: NetworkLink | None) -> str:
    if link is not None and link.kind == "bridge":
        pods = "pods that are plugged into it lose their network"
        return f"its addresses and routes go with it; {pods}"
    return "its peers, addresses and routes go with it"


def _make(host: Host, change: Change, *, ipv6: bool) -> None:
    match change.action:
        case Action.CREATE:
            _create(host, change.key, change.after, ipv6=ipv6)
        case Action.RECREATE:
            _delete(host, change.key, change.before)
            _create(host, change.key, change.after, ipv6=ipv6)
        case Action.DELETE:
            _delete(host, change.key, change.before)
        case _:
            _update(host, change.key, change.before, change.after)


def _create(host: Host, name: str, link: NetworkLink, *, ipv6: bool) -> None:
    if link.kind in WIREGUARD_KINDS:
        host.wireguard(name).create(name, link.group)
        host.set_link(name, mtu=link.mtu)
    else:
        host.create_bridge(name, mac=link.mac, mtu=link.mtu, group=link.group)
        _calm(host, name)
    if ipv6 and not link.ipv6_off:
        _allow_ipv6(host, name)


def _calm(host: Host, bridge: str) -> None:
    for key in _OFF_ON_A_BRIDGE:
        with suppress(HostError):  # a precaution: without IPv6, or rights, there is none
            host.write_sysctl(key.format(slashed(bridge)), "0")


def _allow_ipv6(host: Host, name: str) -> None:
    """Switch IPv6 on, where a host's ``conf.default`` switches it off for every new link."""
    key = _DISABLE_IPV6.format(slashed(name))
    with suppress(Missing):  # a kernel without IPv6 says so when it gets an address
        if host.read_sysctl(key) != "0":
            host.write_sysctl(key, "0")


def _update(host: Host, name: str, before: NetworkLink, after: NetworkLink) -> None:
    if _lacks_mark(before) and not _lacks_mark(after):
        _take_over(host, name, before, after)
    mtu = after.mtu if after.mtu != before.mtu else None
    mac = after.mac if after.mac and after.mac != before.mac else None
    group = after.group if after.group != before.group else None
    if (mtu, mac, group) != (None, None, None):
        host.set_link(name, mtu=mtu, mac=mac, group=group)
    if after.ipv6_off != before.ipv6_off:
        host.write_sysctl(_DISABLE_IPV6.format(slashed(name)), str(int(after.ipv6_off)))


def _take_over(host: Host, name: str, before: NetworkLink, after: NetworkLink) -> None:
    """Give a bridge that the CNI plugin made what one of ours has, apart from its settings.

    Its MTU came in the creating message, and setting one to what it is pins nothing either
    (``__dev_set_mtu`` is not reached): so it is another for a moment. See ``create_bridge``.
    """
    _calm(host, name)
    if after.mtu == before.mtu:
        host.set_link(name, mtu=after.mtu + 1)
        host.set_link(name, mtu=after.mtu)


def _forget_start(host: Host, change: Change, scope: Scope) -> None:
    """Remove the note that a device was being made, once the device has our group."""
    note = scope.paths.starting(change.key)
    if change.action is Action.UPDATE and host.read_file(note) is not None:
        host.remove_file(note)


def _delete(host: Host, name: str, link: NetworkLink) -> None:
    with suppress(Missing):
        if link.kind in WIREGUARD_KINDS:
            host.wireguard(name).delete(name)
        else:
            host.delete_link(name)
