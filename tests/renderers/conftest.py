"""A small mesh with everything in it, and machines of its own to load texts on."""

from collections.abc import Iterator

import pytest
from lab.namespace import Namespace
from lab.requirements import missing

from compiler.compile import compile_mesh
from compiler.inventory import Inventory, Mesh, Node
from schemas.resolve import resolve
from schemas.state import Documents, ResolvedHost
from schemas.values import Endpoint, NodeName, Prefix, PublicKey

KEYS = (
    "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=",
    "X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k=",
    "1HNeOiZeFu7gP1lxi5tdAwGcB9i2xR+Q2jpmbuwTqzU=",
)


def _node(number: int, endpoint: str | None) -> Node:
    return Node(
        name=NodeName(f"node-{'abc'[number]}"),
        public_key=PublicKey(KEYS[number]),
        pod_cidrs=(Prefix(f"10.244.{number}.0/24"), Prefix(f"fd00:244:0:{number + 1}::/64")),
        endpoint=Endpoint(endpoint) if endpoint else None,
        listen_port=9806,
        underlay_mtu=1500,
        persistent_keepalive=25 if number == 1 else 0,
    )


@pytest.fixture(scope="session")
def documents() -> Documents:
    """Three dual-stack nodes: one sends keepalives, one has no endpoint."""
    mesh = Mesh(
        name="demo",
        overlay_cidrs=(Prefix("10.244.0.0/16"), Prefix("fd00:244::/48")),
        non_masquerade_cidrs=(Prefix("192.168.0.0/16"), Prefix("64:ff9b::/96")),
    )
    nodes = (_node(0, "192.0.2.1:9806"), _node(1, "[2001:db8::2]:9806"), _node(2, None))
    return compile_mesh(Inventory(mesh=mesh, nodes=nodes))


@pytest.fixture(scope="session")
def resolved(documents: Documents) -> ResolvedHost:
    """The second of the three, which sends keepalives."""
    return resolve(documents.mesh, documents.hosts[NodeName("node-b")])


@pytest.fixture(scope="session")
def laboratory() -> None:
    """Skip, and say why, where no private machine can be made."""
    if reasons := missing():
        pytest.skip("; ".join(reasons))


@pytest.fixture
def machine(laboratory: None) -> Iterator[Namespace]:  # noqa: ARG001 - asked for to skip
    """A private machine, with nothing in it."""
    with Namespace("machine") as namespace:
        yield namespace
