"""Reports to writes of ``MeshNode.status``, by server-side apply, at the moments that are due."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.state import API_VERSION
from wormhole.agent.status.statuspace import StatusPace
from wormhole.agent.wording import clip, redact
from wormhole.cluster.api import APPLY, MESH_NODES, Api, Object
from wormhole.cluster.errors import ApiError

STATUS_MANAGER: Final = "wormhole-agent-status"
"""Another field manager than the spec's, so that applying one never removes the other."""


class StatusWriter:
    """Sends one MeshNode's status when it is due. Not for two threads at once."""

    def __init__(self, api: Api, name: str, known: Mapping[str, Any]) -> None:
        """Take ``known``: the status that the MeshNode has at the start, empty if it has none."""
        self._api = api
        self._name = name
        self._pace = StatusPace(name)
        self._pace.learn(known, float("-inf"))
        self._report: Object = {}
        self.error: ApiError | None = None
        """Why the last write failed; None after a good one."""

    @property
    def api_error(self) -> str:
        """The same for people, on one line, without a secret; empty after a good write."""
        return clip(redact(str(self.error))) if self.error else ""

    def offer(self, status: Object, now: float) -> None:
        """Replace what the API should have; send it if it is due. Any clock will do."""
        self._report = status
        self._pace.want(status, now)
        self.flush(now)

    def see(self, status: Mapping[str, Any], now: float) -> None:
        """Note what the API is seen to have; if that is not what was sent, it is sent again."""
        self._pace.see(status, now)

    def due(self, now: float) -> float | None:
        """Return when a write falls due, or a look at what is seen; None without any."""
        moments = (self._pace.due(), self._pace.doubtful_until())
        return min((max(moment, now) for moment in moments if moment is not None), default=None)

    def flush(self, now: float) -> None:
        """Send what is due. An error is kept in :attr:`error`, and the write is repeated later."""
        moment = self._pace.due()
        if moment is None or moment > now:
            return
        try:
            send_status(self._api, self._name, self._report)
        except ApiError as error:
            self.error = error
            self._pace.fail(now)
        else:
            self.error = None
            self._pace.succeed(self._report, now)

    def forget(self, now: float) -> None:
        """Tell everything anew: the MeshNode is another one, and has no status yet."""
        self._pace.learn({}, now)


def send_status(api: Api, name: str, status: Object) -> None:
    """Write a status by server-side apply; fields that it does not have go.

    Forced: nobody else has a say in what this host is like.

    Raises:
        ApiError: it was not written, or no answer came.

    """
    body = {
        "apiVersion": API_VERSION,
        "kind": "MeshNode",
        "metadata": {"name": name},
        "status": status,
    }
    query = {"fieldManager": STATUS_MANAGER, "force": "true"}
    api.patch(f"{MESH_NODES}/{name}/status", body, APPLY, query)
