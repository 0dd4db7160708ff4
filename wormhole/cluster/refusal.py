"""Turn what the server, or the way to it, answered instead into an :class:`ApiError`."""

from http import HTTPStatus
from typing import Final

import msgspec
from urllib3 import exceptions

from wormhole.cluster.api import Object
from wormhole.cluster.errors import ApiError, FieldCause

UNREACHABLE: Final = "Unreachable"
"""No connection came about, or it broke."""
SILENT: Final = "Silent"
"""There is a connection, and nothing comes from it."""
UNTRUSTED: Final = "Untrusted"
"""The server's certificate is not what we were told to trust."""
UNREADABLE: Final = "Unreadable"
"""An answer that is not what Kubernetes answers."""
NO_CREDENTIALS: Final = "NoCredentials"
"""We cannot say who we are."""

_QUOTES_NOTHING: Final = (401, 403, 404, 409)
"""Answers given for who asks and for what is stored. Others may quote the body they refuse:
the decoder's errors show the bytes around the place."""


def parse_refusal(request: str, status: int, phrase: str, body: bytes) -> ApiError:
    """Return the error in an answer that is no success: a ``metav1.Status``, or anything else."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != "Status":
        return ApiError(request, status, phrase.replace(" ", "") or UNREADABLE, "")
    return parse_status(request, {"code": status, **document})


def parse_status(request: str, document: Object) -> ApiError:
    """Return the error that a ``metav1.Status`` is."""
    status = document.get("code")
    code = status if isinstance(status, int) else 0
    reason = _text(document.get("reason")) or UNREADABLE
    if _carries_secret(request) and code not in _QUOTES_NOTHING:
        return ApiError(request, code, reason, "the answer may quote a secret and is not shown")
    details = document.get("details")
    message = _name_right(code, _text(document.get("message")), details)
    return ApiError(request, code, reason, message, _parse_causes(details))


def _name_right(code: int, message: str, details: object) -> str:
    """Return what a refusal says, and the right that is missing where the server leaves it out.

    It does for what is applied or replaced and is not there: whether it may be created is asked
    late, and the answer has neither verb nor resource (``withAuthorization`` in apiserver's
    ``endpoints/handlers/create.go``).
    """
    if code != HTTPStatus.FORBIDDEN or not message.endswith("is forbidden: "):
        return message
    kind = _text(details.get("kind")) if isinstance(details, dict) else ""
    what = f'resource "{kind}"' if kind else "it"
    return f"{message}it is not there yet, and the account cannot create {what}"


def explain_failure(request: str, error: Exception) -> ApiError:
    """Return what an exception of the HTTP library means. Its own text is quoted where it is safe.

    ``ValueError`` is raised by the standard library about a header that cannot be sent, and shows
    the header: the token. Nothing of it is kept.
    """
    if isinstance(error, exceptions.NewConnectionError):  # which is a ConnectTimeoutError, too
        return ApiError(request, 0, UNREACHABLE, _root(error))
    if isinstance(error, exceptions.ConnectTimeoutError):
        return ApiError(request, 0, UNREACHABLE, "the server took no connection in time")
    if isinstance(error, exceptions.TimeoutError):
        return ApiError(request, 0, SILENT, "nothing came in time")
    if isinstance(error, exceptions.SSLError):
        return ApiError(request, 0, UNTRUSTED, _root(error))
    if isinstance(error, exceptions.HTTPError | OSError):
        return ApiError(request, 0, UNREACHABLE, _root(error))
    return ApiError(request, 0, NO_CREDENTIALS, "the credentials do not fit into a request")


def _carries_secret(request: str) -> bool:
    method, _, path = request.partition(" ")
    return method not in {"GET", "WATCH"} and "secrets" in path.split("/")


def _parse_causes(details: object) -> tuple[FieldCause, ...]:
    causes = details.get("causes") if isinstance(details, dict) else None
    return tuple(
        FieldCause(
            reason=_text(cause.get("reason")),
            field=_text(cause.get("field")),
            message=_text(cause.get("message")),
        )
        for cause in causes or ()
        if isinstance(cause, dict)
    )


def _root(error: BaseException) -> str:
    """Return the words of the innermost cause: the outer ones repeat the address."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, ValueError):  # the stream's end, read as the length of its next part
        return "the answer broke off"
    return str(error) or type(error).__name__


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
