"""An API that is asked nothing: what a test's own API answers, it says itself."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

from wormhole.cluster.api import Object


class NoApi:
    """An :class:`~wormhole.cluster.api.Api` whose every request is a mistake of the test's."""

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        raise NotImplementedError(f"GET {path} {query}")

    def create(self, path: str, body: Object) -> Object:
        raise NotImplementedError(f"POST {path} {body}")

    def replace(self, path: str, body: Object) -> Object:
        raise NotImplementedError(f"PUT {path} {body}")

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        raise NotImplementedError(f"PATCH {path} {body} {kind} {query}")

    def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AbstractContextManager[Iterator[Object]]:
        raise NotImplementedError(f"WATCH {path} {query} {silence}")
