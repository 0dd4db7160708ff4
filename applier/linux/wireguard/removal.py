"""Which single prefixes an update still has to take away, judged by the live device."""

from applier.host import DeviceUpdate, LiveDevice, PeerUpdate
from schemas.values import Prefix


def wants_removals(update: DeviceUpdate) -> bool:
    """Whether any peer that stays is to lose single prefixes."""
    return any(peer.remove_allowed_ips for peer in update.peers if not peer.remove)


def only_removes(peer: PeerUpdate) -> bool:
    """Whether an update does nothing but take prefixes: such a peer is never to be made by it."""
    return peer.remove_allowed_ips != () and peer == PeerUpdate(
        public_key=peer.public_key, remove_allowed_ips=peer.remove_allowed_ips
    )


def prefixes_to_remove(update: DeviceUpdate, live: LiveDevice) -> tuple[Prefix, ...]:
    """Return the prefixes that are still with the peer that is to lose them.

    One that has moved to another peer since must be left alone: taking it away would take it
    from its new holder, whoever that is.
    """
    held = {peer.public_key: set(peer.allowed_ips) for peer in live.peers}
    return tuple(
        prefix
        for peer in update.peers
        if not peer.remove
        for prefix in peer.remove_allowed_ips
        if prefix in held.get(peer.public_key, ())
    )
