"""A host's status to a table, and a last line that scripts look for."""

from collections.abc import Iterable, Sequence
from typing import Final

from applier.status import DeviceStatus, PeerStatus, Status
from wormhole.console import Paint, paint_plain
from wormhole.remarks import count
from wormhole.views.plan import describe_change
from wormhole.views.trial import say_trials

_HEADER: Final = ("PEER", "ENDPOINT", "HANDSHAKE", "RECEIVED", "SENT")
_RECENT: Final = 180
"""Seconds: ``REJECT_AFTER_TIME`` of the WireGuard protocol, the life of a session."""
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB")
_KIBI: Final = 1024
_SHOWN: Final = 10


def describe_status(status: Status, *, paint: Paint = paint_plain, verbose: bool = False) -> str:
    """Return the device, its peers, what drifted, and the last line."""
    blocks = [_describe_device(status.device, paint)]
    if status.peers:
        rows = [_HEADER, *map(_row_of, status.peers)]
        blocks.append("\n".join(_align(rows, paint)))
    roamed = [peer for peer in status.peers if peer.roamed]
    if roamed:
        blocks.append("\n".join(map(_describe_roaming, roamed if verbose else roamed[:_SHOWN])))
    if status.drift is not None and status.drift.changes:
        changes = status.drift.changes
        shown = changes if verbose else changes[:_SHOWN]
        lines = [f"drift: {describe_change(change)}" for change in shown]
        if len(changes) > len(shown):
            lines.append(f"drift: {len(changes) - len(shown)} more (-v names them)")
        blocks.append("\n".join(paint("warning", line) for line in lines))
    if trials := say_trials(status):
        blocks.append("\n".join(paint("warning", line) for line in trials))
    return "\n\n".join([*blocks, summarise_status(status)])


def summarise_status(status: Status) -> str:
    """Return the last line."""
    ages = [peer.handshake_age for peer in status.peers]
    recent = sum(age is not None and age <= _RECENT for age in ages)
    if status.drift is None:
        drift = "no desired state is known"
    elif status.drift.changes:
        drift = f"drift: {count(len(status.drift.changes), 'change')}"
    else:
        drift = "no drift"
    peers = f"{count(len(ages), 'peer')}, {recent} with a live session"
    return f"Status: {status.host or 'this host'}, {peers}; {drift}."


def spell_age(seconds: int | None) -> str:
    """Return ``never``, ``12 s ago``, ``3 min ago``, ``2 h ago`` or ``5 d ago``."""
    if seconds is None:
        return "never"
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit} ago"
    return f"{max(seconds, 0)} s ago"


def spell_bytes(number: int) -> str:
    """Return a count of bytes in the largest unit that fits: ``148 B``, ``1.2 MiB``."""
    if number < _KIBI:
        return f"{number} B"
    power = min((number.bit_length() - 1) // 10, len(_UNITS))
    return f"{number / _KIBI**power:.1f} {_UNITS[power - 1]}"


def _describe_device(device: DeviceStatus | None, paint: Paint) -> str:
    if device is None:
        return paint("warning", "no WireGuard device of ours")
    state = paint("good", "up") if device.up else paint("error", "down")
    return (
        f"{paint('strong', device.name)}  {state}, {device.implementation},"
        f" port {device.listen_port}, mtu {device.mtu}\n"
        f"public key {device.public_key or '(none)'}"
    )


def _row_of(peer: PeerStatus) -> tuple[str, ...]:
    return (
        peer.name or f"(unknown) {peer.public_key}",
        (peer.endpoint or "-") + (" *" if peer.roamed else ""),
        spell_age(peer.handshake_age),
        spell_bytes(peer.received),
        spell_bytes(peer.sent),
    )


def _align(rows: Sequence[tuple[str, ...]], paint: Paint) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for place, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield paint("faint", line.rstrip()) if place == 0 else line.rstrip()


def _describe_roaming(peer: PeerStatus) -> str:
    name = peer.name or peer.public_key
    return f"* {name} roamed: it is configured at {peer.configured_endpoint}"
