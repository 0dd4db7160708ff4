"""A node to its firewall: matches and verdicts, in no tool's words.

Order within a chain is meaning: the first rule that matches and does not merely change the
packet ends the chain. ``return`` hands the packet to whoever comes next at the hook.

The rules that name no pod CIDR of the host are the same on every host of a mesh. They are
remembered, so that a thousand hosts share them.
"""

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
            *(
                Rule(
                    verdict=Verdict.RETURN,
                    comment="to a pod of this host",
                    output=scene.br,
                    destination=prefix,
                )
                for prefix in pods
            ),
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
    comment = "the overlay is never sent in clear"
    return tuple(
        Rule(verdict=Verdict.DROP, comment=comment, destination=prefix)
        for prefix in scene.family.overlay
    )


@_remembered
def _mss(scene: Scene) -> Chain:
    """Make TCP fit the tunnel even where the ICMP that would say so is lost."""
    return Chain(
        name="mss",
        stage=Stage.MANGLE,
        hooks=(Hook.POSTROUTING,),
        position=Position.FIRST,
        rules=(
            Rule(
                verdict=Verdict.CLAMP_MSS,
                comment="TCP segments fit the tunnel",
                output=scene.wg,
                tcp_syn=True,
            ),
        ),
    )


def _antispoof(scene: Scene, pods: Pods) -> Chain:
    """Let every source in only by the device it lives behind.

    Stateless, and before everybody else's rules: an ACCEPT for established connections must not
    let a forged packet by. The kernel translates the sources of replies after the filter stage
    (``NF_IP_PRI_NAT_SRC``), so what is seen here is who really sent the packet.
    """
    return Chain(
        name="antispoof",
        stage=Stage.FILTER,
        hooks=(Hook.INPUT, Hook.FORWARD),
        position=Position.FIRST,
        rules=(
            Rule(verdict=Verdict.RETURN, comment="this host to itself", input=LOOPBACK),
            *(
                Rule(
                    verdict=Verdict.RETURN,
                    comment="from a pod of this host",
                    input=scene.br,
                    source=prefix,
                )
                for prefix in pods
            ),
            *_other_bridge_sources(scene),
            *(
                Rule(
                    verdict=Verdict.DROP,
                    comment="no peer speaks for a pod of this host",
                    input=scene.wg,
                    source=prefix,
                )
                for prefix in pods
            ),
            *_tunnel_sources(scene),
        ),
    )


@_remembered
def _other_bridge_sources(scene: Scene) -> tuple[Rule, ...]:
    """Return what pods may send beside their own addresses: IPv6 looks for its neighbours."""
    needed = (
        (LINK_LOCAL, "neighbour discovery of pods"),
        (UNSPECIFIED, "duplicate address detection of pods"),
    )
    return (
        *(
            Rule(verdict=Verdict.RETURN, comment=comment, input=scene.br, source=source)
            for source, comment in (needed if scene.family.ipv6 else ())
        ),
        Rule(verdict=Verdict.DROP, comment="no pod uses a foreign source", input=scene.br),
    )


@_remembered
def _tunnel_sources(scene: Scene) -> tuple[Rule, ...]:
    """Return what peers may send: overlay sources, and nobody else may send those."""
    overlay = scene.family.overlay
    accepted, forged = "decrypted, from a peer", "overlay sources come by the tunnel only"
    return (
        *(
            Rule(verdict=Verdict.RETURN, comment=accepted, input=scene.wg, source=prefix)
            for prefix in overlay
        ),
        Rule(
            verdict=Verdict.DROP,
            comment="no peer uses a source outside the overlay",
            input=scene.wg,
        ),
        *(Rule(verdict=Verdict.DROP, comment=forged, source=prefix) for prefix in overlay),
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
            *(
                Rule(
                    verdict=Verdict.ACCEPT,
                    comment="from a pod of this host",
                    input=scene.br,
                    source=prefix,
                )
                for prefix in pods
            ),
            *(
                Rule(
                    verdict=Verdict.ACCEPT,
                    comment="to a pod of this host",
                    output=scene.br,
                    destination=prefix,
                )
                for prefix in pods
            ),
            *_forward_peers(scene),
        ),
    )


@_remembered
def _forward_peers(scene: Scene) -> tuple[Rule, ...]:
    overlay, wg = scene.family.overlay, scene.wg
    return (
        *(
            Rule(verdict=Verdict.ACCEPT, comment="from a peer", input=wg, source=prefix)
            for prefix in overlay
        ),
        *(
            Rule(verdict=Verdict.ACCEPT, comment="to a peer", output=wg, destination=prefix)
            for prefix in overlay
        ),
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
            *(
                Rule(
                    verdict=Verdict.RETURN,
                    comment="pods of this host see who calls",
                    destination=prefix,
                )
                for prefix in pods
            ),
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
    own = "pods reach the outside as this host"
    return tuple(
        rule
        for source in pods
        for rule in (
            *(
                Rule(
                    verdict=Verdict.RETURN, comment=comment, source=source, destination=destination
                )
                for destination, comment in kept
            ),
            Rule(verdict=Verdict.MASQUERADE, comment=own, source=source),
        )
    )


@_remembered
def _overlay_sources(scene: Scene) -> tuple[Rule, ...]:
    return tuple(
        Rule(verdict=Verdict.RETURN, comment="overlay sources are kept", source=prefix)
        for prefix in scene.family.overlay
    )


@_remembered
def _into_tunnel(scene: Scene) -> tuple[Rule, ...]:
    """Return the rules for outside callers of remote pods, such as those of a NodePort.

    A peer accepts only our own pod CIDRs from us, and its answer must come back to where the
    destination was translated.
    """
    return tuple(
        Rule(
            verdict=Verdict.MASQUERADE,
            comment="replies of remote pods come back here",
            output=scene.wg,
            destination=prefix,
        )
        for prefix in scene.family.overlay
    )
