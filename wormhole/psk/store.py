"""The one Secret that holds the mesh's masters: read whole, changed only by whoever saw it last.

Every write is a PUT with the ``resourceVersion`` that was read, so of any number of writers one
wins and the others look again (``GuaranteedUpdate`` in the API server's ``etcd3/store.go``).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from secrets import token_bytes
from typing import Any, Final, NoReturn

from schemas.problems import Problem, Problems
from wormhole.cluster.api import PSK_SECRET, Api, Object, secrets
from wormhole.cluster.errors import ApiError
from wormhole.psk.epochs import MASTER_LENGTH, RULE, decode_master, encode_master, is_epoch

ROTATING_TO: Final = "wormhole.dev/rotating-to"
"""The Secret's annotation that names the epoch of a rotation that has not ended."""

_TRIES: Final = 8
"""A lost race means that somebody else wrote: rarely twice, never eight times in a row."""

Change = Callable[[Object], Object | None]
"""A Secret as it was read to the Secret as it should be; None to leave it."""


class Entries(Mapping[str, str]):
    """A Secret's ``data``: masters by epoch, in base64. Shows names only, and does not pickle."""

    def __init__(self, secret: Object) -> None:
        self._data: dict[str, str] = dict(secret.get("data") or {})

    def __getitem__(self, epoch: str) -> str:
        return self._data[epoch]

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"<Entries {sorted(self._data)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret's entries are not to be copied or stored")


def read_secret(api: Api, namespace: str) -> Object:
    """Return the Secret.

    Raises:
        ApiError: no answer, a refusal, or no such Secret: then the message says what to apply.

    """
    path = f"{secrets(namespace)}/{PSK_SECRET}"
    try:
        return api.get(path)
    except ApiError as error:
        if not error.missing:
            raise
        message = (
            f"the Secret {namespace}/{PSK_SECRET}, which the masters of pre-shared keys are kept"
            " in, is not there: apply Wormhole's manifests again (they hold it, empty), or run"
            f" `kubectl create secret generic {PSK_SECRET} --namespace {namespace}`"
        )
        raise ApiError(f"GET {path}", error.status, "NotFound", message) from error


def change_secret(api: Api, namespace: str, change: Change) -> Object:
    """Carry out a change, anew each time that somebody else was faster; return what is stored.

    Raises:
        ApiError: as :func:`read_secret`; or the race was lost too often.

    """
    for left in reversed(range(_TRIES)):
        secret = read_secret(api, namespace)
        changed = change(secret)
        if changed is None:
            return secret
        if secret.get("immutable"):
            raise _frozen(namespace)
        try:
            return api.replace(f"{secrets(namespace)}/{PSK_SECRET}", changed)
        except ApiError as error:
            if not (error.conflict and left):
                raise
    raise AssertionError("the last try returns or raises")


def ensure_master(api: Api, namespace: str, epoch: str, *, held: bytes | None = None) -> Entries:
    """Let the Secret have an entry for an epoch; return all entries, as everybody now reads them.

    Whoever comes first decides what it holds: the master that this host holds already if there is
    one (so that a Secret that was lost is restored and not reinvented), else 32 random bytes.

    Raises:
        Problems: the name is no epoch, or the entry is there and no master. It is left as it is.
        ApiError: as :func:`change_secret`.

    """
    return Entries(change_secret(api, namespace, adding(namespace, epoch, held=held)))


def adding(namespace: str, epoch: str, *, held: bytes | None = None) -> Change:
    """Return the change that adds an entry unless it is there."""
    if not is_epoch(epoch):
        raise Problems.one(RULE, path="presharedKeyEpoch", value=epoch)
    master = held or token_bytes(MASTER_LENGTH)

    def add(secret: Object) -> Object | None:
        entries = Entries(secret)
        if epoch in entries:
            check_entry(entries, namespace, epoch)
            return None
        return secret | {"data": {epoch: encode_master(master)} | dict(entries)}

    return add


def beginning(namespace: str, epoch: str, *, fresh: bool) -> Change:
    """Return the change that adds an entry and notes a rotation to it.

    Whoever may write to the Secret may have put an entry there, and know its master. So one that
    is there is gone on with only when a rotation to it is noted; a ``fresh`` rotation goes on with
    none, and gives up what is noted. The change raises Problems where that cannot be.
    """
    add = adding(namespace, epoch)

    def begin(secret: Object) -> Object | None:
        noted = read_rotation(secret)
        if noted not in {"", epoch} and not fresh:
            raise Problems.one(f"a rotation to {noted} began meanwhile: let it end first")
        if epoch in Entries(secret) and (fresh or noted != epoch):
            rule = (
                "was put into the Secret by somebody else meanwhile, and is not taken over: run it"
                " again"
            )
            raise Problems([Problem(object="entry", value=epoch, rule=rule)])
        changed = _with_note(add(secret) or secret, epoch)
        return None if changed == secret else changed

    return begin


def ending(epoch: str, old: Collection[str]) -> Change:
    """Return the change that removes old entries, and the note of the rotation to an epoch.

    The note of another rotation stays, and so does the entry that it is about.
    """

    def end(secret: Object) -> Object | None:
        noted, entries = read_rotation(secret), Entries(secret)
        other = noted if noted != epoch else ""
        kept = {name: entries[name] for name in entries if name not in old or name == other}
        changed = secret | {"data": kept}
        if other:
            return changed if len(kept) < len(entries) else None
        noteless = ROTATING_TO not in (secret["metadata"].get("annotations") or {})
        return None if noteless and len(kept) == len(entries) else _with_note(changed, None)

    return end


def read_rotation(secret: Object) -> str:
    """Return the epoch that a rotation is noted to be under way to; empty when there is none.

    A note about an entry that is not there, or is no master, is about none.
    """
    metadata = secret.get("metadata") or {}
    epoch = (metadata.get("annotations") or {}).get(ROTATING_TO)
    if not isinstance(epoch, str) or not is_epoch(epoch):
        return ""
    return epoch if decode_master(Entries(secret).get(epoch)) else ""


def check_entry(entries: Mapping[str, Any], namespace: str, epoch: str) -> None:
    """Check that an entry holds a master.

    Raises:
        Problems: it does not; what it holds is not shown.

    """
    if decode_master(entries.get(epoch)) is None:
        rule = (
            "not a master secret: 32 bytes in base64 are needed, as `wg genpsk` prints them;"
            " the entry is left as it is"
        )
        secret = f"Secret/{namespace}/{PSK_SECRET}"
        raise Problems([Problem(object=secret, path=f'data["{epoch}"]', rule=rule)])


def _frozen(namespace: str) -> ApiError:
    """Return what the server would say too, but not in public: its words may quote the content."""
    message = (
        f"the Secret {namespace}/{PSK_SECRET} is immutable: delete it and apply Wormhole's"
        " manifests again; agents then put back the master that is in use"
    )
    return ApiError(f"PUT {secrets(namespace)}/{PSK_SECRET}", 422, "Invalid", message)


def _with_note(secret: Object, epoch: str | None) -> Object:
    metadata = secret["metadata"]
    annotations = dict(metadata.get("annotations") or {})
    annotations.pop(ROTATING_TO, None)
    if epoch:
        annotations[ROTATING_TO] = epoch
    return secret | {"metadata": metadata | {"annotations": annotations}}
