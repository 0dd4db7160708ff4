"""The WireGuard device and its peers, field by field.

Everything on our device is ours, so an unknown peer is removed. Nothing is ever replaced as a
whole: peers gain before others lose, so that a prefix has an owner at every moment.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeVar

from msgspec.structs import replace

from applier.errors import HostError, Missing
from applier.host import DeviceUpdate, Host, LiveDevice, LivePeer, PeerUpdate
from applier.kind import Difference, Kind, Need
from applier.ownership import WIREGUARD_KINDS, owned_links
from applier.plan import Action, Change, Observed, Risk
from applier.view import View
from applier.wanted import Scope, Wanted
from schemas.state import Value
from schemas.values import Endpoint, InterfaceName, Prefix, PublicKey

T = TypeVar("T")

ROAMING: Final = 275
"""Seconds since the last handshake within which a peer's endpoint is its own affair.

A session ends after ``REJECT_AFTER_TIME`` (180 s), plus ``REKEY_ATTEMPT_TIME`` (90 s) of trying to
renew it, plus one ``REKEY_TIMEOUT`` (5 s): after that the peer is lost where it was last heard.
"""


class Device(Value, frozen=True, kw_only=True):
    """A WireGuard device's own settings. The private key appears as its public half."""

    public_key: str
    listen_port: int
    fwmark: int = 0


class DevicePeer(Value, frozen=True, kw_only=True):
    """A peer on a device."""

    device: InterfaceName
    public_key: PublicKey
    allowed_ips: tuple[Prefix, ...]
    endpoint: Endpoint | None = None
    persistent_keepalive: int = 0
    preshared_key: str = ""
    """A vault fingerprint; empty when there is none."""
    active: bool = False
    """Heard within the last 275 s, so that its endpoint may have roamed. Never compared."""


class DeviceKind(Kind[Device]):
    """Key: the device's name."""

    name: ClassVar[str] = "wireguard"
    value_type: ClassVar[type] = Device

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, Device]:
        """Return the device's settings."""
        del scope
        device = wanted.host.wireguard
        value = Device(public_key=device.public_key, listen_port=device.listen_port)
        return {device.interface: value}

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return the settings of our devices."""
        return Observed(
            owned={
                name: Device(
                    public_key=live.public_key, listen_port=live.listen_port, fwmark=live.fwmark
                )
                for name, live in _live_devices(view, scope).items()
            }
        )

    def compare(
        self, desired: Device | None, observed: Device | None, last: Device | None
    ) -> Difference | None:
        """Compare field by field, and say what each field costs."""
        del last
        if desired is None:
            return None  # a device's settings end with the device, which is a link
        if observed is None:
            return Difference(action=Action.CREATE)
        if desired == observed:
            return None
        risk, note = _cost(desired, observed)
        return Difference(action=Action.UPDATE, risk=risk, note=note)

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Send only the fields that differ.

        The kernel skips an equal private key, but binds an equal port anew, and a mark clears
        every cached source address.
        """
        del scope
        failures: dict[str, HostError] = {}
        for change in changes:
            after: Device = change.after
            before: Device = change.before or Device(public_key="", listen_port=-1)
            update = DeviceUpdate(
                private_key=_changed(before.public_key, after.public_key),
                listen_port=_changed(before.listen_port, after.listen_port),
                fwmark=_changed(before.fwmark, after.fwmark),
            )
            try:
                host.wireguard(change.key).configure(change.key, update)
            except HostError as error:
                failures[change.key] = error
        return failures

    def needs(self, key: str, value: Device) -> tuple[Need, ...]:
        """Return the link."""
        del value
        return (Need("link", key),)

    def dies_with(self, key: str, value: Device) -> tuple[Need, ...]:
        """Return the link."""
        del value
        return (Need("link", key),)


class PeerKind(Kind[DevicePeer]):
    """Key: the node's name, which stands for its public key; a stranger's key itself."""

    name: ClassVar[str] = "peer"
    value_type: ClassVar[type] = DevicePeer

    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, DevicePeer]:
        """Return the peers of the document, with this host's fingerprints."""
        device = wanted.host.wireguard.interface
        return {
            scope.call_peer(peer.public_key): DevicePeer(
                device=device,
                public_key=peer.public_key,
                allowed_ips=peer.allowed_ips,
                endpoint=peer.endpoint,
                persistent_keepalive=peer.persistent_keepalive,
                preshared_key=wanted.preshared_keys.get(peer.public_key, ""),
            )
            for peer in wanted.peers.values()
        }

    def observe(self, view: View, scope: Scope) -> Observed:
        """Return all peers of our devices, strangers too, in an order of our own.

        wireguard-go tells them in another one each time (it ranges over a map).
        """
        owned = {
            scope.call_peer(peer.public_key, name): _value_of(name, peer, view.now)
            for name, live in _live_devices(view, scope).items()
            for peer in live.peers
        }
        return Observed(owned=dict(sorted(owned.items())))

    def adopt(
        self, desired: DevicePeer, observed: DevicePeer, last: DevicePeer | None
    ) -> DevicePeer:
        """Leave a roamed peer where it is; re-sending its endpoint would override roaming.

        A peer without a configured endpoint may have any: it spoke first, and none can be taken
        away.
        """
        roamed = observed.active and _is_as_before(desired, last)
        endpoint = observed.endpoint if roamed or desired.endpoint is None else desired.endpoint
        return replace(desired, endpoint=endpoint, active=observed.active)

    def compare(
        self, desired: DevicePeer | None, observed: DevicePeer | None, last: DevicePeer | None
    ) -> Difference | None:
        """Compare field by field."""
        if desired is None:
            note = "no node of this mesh has this key"
            if last is not None:
                note = "its node left the mesh, or has another key now"
            return Difference(action=Action.DELETE, risk=Risk.SESSION_DROP, note=note)
        if observed is None:
            return Difference(action=Action.CREATE)
        if _settings(desired) == _settings(observed):
            return None
        lost = desired.endpoint != observed.endpoint and _is_as_before(desired, last)
        note = f"no handshake for {ROAMING} s: looked for at its configured endpoint again"
        return Difference(action=Action.UPDATE, note=note if lost else "")

    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Send one update per device, whatever the number of its peers."""
        del scope
        by_device: dict[str, list[Change]] = {}
        for change in changes:
            device = (change.after or change.before).device
            by_device.setdefault(device, []).append(change)
        failures: dict[str, HostError] = {}
        for device, batch in by_device.items():
            try:
                host.wireguard(device).configure(device, DeviceUpdate(peers=_updates_for(batch)))
            except Missing as error:
                if batch[0].action is not Action.DELETE:
                    failures |= dict.fromkeys((change.key for change in batch), error)
            except HostError as error:
                failures |= dict.fromkeys((change.key for change in batch), error)
        return failures

    def needs(self, key: str, value: DevicePeer) -> tuple[Need, ...]:
        """Return the device, with its key: a handshake with another key would fail."""
        del key
        return (Need("link", value.device), Need("wireguard", value.device))

    def dies_with(self, key: str, value: DevicePeer) -> tuple[Need, ...]:
        """Return the link."""
        del key
        return (Need("link", value.device),)


DEVICE: Final = DeviceKind()
PEERS: Final = PeerKind()


def _live_devices(view: View, scope: Scope) -> dict[str, LiveDevice]:
    """Return our devices that answer; a dead one is for the link kind to re-create."""
    links = owned_links(view, scope).values()
    named = {link.name: view.device(link.name) for link in links if link.kind in WIREGUARD_KINDS}
    return {name: live for name, live in named.items() if live is not None}


def _value_of(device: str, peer: LivePeer, now: int) -> DevicePeer:
    return DevicePeer(
        device=InterfaceName(device),
        public_key=peer.public_key,
        allowed_ips=peer.allowed_ips,
        endpoint=peer.endpoint,
        persistent_keepalive=peer.persistent_keepalive,
        preshared_key=peer.preshared_key,
        active=peer.last_handshake > 0 and now - peer.last_handshake < ROAMING,
    )


def _cost(desired: Device, observed: Device) -> tuple[Risk, str]:
    if observed.public_key and desired.public_key != observed.public_key:
        return Risk.SESSION_DROP, "another private key: all sessions start anew"
    if desired.listen_port != observed.listen_port:
        note = "peers that know the old port hear nothing until this host speaks first"
        return Risk.SESSION_DROP, note
    return Risk.HITLESS, ""


def _changed(before: T, after: T) -> T | None:
    return None if before == after else after


def _settings(peer: DevicePeer) -> tuple[object, ...]:
    return peer.allowed_ips, peer.endpoint, peer.persistent_keepalive, peer.preshared_key


def _is_as_before(desired: DevicePeer, last: DevicePeer | None) -> bool:
    return last is not None and last.endpoint == desired.endpoint


def _updates_for(changes: Sequence[Change]) -> tuple[PeerUpdate, ...]:
    """Turn changes into what to send. A prefix that one peer gains has left the other by that."""
    gained = {prefix for change in changes for prefix in _gained(change)}
    return tuple(_update_for(change, gained) for change in changes)


def _gained(change: Change) -> tuple[Prefix, ...]:
    if change.after is None:
        return ()
    before = frozenset(change.before.allowed_ips) if change.before else frozenset()
    return tuple(prefix for prefix in change.after.allowed_ips if prefix not in before)


def _update_for(change: Change, gained: set[Prefix]) -> PeerUpdate:
    before: DevicePeer | None = change.before
    after: DevicePeer | None = change.after
    if after is None:
        assert before is not None  # noqa: S101 - a change has one side at least
        return PeerUpdate(public_key=before.public_key, remove=True)
    if before is None:
        return PeerUpdate(
            public_key=after.public_key,
            endpoint=after.endpoint,
            persistent_keepalive=after.persistent_keepalive or None,
            preshared_key=after.preshared_key or None,
            add_allowed_ips=after.allowed_ips,
        )
    lost = [prefix for prefix in before.allowed_ips if prefix not in after.allowed_ips]
    return PeerUpdate(
        public_key=after.public_key,
        endpoint=_changed(before.endpoint, after.endpoint),
        persistent_keepalive=_changed(before.persistent_keepalive, after.persistent_keepalive),
        preshared_key=_changed(before.preshared_key, after.preshared_key),
        add_allowed_ips=_gained(change),
        remove_allowed_ips=tuple(prefix for prefix in lost if prefix not in gained),
    )
