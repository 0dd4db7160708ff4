"""Why a host's CNI configuration says what it says."""

from collections.abc import Iterator
from typing import Any, Final

from compiler.origins.marks import Mark
from compiler.origins.reason import (
    Reason,
    Scene,
    Table,
    membership,
    mtu,
    nothing,
    of_mesh,
    pods,
    reckon_mtu,
)
from schemas.values import is_ipv6

_CNI: Final = "compiler/cni.py: project_cni"
_IPAM: Final = "compiler/cni.py: _host_local"
_RANGE: Final = "compiler/cni.py: _range_set"
_PLUGIN: Final = "cni.config.plugins[*]"


def _family(scene: Scene) -> Iterator[Mark]:
    """Find the pod CIDRs of the family that a range set, or a pods' route, is for."""
    yield from scene.evidence.pod_cidrs(scene.node, ipv6=_is_ipv6(scene))


def _one(scene: Scene) -> Iterator[Mark]:
    """Find the pod CIDR that a range is of."""
    _, _, _, _, _, _, family, item, *_ = scene.path
    subnet = _ranges(scene)[family][item]["subnet"]
    yield from scene.evidence.pod_cidrs(scene.node, subnet)


def _is_ipv6(scene: Scene) -> bool:
    _, _, _, _, _, _, family, *_ = scene.path
    return is_ipv6(_ranges(scene)[family][0]["subnet"])


def _ranges(scene: Scene) -> Any:  # noqa: ANN401 - JSON is anything
    return scene.document["cni"]["config"]["plugins"][0]["ipam"]["ranges"]


def _cni_field(name: str, says: str) -> Reason:
    return Reason(says, _CNI, lambda scene: scene.evidence.cni_field(name))


CNI_REASONS: Final[Table] = {
    "cni": Reason(
        "What the container runtime reads to plug pods into the bridge.", _CNI, membership
    ),
    "cni.config": Reason("The file's content, as CNI's specification has it.", _CNI, membership),
    "cni.config.cniVersion": _cni_field(
        "version", "The version of CNI's specification that the runtime is to speak."
    ),
    "cni.config.name": Reason(
        "The network's name, by which Wormhole knows its own file.", _CNI, nothing
    ),
    "cni.config.plugins": Reason(
        "Two plugins, one after the other: bridge plugs a pod in, portmap gives it host ports.",
        _CNI,
        nothing,
    ),
    _PLUGIN: Reason("One of the plugins that run for each pod.", _CNI, nothing),
    f"{_PLUGIN}.bridge": Reason(
        "Pods are plugged into the bridge, which is there before any pod.", _CNI, of_mesh("bridge")
    ),
    f"{_PLUGIN}.capabilities": Reason(
        "What the runtime may tell the plugin about a pod.", _CNI, nothing
    ),
    f"{_PLUGIN}.capabilities.portMappings": Reason("Pods may have host ports.", _CNI, nothing),
    f"{_PLUGIN}.hairpinMode": Reason("A pod may reach itself through a Service.", _CNI, nothing),
    f"{_PLUGIN}.ipMasq": Reason(
        "Wormhole's own firewall masquerades; the plugin's rules would be left behind when a pod's"
        " namespace is gone.",
        _CNI,
        nothing,
    ),
    f"{_PLUGIN}.ipam": Reason("How pods get their addresses.", _IPAM, pods),
    f"{_PLUGIN}.ipam.ranges": Reason(
        "A pod gets one address of each set: of each IP family that the node has pod CIDRs of.",
        _IPAM,
        pods,
    ),
    f"{_PLUGIN}.ipam.ranges[*]": Reason(
        "The ranges of one IP family: alternatives, of which a pod gets one address.",
        _IPAM,
        _family,
    ),
    f"{_PLUGIN}.ipam.ranges[*][*]": Reason(
        "A pod CIDR of the node, and which of its addresses pods get.", _RANGE, _one
    ),
    f"{_PLUGIN}.ipam.ranges[*][*].gateway": Reason(
        "The first address of the pod CIDR (network + 1) is the bridge's: the pods' next hop.",
        _RANGE,
        _one,
    ),
    f"{_PLUGIN}.ipam.ranges[*][*].rangeEnd": Reason(
        "Pods get addresses to the end of the pod CIDR; in IPv4 its last one is the broadcast"
        " address, and no pod's.",
        _RANGE,
        _one,
    ),
    f"{_PLUGIN}.ipam.ranges[*][*].rangeStart": Reason(
        "Pods get addresses from network + 10: those before are the bridge's, the tunnel's, and"
        " kept for later.",
        _RANGE,
        _one,
    ),
    f"{_PLUGIN}.ipam.ranges[*][*].subnet": Reason("A pod CIDR of the node.", _RANGE, _one),
    f"{_PLUGIN}.ipam.routes": Reason(
        "Pods send everything to the bridge, in each IP family that they have.", _IPAM, pods
    ),
    f"{_PLUGIN}.ipam.routes[*]": Reason(
        "Pods send everything to the bridge, in each IP family that they have.", _IPAM, _family
    ),
    f"{_PLUGIN}.ipam.routes[*].dst": Reason(
        "Pods send everything to the bridge, in each IP family that they have.", _IPAM, _family
    ),
    f"{_PLUGIN}.ipam.type": Reason(
        "host-local hands out addresses on the host itself, without asking anybody.", _IPAM, nothing
    ),
    f"{_PLUGIN}.isGateway": Reason("The bridge is the pods' next hop.", _CNI, nothing),
    f"{_PLUGIN}.mtu": Reason(
        "Pods' own devices have the bridge's MTU, which is the tunnel's: no pod builds a packet"
        " that does not fit.",
        _CNI,
        mtu,
        reckon_mtu,
    ),
    f"{_PLUGIN}.type": Reason("The plugin's name.", _CNI, nothing),
    "cni.fileName": _cni_field(
        "fileName",
        "The runtime takes the first file of its folder, in the order of names.",
    ),
}
