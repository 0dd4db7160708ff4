"""Turns to writes of ``MeshNode.status``, by server-side apply, at the moments that are due."""

import threading
import time
from collections.abc import Callable
from typing import Final

from schemas.state import API_VERSION
from wormhole.agent.report import adopt, make_report
from wormhole.agent.statuspace import StatusPace
from wormhole.agent.turn import Turn
from wormhole.cluster.api import APPLY, MESH_NODES, Api, Object
from wormhole.cluster.errors import ApiError

STATUS_MANAGER: Final = "wormhole-agent-status"
"""Another field manager than the spec's, so that applying one never removes the other."""


class StatusWriter:
    """An errand of the clerk's: the loop's thread observes turns, the clerk's thread runs it."""

    name = "tell the status"

    def __init__(
        self,
        api: Api,
        node: str,
        uid: Callable[[], str],
        version: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take ``uid``: the ``metadata.uid`` of the host's MeshNode as last seen, or nothing.

        While there is no MeshNode nothing is due; with another uid everything is told anew.
        """
        self._api = api
        self._node = node
        self._uid = uid
        self._version = version
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pace = StatusPace(node)
        self._known_uid: str | None = None
        self._report: Object = {}
        self._error: ApiError | None = None

    def observe(self, turn: Turn) -> None:
        """Replace what the API should have. Quick; call :meth:`Clerk.poke` afterwards."""
        with self._lock:
            self._report = make_report(turn, self._report, self._version)
            self._pace.want(self._report, self._monotonic())

    def due(self, now: float) -> float | None:
        """Return when a write that was put off falls due, not before ``now``; None without one."""
        with self._lock:
            moment = self._pace.due() if self._uid() else None
        return None if moment is None else max(moment, now)

    def run(self, now: float) -> None:
        """Send what is due. What the API has is read first, once for each MeshNode.

        Raises:
            ApiError: it could not be read or written; it is tried again later, and until then
                this is raised again, so that it is not taken for mended.

        """
        moment = self.due(now)
        if moment is None:
            self._error = None
            return
        if moment > now:
            if self._error is not None:
                raise self._error
            return
        try:
            self._send(self._uid(), now)
        except ApiError as error:
            self._error = error
            with self._lock:
                self._pace.fail(now)
            raise
        self._error = None

    def _send(self, uid: str, now: float) -> None:
        if uid != self._known_uid:
            self._learn(read_status(self._api, self._node), now)
            self._known_uid = uid
        with self._lock:
            moment, report = self._pace.due(), self._report
        if moment is None or moment > now:
            return
        send_status(self._api, self._node, report)
        with self._lock:
            self._pace.succeed(report, now)

    def _learn(self, status: Object, now: float) -> None:
        """Go on from what the API has: an agent that was restarted has no news by that."""
        with self._lock:
            self._report = adopt(self._report, status)
            self._pace.want(self._report, now)
            self._pace.learn(status, now)


def read_status(api: Api, name: str) -> Object:
    """Return the status that a MeshNode has; empty when it has none, or is not there.

    It is asked for as a list of one: agents may list MeshNodes, as their watches do, and a verb
    less is granted.

    Raises:
        ApiError: no answer, or a refusal.

    """
    found = api.get(MESH_NODES, {"fieldSelector": f"metadata.name={name}"})
    items = found.get("items") or [{}]
    return items[0].get("status") or {}


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
