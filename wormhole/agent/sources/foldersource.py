"""A folder of compiled documents, such as a checkout of git, to what is wanted of one host."""

import os
from pathlib import Path
from typing import Final, NamedTuple

from applier.wanted import refuse_another_key
from schemas.document import HOSTS_FOLDER, MESH_FILE, host_file_name
from schemas.problems import Problems
from schemas.state import ResolvedHost
from schemas.values import NodeName, PublicKey
from wormhole.agent.desired import Cause, Desired, Wake
from wormhole.agent.sources.fingerprint import Fingerprint, look_at
from wormhole.agent.sources.watchers import GLANCE, Watcher
from wormhole.files.statefolder import read_resolved

_ATTEMPTS: Final = 3
"""How often documents are read, if they change meanwhile, before they are left for later."""


class _Documents(NamedTuple):
    """Where a host's documents are at this moment, and what tells them from others."""

    folder: Path
    """Without symbolic links, so that both are of one checkout, whatever becomes of the link."""
    fingerprint: Fingerprint


class _Read(NamedTuple):
    """What was read, and of which documents."""

    fingerprint: Fingerprint
    resolved: ResolvedHost | None
    desired: Desired
    """Without the documents themselves."""


class FolderSource:
    """A :class:`~wormhole.agent.desired.Source`. Nothing that is missing in it is ever removed."""

    def __init__(self, folder: Path, node: str, *, period: float = GLANCE) -> None:
        self._folder = folder
        self._node = node
        self._period = period
        self._watcher: _FolderWatcher | None = None
        self._read: _Read | None = None

    def start(self, wake: Wake) -> None:
        """Begin to look at the folder once a second."""
        self._watcher = _FolderWatcher(self, wake, self._period)
        self._watcher.start()

    def stop(self) -> None:
        """End the thread."""
        if self._watcher is not None:
            self._watcher.stop()

    def desired(
        self,
        public_key: PublicKey,
        applied: ResolvedHost | None = None,  # noqa: ARG002 - people have decided all of it
    ) -> Desired:
        """Return what the folder says of the host with this key; read anew only if it changed."""
        read = self._read_settled()
        if read.resolved is None:
            return read.desired
        try:
            refuse_another_key(read.resolved, public_key)
        except Problems as error:
            return Desired(problems=error.problems)
        return Desired(resolved=read.resolved)

    def look(self) -> Fingerprint:
        """Return what changes when the host's documents do; never raises."""
        return self._find().fingerprint

    def _read_settled(self) -> _Read:
        """Read the documents, again if they changed meanwhile: parts of two states fit badly."""
        for _ in range(_ATTEMPTS):
            documents = self._find()
            if self._read is not None and self._read.fingerprint == documents.fingerprint:
                return self._read
            read = self._read_once(documents)
            if _mark(documents.folder, self._node) == documents.fingerprint:
                # What could not be read may be readable soon, and look the same from outside.
                self._read = read if read.resolved else None
                return read
        return _Read((), None, Desired(waiting_for=f"{self._folder} to stop changing"))

    def _read_once(self, documents: _Documents) -> _Read:
        missing = self._say_what_is_missing(documents.folder)
        if missing:
            return _Read(documents.fingerprint, None, Desired(waiting_for=missing))
        try:
            resolved = read_resolved(documents.folder, self._node)
        except Problems as error:
            return _Read(documents.fingerprint, None, Desired(problems=error.problems))
        return _Read(documents.fingerprint, resolved, Desired())

    def _say_what_is_missing(self, folder: Path) -> str:
        """Say what is not there yet, or no more; empty when the documents can be read."""
        name = f"{HOSTS_FOLDER}/{_file_of(self._node)}"
        if not os.path.lexists(folder / MESH_FILE):
            return f"{MESH_FILE} in {self._folder}"
        if not os.path.lexists(folder / name):
            hint = "a host that left is cleared by 'wormhole destroy' on it"
            return f"{name} in {self._folder} ({hint})"
        return ""

    def _find(self) -> _Documents:
        """Find the documents through all links: what these lead to may be exchanged as a whole.

        git-sync flips a link to a whole checkout. The kubelet flips ``..data``, which ``mesh.json``
        and ``hosts`` of a mounted ConfigMap lead through.
        """
        mesh = Path(os.path.realpath(self._folder / MESH_FILE))
        folder = mesh.parent
        if mesh.name != MESH_FILE or not os.path.isdir(folder / HOSTS_FOLDER):  # noqa: PTH112 - raises nothing
            folder = Path(os.path.realpath(self._folder))
        return _Documents(folder, _mark(folder, self._node))


class _FolderWatcher(Watcher):
    """Calls for a turn when the documents are not what they were."""

    def __init__(self, source: FolderSource, wake: Wake, period: float) -> None:
        super().__init__("folder watcher")
        self._source = source
        self._wake = wake
        self._period = period
        self._seen = source.look()

    def watch(self) -> None:
        """Look once in a period."""
        while self.pause(self._period):
            seen = self._source.look()
            if seen != self._seen:
                self._seen = seen
                self._wake(Cause.FOLDER)


def _mark(folder: Path, node: str) -> Fingerprint:
    documents = (folder / MESH_FILE, folder / HOSTS_FOLDER / _file_of(node))
    return (str(folder), *look_at(documents))


def _file_of(node: str) -> str:
    return host_file_name(NodeName(node))
