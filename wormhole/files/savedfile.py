"""The file of a saved plan to its value, and back: never in place of anything else."""

from pathlib import Path
from typing import Final

import msgspec

from applier.errors import HostError
from applier.saved.carry import Opened
from applier.saved.document import SavedPlan
from applier.saved.text import read_saved, write_saved
from applier.vault import Vault
from schemas.problems import Problems
from wormhole import __version__
from wormhole.files.folder import explain_os_errors, read_plain

LARGEST: Final = 64 << 20
"""Bytes. The plan of a host with 10,000 peers has an eighth of that."""

_MODE: Final = 0o600
"""There is no secret in it; but who may read what a host is like is for its owner to say."""


class _Kinded(msgspec.Struct, frozen=True):
    kind: str = ""


def open_saved(path: Path) -> Opened:
    """Read a saved plan.

    Raises:
        Problems: it cannot be read, is no saved plan, or contradicts itself.

    """
    refuse_inventory(path)
    content = _read(path)
    saved = read_saved(content, str(path), __version__)
    return Opened(saved=saved, content=content, version=__version__)


def refuse_inventory(path: Path) -> None:
    """Tell who names an inventory where a host's command takes what it compiles to.

    Raises:
        Problems: its ending says so.

    """
    if path.suffix.lower() in {".yaml", ".yml"}:
        rule = "is an inventory by its name: 'wormhole compile' makes a state folder of it"
        raise Problems.one(rule, file=str(path))


def refuse_place(path: Path) -> None:
    """Refuse a place where no plan can be saved, before anybody waits for one.

    Raises:
        Problems: something else is there, or the folder is not.

    """
    with explain_os_errors(path, "cannot save the plan here"):
        if path.is_symlink():
            raise Problems.one("is a symbolic link: name the file itself", file=str(path))
        if path.exists() and not _is_replaceable(path):
            rule = "is there already, and is no saved plan: name another file"
            raise Problems.one(rule, file=str(path))
        if not path.parent.is_dir():
            raise Problems.one("its folder is not there", file=str(path))


def store_saved(path: Path, saved: SavedPlan, vault: Vault) -> None:
    """Write a saved plan, whole and for its owner only; an older plan is replaced.

    Raises:
        Problems: it cannot be written, or something else is there by now.

    """
    from applier.linux.files import Files  # noqa: PLC0415 - reading a plan needs none of it

    content = write_saved(saved, vault)
    refuse_place(path)
    place = path.absolute()
    try:
        if path.exists():
            Files().write_file(place, content, _MODE)
        else:
            Files().create_file(place, content, _MODE)
    except HostError as error:
        raise Problems.one(f"cannot save the plan: {error.reason}", file=str(path)) from error


def _is_replaceable(path: Path) -> bool:
    try:
        return msgspec.json.decode(_read(path), type=_Kinded).kind == "SavedPlan"
    except (Problems, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _read(path: Path) -> bytes:
    with explain_os_errors(path, "cannot read the file"):
        size = path.stat().st_size
    if size > LARGEST:
        raise Problems.one(f"too large for a saved plan: {size} bytes", file=str(path))
    return read_plain(path)
