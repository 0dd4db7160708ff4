"""The desired state: what the compiler writes, people review and the applier converges to.

``mesh.json`` is a :class:`MeshState`: every peer once. ``hosts/<node>.json`` is a
:class:`HostState`: what is that host's own, and the peer groups it joins.
:func:`schemas.resolve.resolve` joins the two into a :class:`ResolvedHost`.

Every type is frozen, knows no secret, and refuses fields it does not know. An absent
optional field always means "none", never "leave alone".
"""

from enum import StrEnum
from typing import Final, Literal

import msgspec

from schemas.values import Endpoint, InterfaceAddress, InterfaceName, NodeName, Prefix, PublicKey

ApiVersion = Literal["wormhole.dev/v1alpha1"]
API_VERSION: Final = "wormhole.dev/v1alpha1"

_WORDS = {"ips": "IPs", "cidrs": "CIDRs", "mtu": "MTU", "mss": "MSS"}


def _camel_case(name: str) -> str:
    """Spell a field as documents do: ``allowed_ips`` becomes ``allowedIPs``."""
    first, *rest = name.split("_")
    return first + "".join(_WORDS.get(word, word.capitalize()) for word in rest)


class Value(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
    rename=_camel_case,
):
    """The base of every value that crosses a room: frozen, compared by content.

    msgspec inherits these options but for ``kw_only``, which each class repeats; ``frozen`` is
    repeated for type checkers, which do not see it inherited.

    ``gc=False`` keeps values out of the cyclic garbage collector's rounds, which would take a
    third of the time at thousands of nodes. A frozen value made of earlier ones has no cycles.
    """


class Peer(Value, frozen=True, kw_only=True):
    """One node as every other node sees it."""

    public_key: PublicKey
    allowed_ips: tuple[Prefix, ...]
    endpoint: Endpoint | None = None
    """Absent: the node cannot be reached first, it must speak first."""


PeerGroup = dict[NodeName, Peer]


class MeshState(Value, frozen=True, kw_only=True, tag_field="kind", tag="MeshState"):
    """``mesh.json``: the peer groups, each peer once, by node name."""

    name: str
    peer_groups: dict[str, PeerGroup]
    api_version: ApiVersion


class WireGuard(Value, frozen=True, kw_only=True):
    """A host's WireGuard device. The private key is not here: it never leaves its host."""

    interface: InterfaceName
    public_key: PublicKey
    listen_port: int
    mtu: int
    addresses: tuple[InterfaceAddress, ...]
    peer_groups: tuple[str, ...]
    persistent_keepalive: int = 0
    """Seconds between keepalives this host sends to each of its peers; 0 is off."""
    preshared_key_epoch: str | None = None
    """The epoch whose master secret the host derives its pre-shared keys from."""


class Bridge(Value, frozen=True, kw_only=True):
    """The bridge that this host's pods are plugged into."""

    interface: InterfaceName
    mac: str
    """Fixed, because a bridge without its own address takes the lowest of its ports'."""
    mtu: int
    addresses: tuple[InterfaceAddress, ...]


class RouteType(StrEnum):
    """The route types we use (``RTN_*`` in ``linux/rtnetlink.h``)."""

    UNICAST = "unicast"
    UNREACHABLE = "unreachable"


class Route(Value, frozen=True, kw_only=True):
    """A route in the main table. Its key is (destination, metric)."""

    destination: Prefix
    type: RouteType
    metric: int
    device: InterfaceName | None = None


class Hook(StrEnum):
    """Where the kernel shows us a packet (``enum nf_inet_hooks``)."""

    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"
    POSTROUTING = "postrouting"


class Stage(StrEnum):
    """What a chain may do at its hook: iptables says table, nftables says priority."""

    MANGLE = "mangle"
    NAT = "nat"
    FILTER = "filter"


class Position(StrEnum):
    """Where in its hook a chain is called, with respect to everybody else's rules."""

    FIRST = "first"
    LAST = "last"


class Verdict(StrEnum):
    """What happens to a packet that matches."""

    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    MASQUERADE = "masquerade"
    """Source NAT to the outgoing device's address, with fully random ports."""
    CLAMP_MSS = "clampMSS"
    """Lower TCP's maximum segment size to what the outgoing path carries."""


class Rule(Value, frozen=True, kw_only=True):
    """All present matches must hold. ``comment`` is the reason, for whoever reads the ruleset."""

    verdict: Verdict
    comment: str
    input: InterfaceName | None = None
    output: InterfaceName | None = None
    source: Prefix | None = None
    destination: Prefix | None = None
    tcp_syn: bool = False
    """Match only TCP segments that open a connection (SYN set, RST clear)."""


class Chain(Value, frozen=True, kw_only=True):
    """A list of rules of ours, called from one or more hooks at one position."""

    name: str
    """Lower case, such as ``guard``; renderers add their own mark of ownership."""
    stage: Stage
    hooks: tuple[Hook, ...]
    position: Position
    rules: tuple[Rule, ...]


class IptablesVariant(StrEnum):
    """Which of the two iptables back ends to write to."""

    AUTO = "auto"
    NFT = "nft"
    LEGACY = "legacy"


class Firewall(Value, frozen=True, kw_only=True):
    """The chains of each IP family; a family that the overlay does not use has none."""

    iptables_variant: IptablesVariant
    ipv4: tuple[Chain, ...] = ()
    ipv6: tuple[Chain, ...] = ()


class Cni(Value, frozen=True, kw_only=True):
    """The CNI configuration file: its name, and its content as CNI's specification has it."""

    file_name: str
    config: dict[str, object]


class HostState(Value, frozen=True, kw_only=True, tag_field="kind", tag="HostState"):
    """``hosts/<node>.json``: everything that is this host's own."""

    name: NodeName
    mesh: str
    wireguard: WireGuard
    bridge: Bridge
    routes: tuple[Route, ...]
    sysctls: dict[str, str]
    firewall: Firewall
    cni: Cni
    api_version: ApiVersion


class Documents(Value, frozen=True, kw_only=True):
    """A state folder: the whole desired state of a mesh."""

    mesh: MeshState
    hosts: dict[NodeName, HostState]
    """Sorted by name."""


class ResolvedPeer(Value, frozen=True, kw_only=True):
    """A peer as one host configures it."""

    public_key: PublicKey
    allowed_ips: tuple[Prefix, ...]
    endpoint: Endpoint | None = None
    persistent_keepalive: int = 0


class ResolvedHost(Value, frozen=True, kw_only=True, tag_field="kind", tag="ResolvedHost"):
    """One host's whole desired state: its own document, and its peers by name."""

    host: HostState
    peers: dict[NodeName, ResolvedPeer]
    api_version: ApiVersion
