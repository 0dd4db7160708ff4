"""A node to its firewall: matches and verdicts, in no tool's words.

Order within a chain is meaning: the first rule that matches and does not merely change the
packet ends the chain. ``return`` hands the packet to whoever comes next at the hook.

The rules that name no pod CIDR of the host are the same on every host of a mesh. They are
remembered, so that a thousand hosts share them.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from compiler.addresses import PodNetwork
from compiler.topology import Family, Topology
from schemas.state import Chain, Firewall, Hook, Position, Rule, Stage, Value, Verdict
from schemas.values import InterfaceName, Prefix

LOOPBACK: Final = InterfaceName("lo")
MULTICAST: Final = {False: Prefix("224.0.0.0/4"), True: Prefix("ff00::/8")}
LINK_LOCAL: Final = Prefix("fe80::/10")
UNSPECIFIED: Final = Prefix("::/128")

_remembered = lru_cache(maxsize=16)
"""Sized for both families of a few meshes: a long-lived agent must not collect old ones."""

Pods = tuple[Prefix, ...]
"""The host's own pod CIDRs of one family; may be empty."""


class Scene(Value, frozen=True, kw_only=True):
    """One IP family of a mesh, and the names of the devices on its hosts."""

    family: Family
    wg: InterfaceName
    br: InterfaceName


def project_firewall(topology: Topology, networks: tuple[PodNetwork, ...]) -> Firewall:
    """Return the chains of each IP family that the overlay uses."""
    mesh = topology.mesh
    chains: dict[bool, tuple[Chain, ...]] = {}
    for family in topology.families:
        scene = Scene(family=family, wg=mesh.interface, br=mesh.bridge)
        pods = tuple(network.prefix for network in networks if network.ipv6 is family.ipv6)
        chains[family.ipv6] = (
            _guard(scene, pods),
            _mss(scene),
            _antispoof(scene, pods),
            _forward(scene, pods),
            _nat(scene, pods, masquerade=mesh.masquerade),
        )
    return Firewall(
        iptables_variant=mesh.iptables_variant,
        ipv4=chains.get(False, ()),
        ipv6=chains.get(True, ()),
    )


def _guard(scene: Scene, pods: Pods) -> Chain:
    """Let nothing for the overlay out in clear.

    It hangs at mangle POSTROUTING and not at filter OUTPUT, where the output device is still
    the one from before destination NAT: a host's packet to a Service would be misjudged. Here
    forwarded and local packets show the device they leave by, and source NAT is yet to come.
    """
    return Chain(
        name="guard",
        stage=Stage.MANGLE,
        hooks=(Hook.POSTROUTING,),
        position=Position.FIRST,
        rules=(
            *_right_exits(scene),
            *_to(pods, Verdict.RETURN, "to a pod of this host", leaving=scene.br),
            *_wrong_exits(scene),
        ),
    )


@_remembered
def _right_exits(scene: Scene) -> tuple[Rule, ...]:
    return (
        Rule(verdict=Verdict.RETURN, comment="encrypted by the tunnel", output=scene.wg),
        Rule(verdict=Verdict.RETURN, comment="stays on this host", output=LOOPBACK),
    )


@_remembered
def _wrong_exits(scene: Scene) -> tuple[Rule, ...]:
    return _to(scene.family.overlay, Verdict.DROP, "the overlay is never sent in clear")


@_remembered
def _mss(scene: Scene) -> Chain:
    """Make TCP fit the tunnel even where the ICMP that would say so is lost."""
    clamp = Rule(
        verdict=Verdict.CLAMP_MSS,
        comment="TCP segments fit the tunnel",
        output=scene.wg,
        tcp_syn=True,
    )
    return Chain(
        name="mss",
        stage=Stage.MANGLE,
        hooks=(Hook.POSTROUTING,),
        position=Position.FIRST,
        rules=(clamp,),
    )


def _antispoof(scene: Scene, pods: Pods) -> Chain:
    """Let every source in only by the device it lives behind.

    Stateless, and before everybody else's rules: an ACCEPT for established connections must not
    let a forged packet by. The kernel translates the sources of replies after the filter stage
    (``NF_IP_PRI_NAT_SRC``), so what is seen here is who really sent the packet.
    """
    forged = "no peer speaks for a pod of this host"
    return Chain(
        name="antispoof",
        stage=Stage.FILTER,
        hooks=(Hook.INPUT, Hook.FORWARD),
        position=Position.FIRST,
        rules=(
            Rule(verdict=Verdict.RETURN, comment="this host to itself", input=LOOPBACK),
            *_from(pods, Verdict.RETURN, "from a pod of this host", entering=scene.br),
            *_other_bridge_sources(scene),
            *_from(pods, Verdict.DROP, forged, entering=scene.wg),
            *_tunnel_sources(scene),
        ),
    )


@_remembered
def _other_bridge_sources(scene: Scene) -> tuple[Rule, ...]:
    """Return what pods may send beside their own addresses: IPv6 looks for its neighbours."""
    neighbours, detection = "neighbour discovery of pods", "duplicate address detection of pods"
    needed = (
        *_from((LINK_LOCAL,), Verdict.RETURN, neighbours, entering=scene.br),
        *_from((UNSPECIFIED,), Verdict.RETURN, detection, entering=scene.br),
    )
    return (
        *(needed if scene.family.ipv6 else ()),
        Rule(verdict=Verdict.DROP, comment="no pod uses a foreign source", input=scene.br),
    )


@_remembered
def _tunnel_sources(scene: Scene) -> tuple[Rule, ...]:
    """Return what peers may send: overlay sources, and nobody else may send those."""
    overlay, foreign = scene.family.overlay, "no peer uses a source outside the overlay"
    return (
        *_from(overlay, Verdict.RETURN, "decrypted, from a peer", entering=scene.wg),
        Rule(verdict=Verdict.DROP, comment=foreign, input=scene.wg),
        *_from(overlay, Verdict.DROP, "overlay sources come by the tunnel only"),
    )


def _forward(scene: Scene, pods: Pods) -> Chain:
    """Accept pod traffic where the host drops forwarded packets by default.

    Last, so that network-policy controllers and the operator's own rules decide before.
    """
    return Chain(
        name="forward",
        stage=Stage.FILTER,
        hooks=(Hook.FORWARD,),
        position=Position.LAST,
        rules=(
            *_from(pods, Verdict.ACCEPT, "from a pod of this host", entering=scene.br),
            *_to(pods, Verdict.ACCEPT, "to a pod of this host", leaving=scene.br),
            *_forward_peers(scene),
        ),
    )


@_remembered
def _forward_peers(scene: Scene) -> tuple[Rule, ...]:
    return (
        *_from(scene.family.overlay, Verdict.ACCEPT, "from a peer", entering=scene.wg),
        *_to(scene.family.overlay, Verdict.ACCEPT, "to a peer", leaving=scene.wg),
    )


def _nat(scene: Scene, pods: Pods, *, masquerade: bool) -> Chain:
    """Translate sources where replies would not come back otherwise, and nowhere else."""
    return Chain(
        name="nat",
        stage=Stage.NAT,
        hooks=(Hook.POSTROUTING,),
        position=Position.FIRST,
        rules=(
            *_inside_overlay(scene),
            *(_masquerade(scene.family, pods) if masquerade else ()),
            *_overlay_sources(scene),
            *_to(pods, Verdict.RETURN, "pods of this host see who calls"),
            *_into_tunnel(scene),
        ),
    )


@_remembered
def _inside_overlay(scene: Scene) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            verdict=Verdict.RETURN,
            comment="no translation inside the overlay",
            source=source,
            destination=destination,
        )
        for source in scene.family.overlay
        for destination in scene.family.overlay
    )


def _masquerade(family: Family, pods: Pods) -> tuple[Rule, ...]:
    """Return the rules for pods that leave the overlay."""
    kept = [(prefix, "excepted from masquerading") for prefix in family.no_masquerade]
    kept.append((MULTICAST[family.ipv6], "multicast has no replies to translate"))
    exceptions = (
        Rule(verdict=Verdict.RETURN, comment=comment, source=source, destination=destination)
        for source in pods
        for destination, comment in kept
    )
    own = "pods reach the outside as this host"
    return (*exceptions, *_from(pods, Verdict.MASQUERADE, own))


@_remembered
def _overlay_sources(scene: Scene) -> tuple[Rule, ...]:
    return _from(scene.family.overlay, Verdict.RETURN, "overlay sources are kept")


@_remembered
def _into_tunnel(scene: Scene) -> tuple[Rule, ...]:
    """Return the rules for outside callers of remote pods, such as those of a NodePort.

    Peers accept only our own pod CIDRs from us, and the answer must come back to where the
    destination was translated.
    """
    own = "replies of remote pods come back here"
    return _to(scene.family.overlay, Verdict.MASQUERADE, own, leaving=scene.wg)


def _from(
    sources: Iterable[Prefix],
    verdict: Verdict,
    comment: str,
    *,
    entering: InterfaceName | None = None,
) -> tuple[Rule, ...]:
    return tuple(
        Rule(verdict=verdict, comment=comment, input=entering, source=source) for source in sources
    )


def _to(
    destinations: Iterable[Prefix],
    verdict: Verdict,
    comment: str,
    *,
    leaving: InterfaceName | None = None,
) -> tuple[Rule, ...]:
    return tuple(
        Rule(verdict=verdict, comment=comment, output=leaving, destination=destination)
        for destination in destinations
    )
