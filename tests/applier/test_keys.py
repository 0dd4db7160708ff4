from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from applier.errors import Exists
from applier.fake import FakeHost
from applier.keys import clamp, create_key, load_key, open_vault
from applier.paths import Paths
from applier.vault import Vault
from schemas.problems import Problems

PATHS = Paths()
PRIVATE = "cCctuSj1d9UKlSUhvFNwkg9PEXnGH0INzby3RKwSLXI="
PUBLIC = "NfXRrPibg9QYgfQAk9sAmcOJ60LVXIR9FX+MFCb9xzQ="  # what `wg pubkey` says of it


@pytest.fixture
def host() -> FakeHost:
    return FakeHost(Vault(b"salt"))


def put_key(host: FakeHost, content: bytes, mode: int = 0o600) -> None:
    host.files[PATHS.private_key] = (content, mode)


def refusal(host: FakeHost) -> str:
    with pytest.raises(Problems) as caught:
        create_key(host, PATHS)
    return str(caught.value)


def test_a_key_is_made_once_for_its_owner_only(host: FakeHost) -> None:
    first = create_key(host, PATHS)
    content, mode = host.files[PATHS.private_key]

    assert mode == 0o600
    assert len(b64decode(content)) == 32
    assert create_key(host, PATHS) == first
    assert host.files[PATHS.private_key] == (content, mode)
    assert host.faults.writes == ["create_file /var/lib/wormhole/private.key"]


def test_a_new_key_is_clamped_as_wg_genkey_clamps(
    host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("applier.keys.token_bytes", lambda length: b"\xff" * length)
    create_key(host, PATHS)
    key = load_key(host, PATHS)[1]
    assert key == b"\xf8" + b"\xff" * 30 + b"\x7f"
    assert clamp(bytes(32)) == bytes(31) + b"\x40"
    assert clamp(key) == key


def test_the_public_half_is_what_wg_pubkey_says(host: FakeHost) -> None:
    put_key(host, PRIVATE.encode() + b"\n")
    assert load_key(host, PATHS) == (PUBLIC, b64decode(PRIVATE))


def test_two_that_make_a_key_at_once_get_the_same(host: FakeHost) -> None:
    class Slower:
        """Finds no key at its first look; another process makes one right after."""

        def __init__(self) -> None:
            self.looked = False

        def read_file(self, path: Path) -> bytes | None:
            if self.looked:
                return host.read_file(path)
            self.looked = True
            return None

        def file_mode(self, path: Path) -> int | None:
            return host.file_mode(path)

        def create_file(self, path: Path, content: bytes, mode: int) -> None:
            put_key(host, PRIVATE.encode())
            with pytest.raises(Exists):
                host.create_file(path, content, mode)
            raise Exists("create file", str(path), "File exists")

    assert create_key(Slower(), PATHS) == PUBLIC


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"not base64!", PRIVATE[:-4].encode(), b64encode(bytes(31)), b64encode(bytes(32))],
)
def test_a_damaged_key_is_told_and_left_as_it_is(host: FakeHost, content: bytes) -> None:
    put_key(host, content)
    assert refusal(host) == (
        "/var/lib/wormhole/private.key: not a private key: 32 bytes of base64 are needed; "
        "the file is left as it is"
    )
    assert host.files[PATHS.private_key] == (content, 0o600)


def test_a_key_that_others_may_read_is_refused(host: FakeHost) -> None:
    put_key(host, PRIVATE.encode(), 0o640)
    assert refusal(host) == (
        "/var/lib/wormhole/private.key: '0640': others may read this secret: make it 0600, "
        "and consider a new one"
    )


def test_a_host_without_a_key_is_told_how_to_make_one(host: FakeHost) -> None:
    with pytest.raises(Problems) as caught:
        open_vault(host, PATHS)
    assert str(caught.value) == (
        "/var/lib/wormhole/private.key: this host has no private key yet: "
        "`wormhole keygen` makes one"
    )


def test_the_vault_holds_the_private_key_under_its_public_half(host: FakeHost) -> None:
    put_key(host, PRIVATE.encode())
    vault, public = open_vault(host, PATHS)

    assert public == PUBLIC
    assert vault.reveal(public) == b64decode(PRIVATE)
    assert repr(vault) == "<Vault of 1 secrets>"


def test_fingerprints_are_stable_on_one_host_and_differ_on_another(host: FakeHost) -> None:
    put_key(host, PRIVATE.encode())
    other = FakeHost(Vault(b"salt"))
    create_key(other, PATHS)

    fingerprint = open_vault(host, PATHS)[0].put(b"secret")
    assert open_vault(host, PATHS)[0].put(b"secret") == fingerprint
    assert open_vault(other, PATHS)[0].put(b"secret") != fingerprint
