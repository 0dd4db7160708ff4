"""Why ``mesh.json`` says what it says."""

from typing import Final

from compiler.origins.reason import (
    Reason,
    Table,
    endpoint,
    membership,
    mesh_name,
    node_key,
    nothing,
    pod_of_last,
    pods,
)

_STATE: Final = "compiler/compile.py: _mesh_state"
_PEERS: Final = "compiler/topology.py: build_topology"
_PEER: Final = "compiler/topology.py: _peer"

MESH_REASONS: Final[Table] = {
    "": Reason(
        "What all hosts share stands here once, so that a node that joins changes one entry.",
        _STATE,
        mesh_name,
    ),
    "apiVersion": Reason("The version of this document's form.", _STATE, nothing),
    "kind": Reason("The kind of this document.", _STATE, nothing),
    "name": Reason("The mesh's name.", _STATE, mesh_name),
    "peerGroups": Reason(
        "Every peer stands here once; hosts name the groups that they join.", _STATE, nothing
    ),
    "peerGroups.*": Reason(
        "The one group that there is: everybody peers with everybody.", _PEERS, nothing
    ),
    "peerGroups.*.*": Reason(
        "Every member is a peer of all others. A member is a MeshNode and, where the inventory has"
        " Nodes, the Node of its name.",
        _PEERS,
        membership,
    ),
    "peerGroups.*.*.allowedIPs": Reason(
        "Peers send to these addresses through this node, and believe it no other source.",
        _PEER,
        pods,
    ),
    "peerGroups.*.*.allowedIPs[*]": Reason(
        "A pod CIDR of the node: peers encrypt what is for it to this node, and drop what this node"
        " sends from any other address.",
        _PEER,
        pod_of_last,
    ),
    "peerGroups.*.*.endpoint": Reason(
        "Where the others send ciphertext for this node: its own endpoint; where it has none, its"
        " Node's first InternalIP, else ExternalIP. A port that is not written is the port that the"
        " node listens on.",
        _PEER,
        endpoint,
    ),
    "peerGroups.*.*.publicKey": Reason(
        "The node's public key, by which the others know it. The private half never leaves the"
        " node.",
        _PEER,
        node_key,
    ),
}
