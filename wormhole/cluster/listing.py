"""A collection of the API to all its objects, page by page."""

from typing import Final

from wormhole.cluster.api import Api, Object
from wormhole.cluster.errors import ApiError

_PAGE: Final = "500"
_ATTEMPTS: Final = 3
"""A list that takes longer than the server keeps its beginning (five minutes) begins anew."""


def list_objects(api: Api, path: str) -> tuple[Object, ...]:
    """Return every object of a collection, as it was at one moment.

    Raises:
        ApiError: no answer, or a refusal.

    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return _list_once(api, path)
        except ApiError as error:
            if not error.gone:
                raise
    return _list_once(api, path)


def _list_once(api: Api, path: str) -> tuple[Object, ...]:
    found: list[Object] = []
    token = ""
    while True:
        page = api.get(path, {"limit": _PAGE} | ({"continue": token} if token else {}))
        found += page.get("items") or ()
        token = page.get("metadata", {}).get("continue") or ""
        if not token:
            return tuple(found)
