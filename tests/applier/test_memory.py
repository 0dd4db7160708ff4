"""What a host remembers: whatever its files hold, a turn goes on."""

import json
from pathlib import Path

import pytest
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scenes import OVERLAYS, PUBLIC, WG, Scene, converged

from applier.memory import load_applied, load_attempted
from applier.outcome import Result
from applier.plan import Cause

VERSIONS = sorted((Path(__file__).parents[2] / "fixtures/memory").iterdir())
PEERS = ["node-b", "node-c", "node-d"]
V4 = OVERLAYS[0]
NAMES = ("applied", "attempted", "sysctls")

SPOILT = (
    b'{"host": {"name": "\xff"}}',
    b'{"\xff": 1}',
    b'{"host"',
    bytes(4096),
    b"[" * 100_000,
    b'{"host":' * 100_000,
    b'{"host":{"name":"\\ud800"}}',
    b'{"net.ipv4.ip_forward": {"before": "\xff"}}',
)
"""Cut, zeroed, no UTF-8, too deep, half a surrogate pair."""


def heal(name: str, content: bytes) -> Result:
    """Converge a host one of whose memories was overwritten, and destroy it."""
    scene = converged()
    scene.host.files[getattr(scene.paths, name)] = (content, 0o600)
    result = scene.converge().result
    scene.host.files[getattr(scene.paths, name)] = (content, 0o600)
    assert scene.destroy().result is Result.CONVERGED
    return result


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("content", SPOILT, ids=lambda content: repr(content[:30]))
def test_a_spoilt_memory_is_a_lost_one(name: str, content: bytes) -> None:
    assert heal(name, content) is Result.CONVERGED


@pytest.mark.law
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(60))
@given(content=st.binary(max_size=64))
@example(content=b"\xff")
def test_no_bytes_at_all_stop_a_turn(name: str, content: bytes) -> None:
    assert heal(name, content) is Result.CONVERGED


@pytest.mark.law
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=examples(30))
@given(data=st.data())
def test_no_single_damaged_byte_stops_a_turn(name: str, data: st.DataObject) -> None:
    scene = Scene()
    scene.converge()
    content = bytearray(scene.host.files.get(getattr(scene.paths, name), (b'{"a": "b"}', 0))[0])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(128, 255))
    with pytest.raises((UnicodeDecodeError, json.JSONDecodeError)):  # it is damaged indeed
        json.loads(bytes(content))
    assert heal(name, bytes(content)) is Result.CONVERGED


class TestUpgrades:
    """What older versions wrote, byte by byte: who cannot read it has a host without memory."""

    @pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
    def test_what_was_applied_is_still_known_and_can_be_gone_back_to(self, folder: Path) -> None:
        scene = remembering(folder)
        applied = load_applied(scene.host, scene.paths)
        assert applied is not None
        assert (applied.host.name, sorted(applied.peers)) == ("node-a", PEERS)
        assert applied.host.wireguard.public_key == PUBLIC
        scene.resolved = applied
        assert scene.converge().result is Result.CONVERGED
        assert scene.plan().changes == ()
        (ours,) = (one for one in scene.host.routes() if one.device == WG and one.destination == V4)
        scene.host.delete_route(ours)
        (change,) = scene.plan().changes
        assert (change.kind, change.cause) == ("route", Cause.DRIFT)

    @pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
    def test_an_unfinished_apply_and_the_values_before_ours_are_known(self, folder: Path) -> None:
        scene = remembering(folder)
        attempted = load_attempted(scene.host, scene.paths)
        assert attempted is not None
        assert (attempted.wireguard, attempted.overlays) == (WG, OVERLAYS)
        before = dict(scene.host.sysctls.values)
        assert scene.converge().result is Result.CONVERGED
        assert scene.destroy().result is Result.CONVERGED
        there = {key: scene.host.sysctls.values[key] for key in before}
        assert there == before


def remembering(folder: Path) -> Scene:
    """Return a host with nothing of ours but what a version wrote into its memory."""
    scene = Scene()
    for path in (scene.paths.applied, scene.paths.attempted, scene.paths.sysctls):
        scene.host.files[path] = ((folder / path.name).read_bytes(), 0o600)
    return scene
