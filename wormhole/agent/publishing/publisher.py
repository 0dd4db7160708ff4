"""A node's MeshNode in the API is made what the node is; what others own in it is left alone."""

import re
from collections.abc import Iterator
from typing import Any, Final, Protocol

from schemas.problems import neutralise
from schemas.state import Value
from schemas.values import PublicKey
from schemas.wording import show
from wormhole.agent.publishing.identity import (
    FIELDS,
    OWNERS,
    PUBLIC_KEY,
    check_endpoint,
    differs,
    read_field,
    wanted_object,
    without_fields,
)
from wormhole.cluster.api import APPLY, FIELD_MANAGER, MESH_NODES, Api, Object
from wormhole.cluster.errors import ApiError

_OURS_ALONE: Final = frozenset({PUBLIC_KEY, OWNERS})
"""Only the host knows its key; and without its owner a MeshNode would outlive its Node."""
_TRIES: Final = 3
_MANAGER: Final = re.compile(r'conflict with "([^"]*)"')
"""How a ``FieldManagerConflict`` names the other (``fieldmanager/internal/conflict.go``)."""


class Published(Value, frozen=True, kw_only=True):
    """What came of publishing. Everything is empty when nothing had to be done."""

    changed: bool = False
    """Whether something was written."""
    fields: tuple[str, ...] = ()
    """What was written, such as ``spec.endpoint``."""
    yielded: tuple[str, ...] = ()
    """Fields that were left to their other owner from now on; named once."""
    forced: tuple[str, ...] = ()
    """Fields that were taken back from another owner."""
    remarks: tuple[str, ...] = ()
    """A sentence for each yielded and each forced field, for a log line or an Event."""
    waiting_for: str = ""
    """What is not there yet, such as ``Node/node-a``; nothing was published."""


class Publisher:
    """Publishes one node. Of what it was told before it keeps only which fields it has yielded."""

    def __init__(self, api: Api, name: str, endpoint: str = "") -> None:
        """Take the node's name, and the endpoint that an operator gives it (empty: the Node's).

        Raises:
            Problems: the endpoint is none.

        """
        if endpoint:
            check_endpoint(endpoint)
        self._api = api
        self._name = name
        self._endpoint = endpoint
        self._yielded: dict[str, Any] = {}
        """By field, the value that its other owner gave it."""

    def publish(
        self, published: Object | None, node: Object | None, public_key: PublicKey
    ) -> Published:
        """Publish the node unless the API says the same already: then there is no request at all.

        Takes the MeshNode and the Node as last seen; None means that a complete list has none. At
        most three requests.

        Raises:
            ApiError: the server refused, or did not answer.

        """
        if node is None:
            return Published(waiting_for=f"Node/{self._name}")
        wanted = wanted_object(node, public_key, self._endpoint)
        self._claim_what_changed(published)
        if not differs(published, wanted, self._yielded):
            return Published()
        return _Attempt(published, wanted, self._yielded).run(self._apply)

    def _claim_what_changed(self, published: Object | None) -> None:
        """Try again for a field whose other owner changed it: perhaps there is none any more."""
        for field, value in tuple(self._yielded.items()):
            if read_field(published, field) != value:
                del self._yielded[field]

    def _apply(self, body: Object, *, force: bool) -> Object:
        query = {"fieldManager": FIELD_MANAGER} | ({"force": "true"} if force else {})
        return self._api.patch(f"{MESH_NODES}/{self._name}", body, APPLY, query)


class _Apply(Protocol):
    def __call__(self, body: Object, *, force: bool) -> Object:
        """Send one server-side apply; return the object as stored."""


class _Attempt:
    """One call's way to an object that says what is wanted, as far as it is ours to say."""

    def __init__(self, published: Object | None, wanted: Object, yielded: dict[str, Any]) -> None:
        self._stored = published
        self._wanted = wanted
        self._yielded = yielded
        self._written: tuple[str, ...] = ()
        self._new: dict[str, str] = {}
        """By field yielded now, who owns it."""
        self._forced: dict[str, str] = {}

    def run(self, apply: _Apply) -> Published:
        for left in reversed(range(_TRIES)):
            missing = differs(self._stored, self._wanted, self._yielded)
            if not missing:
                break
            try:
                body = without_fields(self._wanted, self._yielded)
                self._stored = apply(body, force=bool(self._forced))
            except ApiError as error:
                if not (error.conflict and left):
                    raise
                self._give_way(error)
            else:
                self._written = missing
                break
        self._leave_to_others()
        return self._report()

    def _give_way(self, refusal: ApiError) -> None:
        """Yield what another owns, but take back what can only be ours."""
        for field, owner in _read_owners(refusal):
            if field in _OURS_ALONE:
                self._forced[field] = owner
            else:
                self._new[field] = owner
                self._yielded[field] = read_field(self._stored, field)

    def _leave_to_others(self) -> None:
        """Yield what is still otherwise after an apply: a field that others set and we do not."""
        for field in differs(self._stored, self._wanted, self._yielded):
            self._new[field] = "another field manager"
        for field in self._new:
            self._yielded[field] = read_field(self._stored, field)

    def _report(self) -> Published:
        forced = tuple(self._forced) if self._written else ()
        return Published(
            changed=bool(self._written),
            fields=self._written,
            yielded=tuple(self._new),
            forced=forced,
            remarks=(*map(self._say_yielded, self._new), *map(self._say_forced, forced)),
        )

    def _say_yielded(self, field: str) -> str:
        theirs, ours = (read_field(each, field) for each in (self._stored, self._wanted))
        kept = f"{show(theirs)} stays, not {show(ours)}" if ours else f"{show(theirs)} stays"
        return neutralise(f"{field} belongs to {self._new[field]}: {kept}")

    def _say_forced(self, field: str) -> str:
        return neutralise(f"{field} was {self._forced[field]}'s: taken back, it is this node's own")


def _read_owners(refusal: ApiError) -> Iterator[tuple[str, str]]:
    """Yield the fields of ours that a refusal names, each with who owns it."""
    for cause in refusal.causes:
        path = cause.field.removeprefix(".")
        owner = _MANAGER.search(cause.message)
        for field in FIELDS:
            if path == field or path.startswith((f"{field}.", f"{field}[")):
                yield field, f'"{owner[1]}"' if owner else "another field manager"
