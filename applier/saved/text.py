"""A saved plan to the bytes of its file, sealed, and back."""

import hmac
from typing import Any

import msgspec
from msgspec.structs import replace

from applier.kinds import KINDS
from applier.plan import Change, Observed
from applier.saved.document import SavedPlan
from applier.vault import Vault
from schemas.document import digest, format_raw, read_raw
from schemas.problems import Problem, Problems

_TYPES = {kind.name: kind.value_type for kind in KINDS}


def write_saved(saved: SavedPlan, vault: Vault) -> bytes:
    """Return the file's content, with this host's seal in place of the value's."""
    raw = msgspec.json.decode(msgspec.json.encode(saved))
    return format_raw(raw | {"seal": vault.seal(_sealed_part(raw))})


def has_seal(content: bytes, vault: Vault) -> bool:
    """Whether a file says what this host once wrote into it, however it is spelt now."""
    raw = msgspec.json.decode(content)
    return hmac.compare_digest(raw["seal"], vault.seal(_sealed_part(raw)))


def read_saved(content: bytes, file: str, version: str) -> SavedPlan:
    """Return the value that :func:`write_saved` was given; ``version`` is of who reads.

    Raises:
        Problems: it is no saved plan, one of another version that reads otherwise, or one that
            contradicts itself.

    """
    try:
        raw = read_raw(content, file, "SavedPlan", "saved-plan")
        saved = _give_types(msgspec.convert(raw, SavedPlan))
    except msgspec.ValidationError as error:
        raise Problems.one(f"not as saved plans are written: {error}", file=file) from None
    except Problems:
        _refuse_version(content, file, version)
        raise
    _refuse_contradictions(saved, file)
    return saved


def _sealed_part(raw: dict[str, Any]) -> bytes:
    return msgspec.json.encode({**raw, "seal": ""}, order="sorted")


def _give_types(saved: SavedPlan) -> SavedPlan:
    """Turn values as JSON has them into values of their kinds."""
    changes = tuple(map(_give_change_types, saved.plan.changes))
    found = {kind: _give_observed_types(kind, there) for kind, there in saved.found.items()}
    return replace(saved, plan=replace(saved.plan, changes=changes), found=found)


def _give_change_types(change: Change) -> Change:
    return replace(
        change,
        before=_convert(change.kind, change.before),
        after=_convert(change.kind, change.after),
    )


def _give_observed_types(kind: str, there: Observed) -> Observed:
    owned = {key: _convert(kind, value) for key, value in there.owned.items()}
    return Observed(owned=owned, foreign=there.foreign)


def _convert(kind: str, raw: object) -> object:
    return None if raw is None else msgspec.convert(raw, _TYPES[kind])


def _refuse_version(content: bytes, file: str, version: str) -> None:
    """Say of a saved plan that we cannot read who can, if that is why."""

    class Versioned(msgspec.Struct):
        kind: str
        version: str

    try:
        found = msgspec.json.decode(content, type=Versioned)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if found.kind == "SavedPlan" and found.version != version:
        rule = f"made by another wormhole, which writes them otherwise; this one is {version}"
        raise Problems.one(rule, file=file, path="version", value=found.version)


def _refuse_contradictions(saved: SavedPlan, file: str) -> None:
    """Refuse what no host can have written: what the file says of its own desired state."""
    desired = saved.desired
    expected = (
        ("plan.digest", saved.plan.digest, digest(desired), "is not the desired state's digest"),
        ("plan.host", saved.plan.host, desired.host.name, "is not the host of the desired state"),
        (
            "host.publicKey",
            saved.host.public_key,
            desired.host.wireguard.public_key,
            "is not the public key of the desired state",
        ),
    )
    wrong = [
        Problem(file=file, path=path, value=value, rule=f"{rule}, which is {right}: plan again")
        for path, value, right, rule in expected
        if value != right
    ]
    if wrong:
        raise Problems(wrong)
