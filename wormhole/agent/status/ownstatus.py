"""What a watch over all MeshNodes shows of one node's status: to see who else writes it.

No copy of the watch has a status, since each of its changes would have the whole mesh compiled
again. So this one stands beside the copy, and wakes somebody else.
"""

from collections.abc import Callable

from wormhole.cluster.api import Object
from wormhole.cluster.content import Keep


class OwnStatus:
    """The status of one MeshNode as the API was last seen to have it."""

    def __init__(self, node: str, keep: Keep, on_change: Callable[[], None]) -> None:
        """Take ``keep``, which says what is kept of every MeshNode, and who is to know of news."""
        self._node = node
        self._keep = keep
        self._on_change = on_change
        self._seen: Object = {}

    def __call__(self) -> Object:
        """Return the status; the same value again until another one is seen. From any thread."""
        return self._seen

    def keep(self, meshnode: Object) -> Object:
        """Look at a MeshNode in passing; return what is kept of it. For the watch."""
        kept = self._keep(meshnode)
        if kept["metadata"].get("name") == self._node:
            self._see(meshnode.get("status"))
        return kept

    def _see(self, status: object) -> None:
        found = status if isinstance(status, dict) else {}
        if found != self._seen:
            self._seen = found
            self._on_change()
