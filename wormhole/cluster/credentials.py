"""Turn a kubeconfig, or the pod's service account, into what the client library connects with."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from wormhole.cluster.errors import ApiError
from wormhole.cluster.refusal import NO_CREDENTIALS

if TYPE_CHECKING:
    from kubernetes.client import Configuration

_IN_CLUSTER: Final = "KUBERNETES_SERVICE_HOST"
"""The kubelet sets it in every pod."""
_READ_AGAIN: Final = 60.0
"""Seconds a token is kept: the kubelet replaces a projected token after four fifths of its life,
which is ten minutes at the least."""
_POOL_SIZE: Final = 16


class TokenFile:
    """A token in a file that somebody else replaces. Never shown: a repr has only the path."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._read_at = -_READ_AGAIN

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def read(self) -> str:
        """Return the token, at most a minute old.

        An unreadable or empty file, as in the middle of a replacement, leaves the last one.

        Raises:
            ApiError: there has never been one.

        """
        with self._lock:
            if self._clock() - self._read_at >= _READ_AGAIN or not self._token:
                self._read()
            return self._token

    def expire(self) -> None:
        """Let the next :meth:`read` look at the file: the server did not accept the token."""
        with self._lock:
            self._read_at = -_READ_AGAIN + self._clock()

    def _read(self) -> None:
        try:
            found = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            found, why = "", getattr(error, "strerror", None) or "not text"
        else:
            why = "empty"
        if found:
            self._token = found
            self._read_at = self._clock()
        elif not self._token:
            raise ApiError(f"token {self._path}", 0, NO_CREDENTIALS, why.lower())


def load_configuration(kubeconfig: Path | None) -> tuple["Configuration", TokenFile | None]:
    """Return the library's configuration, and the file that its token comes from, if it does.

    None: the service account of the pod this runs in; outside a pod, the kubeconfig that kubectl
    would use.

    Raises:
        ApiError: there is none, or it cannot be used. Nothing in it is quoted but names.

    """
    try:
        return _load(kubeconfig)
    except ApiError:
        raise
    except Exception as error:  # noqa: BLE001 - the library lets anything through: KeyError, yaml's
        where = f"kubeconfig {kubeconfig}" if kubeconfig else "credentials"
        raise ApiError(where, 0, NO_CREDENTIALS, _explain(error)) from None


def _load(kubeconfig: Path | None) -> tuple["Configuration", TokenFile | None]:
    # The library takes half a second to import; only who connects pays.
    from kubernetes.client import Configuration  # noqa: PLC0415
    from kubernetes.config import incluster_config, kube_config  # noqa: PLC0415

    configuration = Configuration(connection_pool_maxsize=_POOL_SIZE)
    token_file: TokenFile | None = None
    if kubeconfig is None and os.environ.get(_IN_CLUSTER):
        # The library would read the token again too, but sends a line end along and fails on the
        # moment when the file is empty.
        incluster_config.load_incluster_config(configuration, try_refresh_token=False)
        token_file = TokenFile(Path(incluster_config.SERVICE_TOKEN_FILENAME))
    else:
        place = str(kubeconfig or kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
        kube_config.load_kube_config(
            place, client_configuration=configuration, persist_config=False
        )
        found = _find_token_file(Path(place).expanduser())
        token_file = TokenFile(found) if found else None
    if token_file is not None:
        token_file.read()
        configuration.refresh_api_key_hook = _refresh_from(token_file)
    return configuration, token_file


def _refresh_from(token_file: TokenFile) -> Callable[["Configuration"], None]:
    def refresh(configuration: "Configuration") -> None:
        configuration.api_key["BearerToken"] = f"Bearer {token_file.read()}"

    return refresh


def _find_token_file(kubeconfig: Path) -> Path | None:
    """Return the current user's ``tokenFile``: the library reads it once, and never again."""
    if not kubeconfig.is_file():
        return None  # several, joined by colons: the library merges them
    document = yaml.load(kubeconfig.read_text(encoding="utf-8"), yaml.CSafeLoader)
    context = _named(document, "contexts", document["current-context"]).get("context") or {}
    user = _named(document, "users", context.get("user")).get("user") or {}
    if not user.get("tokenFile") or user.get("token"):
        return None
    return kubeconfig.parent / str(user["tokenFile"])


def _named(document: dict[str, Any], section: str, name: object) -> dict[str, Any]:
    return next((item for item in document.get(section) or () if item.get("name") == name), {})


def _explain(error: Exception) -> str:
    """Return why, without what the library's exceptions quote: whole users with their tokens."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"no YAML: line {error.problem_mark.line + 1}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    said = str(error).partition("\n")[0]
    if said.endswith("No configuration found."):
        return "there is no kubeconfig: name one with --kubeconfig, or in KUBECONFIG"
    if type(error).__name__ == "ConfigException" and said.startswith(("Expected", "Invalid", "S")):
        return said.partition(" in ")[0]
    return f"cannot be used ({type(error).__name__})"
