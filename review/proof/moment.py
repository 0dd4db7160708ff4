"""One host in the middle of a change: what stands already, and what does not yet."""

from schemas.state import HostState, Peer, Value
from schemas.values import InterfaceName, NodeName


class Moment(Value, frozen=True, kw_only=True):
    """A host after some steps of its plan."""

    number: int
    """Steps made."""
    total: int
    """Steps of the whole plan."""
    after: str
    """The last step made, in words; empty at the beginning."""
    host: HostState
    peers: dict[NodeName, Peer]
    """On its device; the document's peer groups do not count."""
    up: frozenset[InterfaceName]
    """The devices that are there and up."""
    guarded: bool
    """Whether every guard route that is wanted stands."""
