"""Inventories for tests: by hand with defaults, and any valid one for the laws."""

from base64 import b64encode
from hashlib import sha256
from ipaddress import ip_network

from hypothesis import strategies as st

from compiler.inventory import Inventory, Mesh, Node
from schemas.values import Endpoint, NodeName, Prefix, PublicKey


def make_key(seed: str) -> PublicKey:
    """Return a well-formed public key that nobody has the private half of."""
    return PublicKey(b64encode(sha256(seed.encode()).digest()).decode())


def make_mesh(*overlay_cidrs: str, **fields: object) -> Mesh:
    """Return a mesh named demo; IPv4 by default."""
    cidrs = overlay_cidrs or ("10.244.0.0/16",)
    return Mesh(name="demo", overlay_cidrs=tuple(map(Prefix, cidrs)), **fields)  # type: ignore[arg-type] # a test names the fields


def make_node(name: str, *pod_cidrs: str, **fields: object) -> Node:
    """Return a node with a key of its own, and no endpoint unless it is given one."""
    defaults: dict[str, object] = {
        "public_key": make_key(name),
        "listen_port": 9806,
        "underlay_mtu": 1500,
        "persistent_keepalive": 0,
    }
    return Node(
        name=NodeName(name),
        pod_cidrs=tuple(map(Prefix, pod_cidrs)),
        **(defaults | fields),  # type: ignore[arg-type] # a test names the fields
    )


def make_inventory(mesh: Mesh, *nodes: Node) -> Inventory:
    """Return an inventory; the nodes sorted, as the parser leaves them."""
    return Inventory(mesh=mesh, nodes=tuple(sorted(nodes, key=lambda node: node.name)))


_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_NAMES = st.lists(_LABEL, min_size=1, max_size=4).map(".".join) | st.integers(200, 253).map(
    lambda length: "n" * length
)
_OVERLAYS = st.sampled_from(
    [
        ("10.0.0.0/8",),
        ("fd00:244::/32",),
        ("10.0.0.0/8", "fd00:244::/32"),
        ("fd00:244::/32", "10.0.0.0/8", "192.168.0.0/16", "fd00:99::/32"),
    ]
)


@st.composite
def inventories(draw: st.DrawFn, *, min_nodes: int = 1) -> Inventory:
    """Draw any inventory that the parser might have let through."""
    overlay = draw(_OVERLAYS)
    exceptions = st.sampled_from(["172.16.0.0/12", "fd00:77::/64", "0.0.0.0/0", "::/0"])
    mesh = make_mesh(
        *overlay,
        masquerade=draw(st.booleans()),
        non_masquerade_cidrs=tuple(draw(st.lists(exceptions, unique=True))),
        preshared_key_epoch=draw(st.none() | st.just("2026-11")),
        persistent_keepalive=draw(st.sampled_from([0, 25])),
    )
    names = draw(st.lists(_NAMES, min_size=min_nodes, max_size=6, unique=True))
    nodes = [draw(nodes_of(mesh, name, number)) for number, name in enumerate(names)]
    return make_inventory(mesh, *nodes)


@st.composite
def nodes_of(draw: st.DrawFn, mesh: Mesh, name: str, number: int) -> Node:
    """Draw a node whose pod CIDRs overlap those of no other number."""
    families = {":" in prefix for prefix in mesh.overlay_cidrs}
    wanted = draw(st.lists(st.sampled_from(sorted(families)), min_size=1, unique=True))
    pod_cidrs: list[str] = []
    for ipv6 in wanted:
        for part in range(draw(st.integers(1, 2))):
            if ipv6:
                length = draw(st.sampled_from([64, 80, 112, 120, 124]))
                pod_cidrs.append(str(ip_network(f"fd00:244:{number:x}:{part:x}::/{length}")))
            else:
                length = draw(st.integers(24, 28))
                pod_cidrs.append(f"10.{number}.{part}.0/{length}")
    endpoint = draw(
        st.sampled_from([None, f"192.0.2.{number + 1}:9806", f"[2001:db8::{number + 1:x}]:9806"])
    )
    return make_node(
        name,
        *pod_cidrs,
        endpoint=None if endpoint is None else Endpoint(endpoint),
        listen_port=draw(st.integers(1, 65535)),
        underlay_mtu=draw(st.integers(1360, 65535)),
        persistent_keepalive=draw(st.integers(0, 65535)),
    )
