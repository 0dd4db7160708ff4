"""What a host remembers, put so that it can still be converged to after its key was rotated."""

from msgspec.structs import replace

from applier.view import View
from schemas.state import ResolvedHost
from schemas.values import PublicKey


def has_key(view: View, resolved: ResolvedHost) -> bool:
    """Whether the live device has the key that a document names."""
    device = resolved.host.wireguard
    live = view.device(device.interface)
    return live is not None and live.public_key == device.public_key


def recall(applied: ResolvedHost, own: PublicKey, view: View) -> ResolvedHost:
    """Return what was applied last, for the key that the device can have.

    No peer knows a new key before its source does. So a device goes on with the old one, and its
    sessions, for as long as it has it; one that has to be made again gets the key that there is.
    """
    device = applied.host.wireguard
    if device.public_key == own or has_key(view, applied):
        return applied
    return replace(applied, host=replace(applied.host, wireguard=replace(device, public_key=own)))
