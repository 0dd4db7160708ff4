"""What a host remembers: whatever its files hold, a turn goes on."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scenes import Scene, converged

from applier.outcome import Result

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
@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=64))
@example(content=b"\xff")
def test_no_bytes_at_all_stop_a_turn(name: str, content: bytes) -> None:
    assert heal(name, content) is Result.CONVERGED


@pytest.mark.law
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None)
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
