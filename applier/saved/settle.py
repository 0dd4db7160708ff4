"""What was observed or planned to the same without what changes of itself. Pure.

Of all that we look at, only WireGuard's peers do so: they are heard or not, and roam.
"""

from msgspec.structs import replace

from applier.diff import Observation
from applier.kind import KindValue
from applier.kinds import KINDS
from applier.kinds.wireguard import PEERS, DevicePeer
from applier.plan import Cause, Change, Observed


def settle(observed: Observation) -> Observation:
    """Return an observation without where and whether peers were heard.

    An endpoint that we would send is in a change, and so is not lost by this.
    """
    peers = observed[PEERS.name]
    settled = {key: _settle_peer(peer) for key, peer in peers.owned.items()}
    # In an order of our own: two looks at the same host should give the same bytes.
    kinds = {kind.name: observed[kind.name] for kind in KINDS}
    return kinds | {PEERS.name: Observed(owned=settled, foreign=peers.foreign)}


def settle_change(change: Change) -> Change:
    """Return a change without what may differ in it although it does the same.

    Of a peer's endpoint stays what is sent. Of its cause nothing: whether the host drifted may be a
    matter of roaming, and all else that a cause is judged by is compared by itself.
    """
    if change.kind != PEERS.name:
        return change
    before, after = change.before, change.after
    return replace(
        change, before=_settle_peer(before), after=_keep_sent(before, after), cause=Cause.DESIRED
    )


def _settle_peer(peer: KindValue) -> KindValue:
    return None if peer is None else replace(peer, endpoint=None, active=False)


def _keep_sent(before: DevicePeer | None, after: DevicePeer | None) -> KindValue:
    if after is None or (before is not None and before.endpoint == after.endpoint):
        return _settle_peer(after)
    return replace(after, active=False)
