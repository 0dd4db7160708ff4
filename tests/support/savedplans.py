"""Saved plans of a scene: made, written, read and applied as the command line does it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from scenes import Scene

from applier.outcome import Outcome
from applier.saved.carry import Opened, apply_saved
from applier.saved.identity import BOOT_ID, MACHINE_ID
from applier.saved.make import draft
from applier.saved.stale import Stale, Staleness
from applier.saved.text import read_saved, write_saved
from applier.vault import Vault
from schemas.document import format_raw

VERSION = "0.1.0"
Raw = dict[str, Any]


def save(scene: Scene, *, allow_mass_delete: bool = False) -> bytes:
    """Plan as `wormhole plan --out` does; return the file's content."""
    drafted = draft(
        scene.host,
        scene.resolved,
        vault=scene.vault,
        paths=scene.paths,
        version=VERSION,
        allow_mass_delete=allow_mass_delete,
    )
    assert drafted.refused == ""
    return write_saved(drafted.saved, scene.vault)


def open_content(content: bytes, version: str = VERSION) -> Opened:
    saved = read_saved(content, "p.json", version)
    return Opened(saved=saved, content=content, version=version)


def apply_content(scene: Scene, content: bytes, version: str = VERSION) -> Outcome:
    """Read and apply as `wormhole apply FILE` does."""
    opened = open_content(content, version)
    return apply_saved(scene.host, opened, vault=scene.vault, paths=scene.paths)


def refuse(scene: Scene, content: bytes, version: str = VERSION) -> Staleness:
    """Return why a plan is refused; it must be, and nothing may be written."""
    scene.writes()
    with pytest.raises(Stale) as refused:
        apply_content(scene, content, version)
    assert refused.value.reasons
    assert scene.writes() == []
    return refused.value.reasons


def edit(content: bytes, change: Callable[[Raw], object], seal: Vault | None = None) -> bytes:
    """Change a file as with an editor; with a vault, seal it again as only its host could."""
    raw = json.loads(content)
    change(raw)
    if seal is not None:
        raw["seal"] = ""
        spelt = json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        raw["seal"] = seal.seal(spelt.encode())
    return format_raw(raw)


def reboot_only(scene: Scene) -> None:
    """Give the host another boot id, and nothing else."""
    scene.host.sysctls.values[BOOT_ID] = "00000000-0000-4000-8000-000000000002"


def be_machine(scene: Scene, machine: bytes) -> None:
    scene.host.files[MACHINE_ID] = (machine + b"\n", 0o444)


def keys_of(reasons: Staleness) -> list[str]:
    """Name the live keys that differ: ``peer node-b``."""
    return [f"{one.kind} {one.key}" for one in reasons.objects]


def facts_of(reasons: Staleness) -> list[str]:
    return [str(fact.aspect) for fact in reasons.facts]
