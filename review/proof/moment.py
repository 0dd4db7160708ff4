"""One host in the middle of a change: what stands already, and what does not yet."""

from schemas.state import HostState, Value
from schemas.values import InterfaceName


class Moment(Value, frozen=True, kw_only=True):
    """A host after some steps of its plan."""

    number: int
    """Steps made."""
    total: int
    """Steps of the whole plan."""
    after: str
    """The last step made, in words; empty at the beginning."""
    host: HostState
    up: frozenset[InterfaceName]
    """The devices that are there and up."""
    guarded: bool
    """Whether every guard route that is wanted stands."""
