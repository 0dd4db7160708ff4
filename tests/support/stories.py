"""Small meshes for the packet model, and packets to send through them."""

from collections.abc import Callable

from inventories import make_inventory, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from review.model.network import Network, build_network
from review.model.packet import Entry, Packet, Start
from review.model.story import Fate, Stage, Story
from review.model.surroundings import PLAIN, Surroundings
from review.model.walk import walk
from schemas.state import Documents, HostState
from schemas.values import NodeName

A, B, C = NodeName("node-a"), NodeName("node-b"), NodeName("node-c")
POD_A, POD_B, POD_C = "10.244.1.10", "10.244.2.10", "10.244.3.10"
POD_A6, POD_B6 = "fd00:244:0:1::a", "fd00:244:0:2::a"
OUTSIDE, OUTSIDE6 = "198.51.100.1", "2001:db8:ffff::1"


def make_documents(*, dual: bool = False, nodes: int = 3, **fields: object) -> Documents:
    """Return node-a (10.244.1.0/24 at 192.0.2.1) and so on; ``fields`` are the mesh's."""
    overlay = ("10.244.0.0/16", "fd00:244::/48") if dual else ("10.244.0.0/16",)
    members = [
        make_node(
            f"node-{letter}",
            f"10.244.{number}.0/24",
            *([f"fd00:244:0:{number:x}::/64"] if dual else []),
            endpoint=f"192.0.2.{number}:9806",
        )
        for number, letter in enumerate("abcdef"[:nodes], 1)
    ]
    return compile_mesh(make_inventory(make_mesh(*overlay, **fields), *members))


def change_host(
    documents: Documents, name: NodeName, change: Callable[[HostState], HostState]
) -> Documents:
    """Return documents in which one host's is another one."""
    return replace(documents, hosts=documents.hosts | {name: change(documents.hosts[name])})


def change_wireguard(documents: Documents, name: NodeName, **fields: object) -> Documents:
    """Return documents in which fields of one host's device differ."""
    return change_host(
        documents, name, lambda host: replace(host, wireguard=replace(host.wireguard, **fields))
    )


def change_peer(documents: Documents, name: NodeName, **fields: object) -> Documents:
    """Return documents in which everybody knows one node differently."""
    peers = documents.mesh.peer_groups["mesh"]
    groups = {"mesh": peers | {name: replace(peers[name], **fields)}}
    return replace(documents, mesh=replace(documents.mesh, peer_groups=groups))


def send(  # noqa: PLR0913 - what a packet is made of
    source: str,
    destination: str,
    *,
    host: NodeName = A,
    entry: Entry = Entry.POD,
    peer: NodeName | None = None,
    network: Network | None = None,
    documents: Documents | None = None,
    surroundings: Surroundings = PLAIN,
    **fields: object,
) -> Story:
    """Walk one packet, through a mesh of three nodes unless another is given."""
    if network is None:
        network = build_network(documents or make_documents(), surroundings)
    packet = Packet(source=source, destination=destination, **fields)  # type: ignore[arg-type] # a test names the fields
    return walk(network, packet, Start(host=host, entry=entry, peer=peer))


def decisions(story: Story, stage: Stage, host: NodeName | None = None) -> list[str]:
    """Return what one stage decided."""
    return [
        step.decision for step in story.steps if step.stage is stage and host in {None, step.host}
    ]


def ending(story: Story) -> tuple[Fate, NodeName, str]:
    """Return how it ended, where, and the last decision."""
    return story.fate, story.host, story.steps[-1].decision
