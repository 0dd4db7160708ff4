"""Why a host's firewall has each chain and each rule; a rule is known by its comment.

Within a chain no two kinds of rule share a comment, and a test holds these tables to the compiler.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from compiler.firewall import LOOPBACK
from compiler.origins.host_reasons import families
from compiler.origins.marks import Mark
from compiler.origins.reason import Find, Reason, Scene, Table, nothing, of_all, of_mesh
from compiler.reading import Path

_FIREWALL: Final = "compiler/firewall.py"
_PROJECT: Final = f"{_FIREWALL}: project_firewall"
_FAMILIES: Final = {"ipv4": False, "ipv6": True}
_RULE_DEPTH: Final = 5
"""Steps to a rule: ``firewall``, the family, the chain, ``rules``, the rule."""


class _Kind(NamedTuple):
    """One kind of rule."""

    says: str
    made_by: str
    source: str = ""
    """What its source is: an ``overlay`` CIDR, a ``pod`` CIDR, an ``exception``; empty: fixed."""
    destination: str = ""
    switched: bool = False
    """Whether masquerading may be off, and then there is no such rule."""


_CHAINS: Final = {
    "guard": Reason(
        "Nothing for the overlay leaves in clear. It hangs first at mangle POSTROUTING, where a"
        " packet shows the device it really leaves by: in OUTPUT a Service's destination is not"
        " translated yet.",
        f"{_FIREWALL}: _guard",
        nothing,
    ),
    "mss": Reason(
        "TCP fits the tunnel even where the ICMP that would say so is lost.",
        f"{_FIREWALL}: _mss",
        nothing,
    ),
    "antispoof": Reason(
        "Every source comes in only by the device that it lives behind. It keeps no state and comes"
        " before everybody else's rules: an ACCEPT for established connections must not let a"
        " forged packet by.",
        f"{_FIREWALL}: _antispoof",
        nothing,
    ),
    "forward": Reason(
        "Pod traffic is accepted also where the host drops forwarded packets by default. It comes"
        " last, so that network-policy controllers and your own rules decide before.",
        f"{_FIREWALL}: _forward",
        nothing,
    ),
    "nat": Reason(
        "Sources are translated where replies would not come back otherwise, and nowhere else.",
        f"{_FIREWALL}: _nat",
        nothing,
    ),
}

_KINDS: Final = {
    ("guard", "encrypted by the tunnel"): _Kind(
        "What leaves by the tunnel is encrypted there, and may go on.", "_right_exits"
    ),
    ("guard", "stays on this host"): _Kind(
        "What leaves by the loopback device stays on this host, and may go on.", "_right_exits"
    ),
    ("guard", "to a pod of this host"): _Kind(
        "A pod of this host is reached by the bridge, without the tunnel.",
        "_guard",
        destination="pod",
    ),
    ("guard", "the overlay is never sent in clear"): _Kind(
        "What is for the overlay and got here leaves by some other device than the tunnel or the"
        " bridge: in clear. So it is dropped, whatever routes say.",
        "_wrong_exits",
        destination="overlay",
    ),
    ("mss", "TCP segments fit the tunnel"): _Kind(
        "TCP connections that open through the tunnel are told its segment size, so that they do"
        " not hang where the ICMP that would say so is lost.",
        "_mss",
    ),
    ("antispoof", "this host to itself"): _Kind(
        "What the host sends to itself may have any of its addresses.", "_antispoof"
    ),
    ("antispoof", "from a pod of this host"): _Kind(
        "A pod of this host speaks in its own name, by the bridge that it is behind.",
        "_antispoof",
        source="pod",
    ),
    ("antispoof", "neighbour discovery of pods"): _Kind(
        "IPv6 pods look for their neighbours from link-local addresses.", "_other_bridge_sources"
    ),
    ("antispoof", "duplicate address detection of pods"): _Kind(
        "An IPv6 pod asks without a source whether its address is taken.", "_other_bridge_sources"
    ),
    ("antispoof", "no pod uses a foreign source"): _Kind(
        "What else comes from the bridge has a source that is no pod's here: forged, and dropped.",
        "_other_bridge_sources",
    ),
    ("antispoof", "no peer speaks for a pod of this host"): _Kind(
        "Pods of this host are behind its bridge. What comes from a peer in their name is forged.",
        "_antispoof",
        source="pod",
    ),
    ("antispoof", "decrypted, from a peer"): _Kind(
        "An overlay source that comes by the tunnel is its peer's: WireGuard has checked it.",
        "_tunnel_sources",
        source="overlay",
    ),
    ("antispoof", "no peer uses a source outside the overlay"): _Kind(
        "A peer sends from its pod CIDRs, which are inside the overlay; all else is dropped.",
        "_tunnel_sources",
    ),
    ("antispoof", "overlay sources come by the tunnel only"): _Kind(
        "What has an overlay source and came by neither tunnel nor bridge came in clear: anybody"
        " on the underlay could have forged it.",
        "_tunnel_sources",
        source="overlay",
    ),
    ("forward", "from a pod of this host"): _Kind(
        "Pods of this host may send, also where the host forwards nothing by default.",
        "_forward",
        source="pod",
    ),
    ("forward", "to a pod of this host"): _Kind(
        "Pods of this host are reached, also where the host forwards nothing by default.",
        "_forward",
        destination="pod",
    ),
    ("forward", "from a peer"): _Kind(
        "What peers sent is forwarded, also where the host forwards nothing by default.",
        "_forward_peers",
        source="overlay",
    ),
    ("forward", "to a peer"): _Kind(
        "What is for peers is forwarded, also where the host forwards nothing by default.",
        "_forward_peers",
        destination="overlay",
    ),
    ("nat", "no translation inside the overlay"): _Kind(
        "Inside the overlay everybody sees who really calls, and replies find their way back.",
        "_inside_overlay",
        source="overlay",
        destination="overlay",
    ),
    ("nat", "excepted from masquerading"): _Kind(
        "The Mesh lists this network as one that knows the way back to pods: it sees their own"
        " addresses.",
        "_masquerade",
        source="pod",
        destination="exception",
        switched=True,
    ),
    ("nat", "multicast has no replies to translate"): _Kind(
        "Nobody replies to multicast, so its source is kept.",
        "_masquerade",
        source="pod",
        switched=True,
    ),
    ("nat", "pods reach the outside as this host"): _Kind(
        "Outside of the overlay nobody knows the way back to a pod: it calls in this host's name.",
        "_masquerade",
        source="pod",
        switched=True,
    ),
    ("nat", "overlay sources are kept"): _Kind(
        "What pods and hosts of the overlay send is not translated from here on.",
        "_overlay_sources",
        source="overlay",
    ),
    ("nat", "pods of this host see who calls"): _Kind(
        "A caller from outside keeps its source, for the reply comes back by this host anyway.",
        "_nat",
        destination="pod",
    ),
    ("nat", "replies of remote pods come back here"): _Kind(
        "A caller from outside, such as one of a NodePort, goes to another host's pod in this"
        " host's name: peers accept no other source from here, and the reply must come back to"
        " where the destination was translated.",
        "_into_tunnel",
        destination="overlay",
    ),
}


def find_firewall_reason(document: Any, path: Path) -> Reason | None:  # noqa: ANN401 - JSON is anything
    """Return the reason of a chain, a rule, or a field of one; None for one that we never write."""
    held = document["firewall"][path[1]][path[2]]
    reason = _CHAINS.get(held.get("name"))
    if reason is None or len(path) < _RULE_DEPTH:
        return reason and reason._replace(find=_family)
    rule = held["rules"][path[4]]
    kind = _KINDS.get((held["name"], rule.get("comment")))
    if kind is None:
        return None
    finds = _finds(kind, rule)
    field = path[_RULE_DEPTH] if len(path) > _RULE_DEPTH else ""
    find = finds.get(str(field)) or of_all(*finds.values())
    within = f"In {held['name']}: {reason.says}"
    return Reason(kind.says, f"{_FIREWALL}: {kind.made_by}", find, within=within)


def _finds(kind: _Kind, rule: Any) -> dict[str, Find]:  # noqa: ANN401 - as above
    """Return where the fields of a rule come from, and why there is such a rule at all.

    A rule that names no prefix is there once for its IP family.
    """
    prefixes = {"source": kind.source, "destination": kind.destination}
    finds = {field: _prefix(field, of) for field, of in prefixes.items() if of}
    finds = finds or {"family": _family}
    for field in ("input", "output"):
        if rule.get(field, LOOPBACK) != LOOPBACK:
            finds[field] = _device(field)
    if kind.switched:
        finds["switch"] = of_mesh("masquerade")
    return finds


def _family(scene: Scene) -> Iterator[Mark]:
    return scene.evidence.overlays(ipv6=_FAMILIES[str(scene.path[1])])


def _device(field: str) -> Find:
    def find(scene: Scene) -> Iterator[Mark]:
        bridge = scene.evidence.values.bridge
        return scene.evidence.mesh_field(
            "bridge" if _rule_of(scene)[field] == bridge else "interface"
        )

    return find


def _prefix(field: str, of: str) -> Find:
    def find(scene: Scene) -> Iterator[Mark]:
        prefix = _rule_of(scene)[field]
        match of:
            case "overlay":
                return scene.evidence.overlay(prefix)
            case "exception":
                return scene.evidence.exception(prefix)
            case _:
                return scene.evidence.pod_cidrs(scene.node, prefix)

    return find


def _rule_of(scene: Scene) -> dict[str, str]:
    _, family, chain, _, rule, *_ = scene.path
    found: dict[str, str] = scene.document["firewall"][family][chain]["rules"][rule]
    return found


FIREWALL_REASONS: Final[Table] = {
    "firewall": Reason(
        "Wormhole's own chains, in each IP family of the overlay.",
        _PROJECT,
        families(keyed=False),
    ),
    "firewall.iptablesVariant": Reason(
        "Which of the two back ends of iptables to write to; auto takes the one that kube-proxy and"
        " the kubelet chose.",
        _PROJECT,
        of_mesh("iptablesVariant"),
    ),
    "firewall.ipv4": Reason(
        "The overlay has IPv4.", _PROJECT, lambda scene: scene.evidence.overlays(ipv6=False)
    ),
    "firewall.ipv6": Reason(
        "The overlay has IPv6.", _PROJECT, lambda scene: scene.evidence.overlays(ipv6=True)
    ),
}
