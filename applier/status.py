"""One host's live state to what an operator asks: who talks to us, since when, what drifted."""

from applier.host import Host
from applier.paths import Paths
from applier.plan import Plan
from applier.vault import Vault
from schemas.state import ResolvedHost, Value
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


class Status(Value, frozen=True, kw_only=True, omit_defaults=False):
    """What ``wormhole status`` shows."""

    host: str
    device: DeviceStatus | None
    peers: tuple[PeerStatus, ...]
    """Sorted by name; strangers last."""
    drift: Plan | None
    """What an apply would do; None when no desired state is known."""


def status(host: Host, resolved: ResolvedHost | None, *, vault: Vault, paths: Paths) -> Status:
    """Return the live state of one host, measured against a desired state.

    Without a desired state, the one that was applied last is taken.

    Raises:
        Unobservable: live state could not be read whole.
        Problems: the desired state is not for this host.

    """
    raise NotImplementedError
