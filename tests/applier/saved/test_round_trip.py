"""What is written down is read back as the very same value, and holds no secret."""

from base64 import b32encode, b64encode, urlsafe_b64encode

import pytest
from damage import DAMAGE, reboot
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from savedplans import VERSION, edit, open_content, save
from scenes import EPOCH, MASTERS, PRIVATE, Scene, build_inventory, converged, resolve_host

from applier.keys import clamp
from applier.psk import expand, extract
from applier.saved.make import draft
from applier.saved.text import has_seal, write_saved
from schemas.problems import Problems
from schemas.state import IptablesVariant
from schemas.validate import load_schema

INVENTORIES = {
    "as applied": build_inventory(),
    "one joins": build_inventory(("node-a", "node-b", "node-c", "node-d", "node-e")),
    "another epoch": build_inventory(epoch="2026-12"),
    "no keys": build_inventory(epoch=None),
    "IPv4 only": build_inventory(overlays=("10.244.0.0/16",)),
    "another port and keepalive": build_inventory(listen_port=4242, persistent_keepalive=25),
}


@given(
    first=st.sampled_from([None, *INVENTORIES]),
    then=st.sampled_from([*INVENTORIES]),
    damages=st.lists(st.sampled_from([*DAMAGE]), max_size=4, unique=True),
    userspace=st.booleans(),
)
@settings(max_examples=examples(60))
def test_a_loaded_plan_is_the_plan_that_was_written(
    first: str | None, then: str, damages: list[str], *, userspace: bool
) -> None:
    scene = Scene(resolve_host(INVENTORIES[first or then]), userspace=userspace)
    if first is not None:
        scene = converged(scene)
    for damage in damages:
        DAMAGE[damage](scene)
    scene.resolved = resolve_host(INVENTORIES[then])
    drafted = draft(
        scene.host,
        scene.resolved,
        vault=scene.vault,
        paths=scene.paths,
        version=VERSION,
        allow_mass_delete=True,
    )
    content = write_saved(drafted.saved, scene.vault)
    opened = open_content(content)
    assert replace(opened.saved, seal="") == drafted.saved
    assert write_saved(opened.saved, scene.vault) == content
    assert has_seal(content, scene.vault)


def test_planning_twice_gives_the_same_bytes() -> None:
    scene = converged()
    DAMAGE["strange peer"](scene)
    assert save(scene) == save(scene)


SECRETS = {
    "private key": PRIVATE,
    "private key, clamped": clamp(PRIVATE),
    "master": MASTERS[EPOCH],
    "next master": MASTERS["2026-12"],
}


def spellings(secret: bytes) -> dict[str, bytes]:
    """Return the first eight bytes of a secret, since a part is a leak too, in every encoding."""
    first = secret[:8]
    return {
        "raw": first,
        "hex": first.hex().encode(),
        "HEX": first.hex().upper().encode(),
        "reversed hex": secret[::-1][:8].hex().encode(),
        # Of the last digit some bits are of the ninth byte.
        "base64": b64encode(first)[:10],
        "base64url": urlsafe_b64encode(first)[:10],
        "base32": b32encode(first)[:12],
        "escaped": "".join(f"\\u{byte:04x}" for byte in first).encode(),
        "list": ",".join(map(str, first)).encode(),
    }


def test_no_secret_is_in_a_saved_plan_in_any_encoding() -> None:
    scene = converged()
    DAMAGE["no key"](scene)
    DAMAGE["remove peer"](scene)
    scene.resolved = resolve_host(INVENTORIES["another epoch"])
    content = save(scene)
    own = scene.resolved.host.wireguard.public_key
    secrets = dict(SECRETS)
    for epoch, master in MASTERS.items():
        key = extract(master)
        secrets[f"pseudo-random key of {epoch}"] = key
        for name, peer in scene.resolved.peers.items():
            secrets[f"{name} in {epoch}"] = expand(key, epoch, own, peer.public_key)
    found = [
        f"{name} as {encoding}"
        for name, secret in secrets.items()
        for encoding, spelt in spellings(secret).items()
        if spelt in content
    ]
    assert found == []
    assert len(secrets) == 4 + 2 * 4
    fingerprint = scene.vault.put(secrets["node-b in 2026-12"]).encode()
    assert fingerprint in content


def test_a_plan_with_conflicts_is_read_back() -> None:
    scene = Scene(installed=(IptablesVariant.NFT,))
    scene.host.files[scene.paths.cni / "10-wormhole.conflist"] = (b'{"name": "x"}', 0o644)
    opened = open_content(save(scene))
    assert [change.kind for change in opened.saved.plan.conflicts] == ["cni"]


def test_a_host_after_a_boot_can_be_planned_for() -> None:
    scene = reboot(converged())
    assert open_content(save(scene)).saved.plan.changes


def test_every_field_is_described() -> None:
    schema = load_schema("saved-plan")
    assert [*undescribed(schema, "")] == []


def undescribed(node: object, path: str) -> list[str]:
    if not isinstance(node, dict):
        return []
    missing = []
    for name, field in node.get("properties", {}).items():
        if "description" not in field:
            missing.append(f"{path}.{name}")
        missing += undescribed(field, f"{path}.{name}")
    items = node.get("additionalProperties")
    if isinstance(items, dict) and "description" not in items:
        missing.append(f"{path}[]")
    return missing


WRONG: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "p.json: empty: expected a JSON document"),
    "no UTF-8": (b'{"a": "\xff"}', "p.json:1: not JSON: not UTF-8"),
    "another kind of JSON": (
        b"[1, 2]",
        "p.json: must be a SavedPlan document, not a bare value",
    ),
    "a plan that was printed": (
        b'{"apiVersion": "wormhole.dev/v1alpha1", "kind": "Plan"}',
        "p.json: kind 'Plan': must be 'SavedPlan' for this document",
    ),
    "brackets": (b"[" * 100_000, "p.json: nested too deeply"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_saved_plan_is_refused(case: str) -> None:
    content, expected = WRONG[case]
    with pytest.raises(Problems) as refused:
        open_content(content)
    assert str(refused.value) == expected


def test_a_plan_cut_short_is_refused_wherever_it_was_cut() -> None:
    content = save(converged())
    for size in range(0, len(content) - 2, 199):
        with pytest.raises(Problems):
            open_content(content[:size])


def test_a_plan_of_a_newer_version_says_so() -> None:
    content = save(converged())
    newer = edit(content, lambda raw: raw.update(version="9.9.9", novelty=True))
    with pytest.raises(Problems) as refused:
        open_content(newer)
    assert str(refused.value) == (
        "p.json: version '9.9.9': made by another wormhole, which writes them otherwise;"
        " this one is 0.1.0"
    )


def test_a_field_said_twice_is_refused() -> None:
    content = save(converged())
    twice = content.replace(
        b'"allowMassDelete": false', b'"allowMassDelete": true,\n  "allowMassDelete": false'
    )
    with pytest.raises(Problems, match="stands here a second time"):
        open_content(twice)
