"""Keep of what was observed or planned what lasts, so that two moments can be compared.

Of all that we look at, only WireGuard's peers change by themselves: they fall silent, and roam.
"""

from msgspec.structs import replace

from applier.diff import Observation
from applier.kind import KindValue
from applier.kinds import KINDS
from applier.kinds.wireguard import PEERS, DevicePeer
from applier.plan import Cause, Change, Observed


def keep_lasting(observed: Observation) -> Observation:
    """Return an observation without where and whether peers were heard.

    An endpoint that we would send is in a change, and so is not lost by this.
    """
    peers = observed[PEERS.name]
    lasting = {key: _keep_lasting_of_peer(peer) for key, peer in peers.owned.items()}
    # In an order of our own: two looks at the same host should give the same bytes.
    kinds = {kind.name: observed[kind.name] for kind in KINDS}
    return kinds | {PEERS.name: Observed(owned=lasting, foreign=peers.foreign)}


def keep_lasting_of(change: Change) -> Change:
    """Return a change without what may differ between two changes that do the same.

    Of a peer, an endpoint stays only where it is sent. A cause never stays: roaming alone can make
    it drift, and whatever else decides about a cause is compared by itself.
    """
    if change.kind != PEERS.name:
        return change
    before, after = change.before, change.after
    return replace(
        change,
        before=_keep_lasting_of_peer(before),
        after=_keep_sent(before, after),
        cause=Cause.DESIRED,
    )


def _keep_lasting_of_peer(peer: KindValue) -> KindValue:
    return None if peer is None else replace(peer, endpoint=None, active=False)


def _keep_sent(before: DevicePeer | None, after: DevicePeer | None) -> KindValue:
    if after is None or (before is not None and before.endpoint == after.endpoint):
        return _keep_lasting_of_peer(after)
    return replace(after, active=False)
