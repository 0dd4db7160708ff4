"""One host's live state to what an operator asks: who talks to us, since when, what drifted."""

from collections.abc import Mapping

from applier.host import Host, Link, LiveDevice, LivePeer
from applier.kinds.wireguard import ROAMING
from applier.memory import load_applied
from applier.ownership import WIREGUARD_KINDS, owned_links
from applier.paths import Paths
from applier.plan import Plan
from applier.situation import look, look_around
from applier.transition import make_plan
from applier.vault import Vault
from applier.view import View
from applier.wanted import Scope
from schemas.document import digest
from schemas.marks import LINK_GROUP
from schemas.state import API_VERSION, ApiVersion, ResolvedHost, ResolvedPeer, Value
from schemas.values import Endpoint, NodeName, Prefix, PublicKey


class PeerStatus(Value, frozen=True, kw_only=True, omit_defaults=False):
    """One peer on the live device."""

    name: NodeName | None
    """None: the desired state knows no peer of this key."""
    public_key: PublicKey
    allowed_ips: tuple[Prefix, ...]
    endpoint: Endpoint | None
    """Where it was heard last, or where we look for it first."""
    configured_endpoint: Endpoint | None
    roamed: bool
    """It talks to us from another endpoint than the configured one."""
    handshake_age: int | None
    """Seconds; None when there was no handshake."""
    received: int
    """Bytes."""
    sent: int
    """Bytes."""


class DeviceStatus(Value, frozen=True, kw_only=True, omit_defaults=False):
    """The live WireGuard device."""

    name: str
    implementation: str
    """``kernel`` or ``userspace``."""
    public_key: str
    listen_port: int
    up: bool
    mtu: int


class PendingStatus(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A change on trial."""

    digest: str
    """Of the desired state that was applied."""
    applied: bool
    """Whether its apply ended well; until then it cannot be confirmed."""
    seconds_left: int
    """In which it may be confirmed; 0: the host is going back, or does so at the next start."""
    watched: bool
    """Whether its watchdog is alive."""
    trouble: tuple[str, ...]
    """Why going back did not succeed when it was tried last."""


class RevertedStatus(Value, frozen=True, kw_only=True, omit_defaults=False):
    """A state that the host went back from, and that is not tried again by itself."""

    digest: str
    at: int
    """Unix seconds."""
    reason: str


class Status(Value, frozen=True, kw_only=True, omit_defaults=False, tag_field="kind", tag="Status"):
    """What ``wormhole status`` shows; ``schemas/status.schema.json`` describes it."""

    api_version: ApiVersion = API_VERSION
    host: str
    device: DeviceStatus | None
    peers: tuple[PeerStatus, ...]
    """Sorted by name; strangers last."""
    drift: Plan | None
    """What an apply would do; None when no desired state is known."""
    pending: PendingStatus | None = None
    """None: no change is on trial."""
    reverted: RevertedStatus | None = None
    """None: the host did not go back from anything since it converged to something else."""


def status(host: Host, resolved: ResolvedHost | None, *, vault: Vault, paths: Paths) -> Status:
    """Return the live state of one host, measured against a desired state.

    Without a desired state, the one that was applied last is taken. Without that either, marks
    say which device is ours; only its drift is unknown.

    Raises:
        Unobservable: live state could not be read whole.
        Problems: the desired state is not for this host.

    """
    known = resolved if resolved is not None else load_applied(host, paths)
    view = View(host)
    if known is None:
        situation = look_around(host, paths, view)
    else:
        situation = look(host, known, vault, paths, view)
    link, live = _find_device(view, situation.scope)
    return Status(
        host=known.host.name if known else "",
        device=_describe_device(link, live) if link and live else None,
        peers=_describe_peers(live, known, view.now) if live else (),
        drift=make_plan(situation, known.host.name, digest(known)) if known else None,
    )


def status_after(host: Host, resolved: ResolvedHost, left: Plan) -> Status:
    """Return the live state of a host whose drift has just been established: reads the device only.

    For who converges again and again: a whole observation costs a hundred times as much.

    Raises:
        Unobservable: the device could not be read whole.

    """
    view = View(host)
    link = view.links.get(resolved.host.wireguard.interface)
    ours = link is not None and link.group == LINK_GROUP and link.kind in WIREGUARD_KINDS
    live = view.device(link.name) if link is not None and ours else None
    return Status(
        host=resolved.host.name,
        device=_describe_device(link, live) if link and live else None,
        peers=_describe_peers(live, resolved, view.now) if live else (),
        drift=left,
    )


def _find_device(view: View, scope: Scope) -> tuple[Link | None, LiveDevice | None]:
    """Return the wanted device; where nothing is wanted, the first one that has our marks."""
    for name, link in sorted(owned_links(view, scope).items()):
        wanted = scope.names is None or name == scope.names.wireguard
        if wanted and link.kind in WIREGUARD_KINDS:
            return link, view.device(name)
    return None, None


def _describe_device(link: Link, live: LiveDevice) -> DeviceStatus:
    return DeviceStatus(
        name=link.name,
        implementation="kernel" if link.kind == "wireguard" else "userspace",
        public_key=live.public_key,
        listen_port=live.listen_port,
        up=link.up,
        mtu=link.mtu,
    )


def _describe_peers(
    live: LiveDevice, known: ResolvedHost | None, now: int
) -> tuple[PeerStatus, ...]:
    configured = known.peers if known else {}
    names = {peer.public_key: name for name, peer in configured.items()}
    peers = [
        _describe_peer(peer, names.get(peer.public_key), configured, now) for peer in live.peers
    ]
    return tuple(sorted(peers, key=lambda peer: (peer.name is None, peer.name, peer.public_key)))


def _describe_peer(
    peer: LivePeer, name: NodeName | None, peers: Mapping[NodeName, ResolvedPeer], now: int
) -> PeerStatus:
    configured = peers[name].endpoint if name is not None else None
    age = max(0, now - peer.last_handshake) if peer.last_handshake else None
    moved = None not in {configured, peer.endpoint} and configured != peer.endpoint
    return PeerStatus(
        name=name,
        public_key=peer.public_key,
        allowed_ips=peer.allowed_ips,
        endpoint=peer.endpoint,
        configured_endpoint=configured,
        roamed=moved and age is not None and age < ROAMING,
        handshake_age=age,
        received=peer.received,
        sent=peer.sent,
    )
