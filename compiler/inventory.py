"""The inventory's values: what people and agents say about a mesh, parsed and checked.

Everything here is canonical already: prefixes compressed, endpoints with their port, the
mesh's defaults filled in. ``compiler.parse`` makes these from text.
"""

from schemas.problems import Problem
from schemas.state import IptablesVariant, Value
from schemas.values import Endpoint, InterfaceName, NodeName, Prefix, PublicKey


class Mesh(Value, frozen=True, kw_only=True):
    """The one ``Mesh``, defaults filled in."""

    name: str
    overlay_cidrs: tuple[Prefix, ...]
    listen_port: int = 9806
    interface: InterfaceName = InterfaceName("wormhole-wg0")
    bridge: InterfaceName = InterfaceName("wormhole-br0")
    underlay_mtu: int = 1500
    persistent_keepalive: int = 0
    masquerade: bool = True
    non_masquerade_cidrs: tuple[Prefix, ...] = ()
    iptables_variant: IptablesVariant = IptablesVariant.AUTO
    cni_file_name: str = "10-wormhole.conflist"
    cni_version: str = "1.0.0"
    preshared_key_epoch: str | None = None


class Node(Value, frozen=True, kw_only=True):
    """A ``MeshNode`` joined with the core ``Node`` of its name: one member of the mesh."""

    name: NodeName
    public_key: PublicKey
    pod_cidrs: tuple[Prefix, ...]
    endpoint: Endpoint | None = None
    listen_port: int
    underlay_mtu: int
    persistent_keepalive: int


class Inventory(Value, frozen=True, kw_only=True):
    """Everything that compiling needs, checked: no two values contradict each other."""

    mesh: Mesh
    nodes: tuple[Node, ...]
    """Sorted by name."""
    warnings: tuple[Problem, ...] = ()
    skipped: int = 0
    """How many objects of other kinds the sources held."""
