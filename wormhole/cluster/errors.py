"""What the API server, or the way to it, can answer instead of what was asked for."""

from schemas.state import Value


class FieldCause(Value, frozen=True, kw_only=True):
    """One cause of a refusal (``metav1.StatusCause``)."""

    reason: str
    """Such as ``FieldManagerConflict`` or ``FieldValueInvalid``."""
    field: str
    """Such as ``.spec.endpoint``; empty when it is about no field."""
    message: str


class ApiError(Exception):
    """A request that did not do what it asked. The message says which, and why."""

    def __init__(
        self,
        request: str,
        status: int,
        reason: str,
        message: str,
        causes: tuple[FieldCause, ...] = (),
    ) -> None:
        self.request = request
        """Method and path, such as ``PATCH /apis/wormhole.dev/v1alpha1/meshnodes/node-a``."""
        self.status = status
        """The HTTP status; 0 when there was no answer at all."""
        self.reason = reason
        """The API's word for it (``metav1.StatusReason``), such as ``Conflict``; or ours."""
        self.causes = causes
        where = f"{status} {reason}" if status else reason
        super().__init__(f"{request}: {where}: {message}" if message else f"{request}: {where}")

    @property
    def gone(self) -> bool:
        """The version to go on from is too old (410): list again."""
        return self.status == 410  # noqa: PLR2004 - RFC 9110, 15.5.11

    @property
    def missing(self) -> bool:
        """There is no such object (404)."""
        return self.status == 404  # noqa: PLR2004 - RFC 9110, 15.5.5

    @property
    def conflict(self) -> bool:
        """Somebody else was faster, or owns a field (409)."""
        return self.status == 409  # noqa: PLR2004 - RFC 9110, 15.5.10
