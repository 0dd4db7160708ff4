"""The masters of the cluster's Secret become files of this host, and nothing else does."""

from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from applier import keys, psk
from applier.errors import Exists, HostError, Missing
from applier.keys import read_secret
from applier.paths import Paths
from schemas.problems import Problems, neutralise
from schemas.state import Value
from wormhole.psk.epochs import decode_master, is_epoch
from wormhole.psk.store import ensure_master

__all__ = ["Files", "Held", "ensure_master", "hold_masters", "read_master"]

_MODE: Final = 0o600


class Files(keys.Files, Protocol):
    """The doors that masters need; every :class:`~applier.host.Host` has them."""

    def write_file(self, path: Path, content: bytes, mode: int) -> None:
        """Put a whole file in place."""

    def list_files(self, folder: Path) -> tuple[str, ...]:
        """Return the names of the plain files in a folder."""

    def remove_file(self, path: Path) -> None:
        """Remove a file."""


class Held(Value, frozen=True, kw_only=True):
    """What this host holds after it looked at the Secret."""

    epochs: tuple[str, ...]
    """Epochs whose master it has, sorted."""
    changed: tuple[str, ...] = ()
    """Epochs whose file was written or removed."""
    remarks: tuple[str, ...] = ()
    """A sentence for each thing that an operator should know. The same again while it is so."""


def hold_masters(
    files: Files, paths: Paths, secret_data: Mapping[str, str], in_use: Collection[str]
) -> Held:
    """Let the host hold what the Secret holds; a file that says the same already is not written.

    Where a file differs from the Secret, the Secret wins: all hosts have to agree, and they agree
    on it. A master that left the Secret is removed unless it is in use (by the Mesh, or by what
    was applied last); when the Secret is empty nothing is, since that may be an accident.

    One file that cannot be read or written is told, and does not stop the others.
    """
    changed: list[str] = []
    remarks: list[str] = []
    for epoch in sorted(secret_data):
        with _telling(remarks):
            if _hold(files, paths, epoch, secret_data[epoch], remarks):
                changed.append(epoch)
    with _telling(remarks):
        for epoch in _find_abandoned(files, paths, secret_data, in_use):
            with suppress(Missing):
                files.remove_file(paths.master(epoch))
            changed.append(epoch)
    return Held(
        epochs=_find_held(files, paths, {*secret_data, *in_use}),
        changed=tuple(changed),
        remarks=tuple(map(neutralise, remarks)),
    )


def read_master(files: Files, paths: Paths, epoch: str) -> bytes | None:
    """Return the master that this host holds; None when it holds none, or a damaged one."""
    if not is_epoch(epoch):
        return None
    try:
        return psk.load_master(files, paths, epoch)
    except (Problems, HostError):
        return None


def _hold(files: Files, paths: Paths, epoch: str, value: str, remarks: list[str]) -> bool:
    """Let one file say what the Secret says; return whether it had to be written."""
    if not is_epoch(epoch):
        remarks.append(f"Secret entry {epoch!r}: ignored, since it is no epoch's name")
        return False
    master = decode_master(value)
    if master is None:
        rule = "ignored, since it is no master secret (32 bytes in base64)"
        remarks.append(f"Secret entry {epoch!r}: {rule}")
        return False
    path, content = paths.master(epoch), b64encode(master) + b"\n"
    if files.read_file(path) is None:
        with suppress(Exists):  # a link that leads nowhere reads as nothing, and is replaced below
            files.create_file(path, content, _MODE)
            return True
    wrong = _find_wrong(files, path, master)
    if wrong:
        files.write_file(path, content, _MODE)
        remarks.append(f"{path}: {wrong}; it is the Secret's now")
    return bool(wrong)


def _find_wrong(files: Files, path: Path, master: bytes) -> str:
    """Return why a file has to be written again; empty when it need not."""
    try:
        found = read_secret(files, path, files.read_file(path) or b"", "a master secret")
    except Problems as error:
        return error.problems[0].rule.partition(":")[0]  # without what to do about it: it is done
    return "" if found == master else "held another master of this epoch"


def _find_abandoned(
    files: Files, paths: Paths, secret_data: Mapping[str, str], in_use: Collection[str]
) -> tuple[str, ...]:
    """Return the epochs that left the Secret and are not needed. What is no master is not ours."""
    if not secret_data:
        return ()
    return tuple(
        name
        for name in files.list_files(paths.masters)
        if name not in secret_data and name not in in_use and read_master(files, paths, name)
    )


def _find_held(files: Files, paths: Paths, known: Collection[str]) -> tuple[str, ...]:
    """Return the epochs whose master is here, those behind a link too if they are known."""
    names = set(known)
    with suppress(HostError):
        names |= {*files.list_files(paths.masters)}
    return tuple(sorted(name for name in names if read_master(files, paths, name)))


@contextmanager
def _telling(remarks: list[str]) -> Iterator[None]:
    try:
        yield
    except HostError as error:
        remarks.append(str(error))
