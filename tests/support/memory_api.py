"""An API server in memory: objects, versions and merge patches. No fields are owned here."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, NoReturn

from no_api import NoApi

from wormhole.cluster.api import MERGE_PATCH, Object
from wormhole.cluster.errors import ApiError


class MemoryApi(NoApi):
    """Objects by path. Lists are answered in pages of two, so that a reader has to turn them."""

    page = 2

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.requests: list[str] = []
        self.before: Callable[[str], None] = lambda _request: None
        """Called with each request before it is answered; may raise, or change objects."""
        self._version = 0

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET")]

    def put(self, path: str, body: Object) -> Object:
        """Store an object without a request."""
        self._version += 1
        metadata = {"name": path.rpartition("/")[2], **body.get("metadata", {})}
        stored = body | {"metadata": metadata | {"resourceVersion": str(self._version)}}
        self.objects[path] = deepcopy(stored)
        return stored

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        request = self._begin("GET", path)
        if path in self.objects:
            return deepcopy(self.objects[path])
        below = sorted(key for key in self.objects if key.rpartition("/")[0] == path)
        if not below and path.rpartition("/")[2] not in {"meshes", "meshnodes", "nodes"}:
            _refuse(request, 404, "NotFound", f"{path} not found")
        begin = int(query.get("continue", "0"))
        end = begin + self.page
        more = {"continue": str(end)} if end < len(below) else {}
        items = [deepcopy(self.objects[key]) for key in below[begin:end]]
        return {"metadata": {"resourceVersion": str(self._version)} | more, "items": items}

    def replace(self, path: str, body: Object) -> Object:
        request = self._begin("PUT", path)
        self._check(request, path, body)
        return self.put(path, body)

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        assert (kind, query.keys() <= {"fieldManager"}) == (MERGE_PATCH, True)
        request = self._begin("PATCH", path)
        self._check(request, path, body)
        merged: Object = _merge(self.objects[path], body)
        return self.put(path, merged)

    def _begin(self, method: str, path: str) -> str:
        self.requests.append(f"{method} {path}")
        self.before(f"{method} {path}")
        return f"{method} {path}"

    def _check(self, request: str, path: str, body: Object) -> None:
        if path not in self.objects:
            _refuse(request, 404, "NotFound", f"{path} not found")
        seen = body["metadata"].get("resourceVersion")
        if seen and seen != self.objects[path]["metadata"]["resourceVersion"]:
            _refuse(request, 409, "Conflict", "the object has been modified")


def _refuse(request: str, status: int, reason: str, message: str) -> NoReturn:
    raise ApiError(request, status, reason, message)


def _merge(old: Any, patch: Any) -> Any:  # noqa: ANN401 - JSON
    """Return RFC 7396's result."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged
