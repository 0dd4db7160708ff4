import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from applier.errors import Exists, HostError
from applier.fake import FakeHost
from applier.keys import clamp, create_key, load_key, open_vault, public_half, rotate_key
from applier.linux.files import Files
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


def test_rotating_puts_a_new_key_in_place_of_the_old_in_one_write(host: FakeHost) -> None:
    first = create_key(host, PATHS)
    host.faults.writes.clear()
    second = rotate_key(host, PATHS)

    assert second != first
    assert load_key(host, PATHS)[0] == second
    assert clamp(load_key(host, PATHS)[1]) == load_key(host, PATHS)[1]
    assert host.faults.writes == ["replace_secret /var/lib/wormhole/private.key"]


def test_rotating_without_a_key_makes_the_first(host: FakeHost) -> None:
    assert rotate_key(host, PATHS) == load_key(host, PATHS)[0]
    assert host.faults.writes == ["create_file /var/lib/wormhole/private.key"]


@pytest.mark.parametrize(
    ("content", "mode"), [(b"damaged", 0o600), (PRIVATE.encode(), 0o644)], ids=["damaged", "read"]
)
def test_rotating_is_the_way_out_of_a_bad_key(host: FakeHost, content: bytes, mode: int) -> None:
    put_key(host, content, mode)
    assert rotate_key(host, PATHS) == load_key(host, PATHS)[0]
    assert load_key(host, PATHS)[0] != PUBLIC


def test_killed_before_any_step_of_rotating_there_is_one_valid_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, files = Paths(data=tmp_path), Files()
    before = create_key(files, paths)
    seen, ended = set(), 0
    for steps in range(30):
        if (child := os.fork()) == 0:
            die_after(steps, monkeypatch)
            rotate_key(files, paths)
            os._exit(1)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        after, _ = load_key(files, paths)
        seen.add(after != before)
        left = [path for path in tmp_path.iterdir() if path != paths.private_key]
        assert len(left) <= 1
        for leftover in left:
            assert leftover.stat().st_mode & 0o777 == 0o600
            assert leftover.read_bytes() != paths.private_key.read_bytes()
            assert not holds(leftover, before), "the key that was replaced is nowhere"
        before = after
        if ended == 1:
            break
    assert ended == 1, "at last it came to its end"
    assert seen == {False, True}
    assert [*tmp_path.iterdir()] == [paths.private_key]


def test_a_kill_while_the_first_key_was_made_leaves_no_copy_behind_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, files = Paths(data=tmp_path), Files()
    if (child := os.fork()) == 0:
        monkeypatch.setattr(os, "link", lambda *_names: os._exit(0))
        create_key(files, paths)
    os.waitpid(child, 0)
    (leftover,) = tmp_path.iterdir()
    leftover.with_name("private.key").hardlink_to(leftover)

    rotate_key(files, paths)
    assert [*tmp_path.iterdir()] == [paths.private_key]


def test_a_key_behind_a_link_is_not_taken_for_replaced(tmp_path: Path) -> None:
    paths, files = Paths(data=tmp_path / "data"), Files()
    create_key(files, Paths(data=tmp_path))
    paths.data.mkdir()
    paths.private_key.symlink_to(tmp_path / "private.key")
    with pytest.raises(HostError) as caught:
        rotate_key(files, paths)
    assert str(caught.value) == (
        f"replace secret {paths.private_key}: it is a symbolic link: replace what it leads to"
        " (code 40)"
    )


def test_many_that_rotate_at_once_leave_one_key_and_each_says_one_that_was_there(
    tmp_path: Path,
) -> None:
    paths, files = Paths(data=tmp_path), Files()
    create_key(files, paths)
    with ThreadPoolExecutor(8) as pool:
        said = [*pool.map(lambda _: rotate_key(files, paths), range(40))]
    assert load_key(files, paths)[0] in said
    assert [*tmp_path.iterdir()] == [paths.private_key]


def die_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End this process, as SIGKILL does, in place of the step after so many."""
    left = iter(range(steps))

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            if next(left, None) is None:
                os._exit(0)
            return call(*arguments, **options)

        return step

    for name in ("open", "write", "fchmod", "fsync", "unlink", "replace", "close"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))


def holds(path: Path, public: str) -> bool:
    content = b64decode(path.read_bytes())
    return len(content) == 32 and public_half(content) == public


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
