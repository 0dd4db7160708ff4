"""Kernel parameters: the ones we set, and what they were before us."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

import msgspec

from applier.errors import HostError, Missing
from applier.host import Host
from applier.kind import Difference, Kind
from applier.parameters import slashed
from applier.paths import Paths
from applier.plan import Action, Change, Observed, Risk
from applier.view import View
from applier.wanted import Scope, Wanted
from schemas.state import Value

IPV4_FORWARD: Final = "net.ipv4.ip_forward"
IPV6_FORWARD: Final = "net.ipv6.conf.all.forwarding"

COUPLED: Final[Mapping[str, tuple[str, ...]]] = {
    IPV4_FORWARD: ("net.ipv4.conf.all.accept_redirects", "net.ipv4.conf.default.forwarding"),
    IPV6_FORWARD: ("net.ipv6.conf.default.forwarding",),
}
"""What the kernel changes by itself when a parameter is written: ``inet_forward_change``
(``net/ipv4/devinet.c``) and ``addrconf_fixup_forwarding`` (``net/ipv6/addrconf.c``)."""

_PER_LINK: Final[Mapping[str, str]] = {
    IPV4_FORWARD: "net.ipv4.conf.{}.forwarding",
    IPV6_FORWARD: "net.ipv6.conf.{}.forwarding",
}
"""The same functions set every link's own parameter."""

_IFNAMSIZ: Final = 16

_ROUTER_ADVERTISEMENT: Final = 9
"""``RTPROT_RA``: the protocol of routes that the kernel learned from router advertisements."""


class Sysctl(Value, frozen=True, kw_only=True):
    """A kernel parameter's value."""

    value: str
    breaks: str = ""
    """What setting our value would break on this host, in words."""


class Remembered(Value, frozen=True, kw_only=True):
    """A parameter that we set, or that the kernel set because of us."""

    before: str
    ours: str
    because: str = ""
    """The parameter whose writing changed this one; empty when we wrote it."""


Memory = dict[str, Remembered]


class SysctlKind(Kind[Sysctl]):
    """Key: the parameter's dotted name."""

    name: ClassVar[str] = "sysctl"
    value_type: ClassVar[type] = Sysctl

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, Sysctl]:
        """Return the parameters of the families in use."""
        del scope
        return {key: Sysctl(value=value) for key, value in wanted.host.sysctls.items()}

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return the wanted parameters, and those that are still as we set them."""
        owned = {}
        for key in scope.sysctls:
            live = view.read_sysctl(key)
            if live is not None:
                owned[key] = Sysctl(value=live, breaks=_breaks(key, live, view))
        memory = _load(view.read_file(scope.paths.sysctls))
        for key, entry in memory.items():
            live = view.read_sysctl(key)
            if key in owned or entry.because or live is None:
                continue
            if (live == entry.ours and live != entry.before) or _is_half_restored(
                view, memory, key
            ):
                owned[key] = Sysctl(value=live)
        return Observed(owned=owned)

    def compare(
        self, desired: Sysctl | None, observed: Sysctl | None, last: Sysctl | None
    ) -> Difference | None:
        """Compare values; a parameter that is not wanted any more gets its old value back."""
        del last
        if desired is None:
            return Difference(action=Action.DELETE, note="gets back the value from before Wormhole")
        if observed is None:
            return Difference(action=Action.CREATE)
        if desired.value == observed.value:
            return None
        risk = Risk.DISRUPTIVE if observed.breaks else Risk.HITLESS
        return Difference(action=Action.UPDATE, risk=risk, note=observed.breaks)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Remember, then write; or write what was remembered."""
        failures: dict[str, HostError] = {}
        for change in changes:
            try:
                if change.action is Action.DELETE:
                    _restore(host, scope.paths, change.key)
                else:
                    _write(host, scope.paths, change.key, change.after.value)
            except HostError as error:
                failures[change.key] = error
        return failures


SYSCTLS: Final = SysctlKind()


def _breaks(key: str, live: str, view: View) -> str:
    """Say which default routes the kernel would drop: ``rt6_purge_dflt_routers``.

    Forwarding makes a host a router, and a router ignores router advertisements unless the link's
    ``accept_ra`` is 2.
    """
    if key != IPV6_FORWARD or live != "0":
        return ""
    devices = {route.device for route in view.routes if route.protocol == _ROUTER_ADVERTISEMENT}
    losing = sorted(
        device
        for device in devices
        if view.read_sysctl(f"net.ipv6.conf.{slashed(device)}.accept_ra") != "2"
    )
    if not losing:
        return ""
    names = ", ".join(losing)
    return (
        f"the kernel drops the IPv6 routes learned from router advertisements on {names}, and "
        "ignores later ones, unless accept_ra is 2 there"
    )


def _is_half_restored(view: View, memory: Memory, key: str) -> bool:
    """Whether a parameter has its first value, and one that changed with it has not."""
    coupled = ((name, entry) for name, entry in memory.items() if entry.because == key)
    return view.read_sysctl(key) == memory[key].before and any(
        view.read_sysctl(name) not in {entry.before, None} for name, entry in coupled
    )


def _write(host: Host, paths: Paths, key: str, value: str) -> None:
    memory = _load(host.read_file(paths.sysctls))
    if key in memory and memory[key].before == value:
        # Reverting: the host gets its first value, and there is nothing to give back later.
        _restore(host, paths, key)
        return
    live = host.read_sysctl(key)
    first = memory[key].before if key in memory else live
    memory = _coupled(host, key, live, value) | memory
    memory[key] = Remembered(before=first, ours=value)
    _store(host, paths, memory)
    host.write_sysctl(key, value)


def _restore(host: Host, paths: Paths, key: str) -> None:
    """Give a parameter its first value back, and those that the kernel changes with it theirs."""
    memory = _load(host.read_file(paths.sysctls))
    entry = memory.get(key)
    if entry is None:
        return  # the memory went since it was observed: nobody knows the value any more
    coupled = {name: one for name, one in memory.items() if one.because == key}
    resumed = host.read_sysctl(key) == entry.before
    targets = {name: _target(host, name, one, resumed=resumed) for name, one in coupled.items()}
    host.write_sysctl(key, entry.before)
    for name, target in targets.items():
        if target is not None and host.read_sysctl(name) != target:
            host.write_sysctl(name, target)
    _store(host, paths, {k: v for k, v in memory.items() if k != key and k not in coupled})


def _target(host: Host, key: str, entry: Remembered, *, resumed: bool) -> str | None:
    """Return the first value, or what somebody else wrote since; None when the link is gone.

    Resumed: the kernel has already had its turn, so that the live value is nobody's wish.
    """
    try:
        live = host.read_sysctl(key)
    except Missing:
        return None
    return entry.before if resumed or live == entry.ours else live


def _coupled(host: Host, key: str, before: str, value: str) -> Memory:
    """Return what the kernel will change with a parameter, and not undo when it goes back."""
    if before == value or key not in COUPLED:
        return {}
    links = [_PER_LINK[key].format(slashed(link.name)) for link in host.links()]
    coupled: Memory = {}
    for name in (*COUPLED[key], *links):
        with suppress(Missing):
            live = host.read_sysctl(name)
            if live != _implied(name, before):
                coupled[name] = Remembered(before=live, ours=_implied(name, value), because=key)
    return coupled


def _implied(key: str, forwarding: str) -> str:
    """Return what the kernel sets a coupled parameter to: routers accept no redirects."""
    if key.endswith("accept_redirects"):
        return "1" if forwarding == "0" else "0"
    return forwarding


def _load(content: bytes | None) -> Memory:
    """Return what is remembered; nothing of a file that is damaged, or names what is not ours."""
    try:
        memory = msgspec.json.decode(content or b"{}", type=Memory)
    except (msgspec.DecodeError, UnicodeDecodeError):  # msgspec tells of bytes that are no UTF-8 so
        return {}
    return {key: entry for key, entry in memory.items() if _is_credible(key, entry)}


def _is_credible(key: str, entry: Remembered) -> bool:
    """Whether we could have written this: no file may make us write another parameter."""
    if not entry.because:
        return key in COUPLED
    if entry.because not in COUPLED:
        return False
    before, after = _PER_LINK[entry.because].split("{}")
    link = key.removeprefix(before).removesuffix(after)
    per_link = key == f"{before}{link}{after}" and _is_link_name(link.replace("/", "."))
    return per_link or key in COUPLED[entry.because]


def _is_link_name(name: str) -> bool:
    """Whether the kernel could have a link of this name (``dev_valid_name``)."""
    return 0 < len(name) < _IFNAMSIZ and name not in {".", ".."} and not set(name) & set("/: \t\n")


def _store(host: Host, paths: Paths, memory: Memory) -> None:
    content = msgspec.json.encode(memory, order="sorted") + b"\n" if memory else None
    if content == host.read_file(paths.sysctls):
        return
    if content is not None:
        host.write_file(paths.sysctls, content, 0o600)
        return
    with suppress(Missing):
        host.remove_file(paths.sysctls)
