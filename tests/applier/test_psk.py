import hmac
from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.fake import FakeHost
from applier.paths import Paths
from applier.psk import expand, extract, load_master
from applier.vault import Vault
from schemas.problems import Problems
from schemas.values import PublicKey

PATHS = Paths()
KEYS = st.binary(min_size=32, max_size=32).map(lambda raw: PublicKey(b64encode(raw).decode()))
LOW = PublicKey(b64encode(bytes(31) + b"\x01").decode())
HIGH = PublicKey(b64encode(b"\xff" * 32).decode())


def derive(master: bytes, epoch: str, ours: PublicKey, theirs: PublicKey) -> bytes:
    """Return a pair's key as a host gets it."""
    return expand(extract(master), epoch, ours, theirs)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Return RFC 5869's function, written down a second time and for any length."""
    key = hmac.new(salt, secret, sha256).digest()
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.new(key, block + info + bytes([counter]), sha256).digest()
        output += block
        counter += 1
    return output[:length]


def test_the_second_writing_agrees_with_the_rfc() -> None:
    # RFC 5869, appendix A.1
    assert hkdf(
        bytes.fromhex("0b" * 22),
        bytes.fromhex("000102030405060708090a0b0c"),
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
        42,
    ) == bytes.fromhex(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def test_a_pairs_key_is_the_designs_derivation() -> None:
    master = bytes(range(32))
    info = b"2026-11\x00" + bytes(31) + b"\x01" + b"\xff" * 32
    assert derive(master, "2026-11", HIGH, LOW) == hkdf(master, b"wormhole/psk/v1", info, 32)


def test_a_pairs_key_is_this_value() -> None:
    """Hosts of two versions must agree, so this never changes."""
    key = derive(bytes(range(32)), "2026-11", LOW, HIGH)
    assert key.hex() == "49e260618fab07d943234fa0a5402f759777547ee93c7283a6001bf9fe3b3d00"


@given(KEYS, KEYS)
def test_both_ends_derive_the_same(ours: PublicKey, theirs: PublicKey) -> None:
    master = bytes(range(32))
    assert derive(master, "e", ours, theirs) == derive(master, "e", theirs, ours)


@pytest.mark.parametrize(
    ("master", "epoch", "peer"),
    [
        (bytes(31) + b"\x01", "2026-11", HIGH),
        (bytes(range(32)), "2026-12", HIGH),
        (bytes(range(32)), "2026-11", PublicKey(b64encode(b"\xfe" * 32).decode())),
    ],
)
def test_another_master_epoch_or_peer_gives_another_key(
    master: bytes, epoch: str, peer: PublicKey
) -> None:
    assert derive(master, epoch, LOW, peer) != derive(bytes(range(32)), "2026-11", LOW, HIGH)


def test_a_missing_master_is_told_with_its_path() -> None:
    with pytest.raises(Problems) as caught:
        load_master(FakeHost(Vault(b"")), PATHS, "2026-11")
    assert str(caught.value) == (
        "/var/lib/wormhole/psk/2026-11: wireguard.presharedKeyEpoch '2026-11': no master secret "
        "for this pre-shared-key epoch: put the mesh's there, as `wg genpsk` prints one"
    )


def test_a_damaged_master_is_told() -> None:
    host = FakeHost(Vault(b""))
    host.files[PATHS.master("x")] = (b"short", 0o600)
    with pytest.raises(Problems) as caught:
        load_master(host, PATHS, "x")
    assert str(caught.value) == (
        "/var/lib/wormhole/psk/x: not a master secret: 32 bytes of base64 are needed; "
        "the file is left as it is"
    )


def test_a_master_is_read_as_wg_genpsk_prints_it() -> None:
    host = FakeHost(Vault(b""))
    host.files[PATHS.master("x")] = (b64encode(bytes(range(32))) + b"\n", 0o400)
    assert load_master(host, PATHS, "x") == bytes(range(32))
