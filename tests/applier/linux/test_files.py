import errno
import os
import stat
from pathlib import Path

import pytest

from applier.errors import Exists, HostError, Missing, Unobservable
from applier.linux.files import Files

FILES = Files()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_written_file_reads_back_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "10-wormhole.conflist"
    FILES.write_file(path, b"one\0\xff", 0o644)
    FILES.write_file(path, b"two", 0o600)
    assert FILES.read_file(path) == b"two"
    assert FILES.file_mode(path) == 0o600
    assert names(tmp_path) == ["10-wormhole.conflist"]


def test_the_mode_is_the_one_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        FILES.write_file(tmp_path / "new" / "file", b"", 0o644)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new" / "file") == 0o644
    assert mode_of(tmp_path / "new") == 0o755


def test_the_folder_of_a_private_file_is_private(tmp_path: Path) -> None:
    FILES.write_file(tmp_path / "a" / "b" / "applied.json", b"", 0o600)
    FILES.create_file(tmp_path / "c" / "d" / "private.key", b"", 0o600)
    assert [mode_of(tmp_path / folder) for folder in ("a", "a/b", "c", "c/d")] == [0o700] * 4


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    FILES.write_file(tmp_path / "file", b"", 0o600)
    assert mode_of(tmp_path) == 0o750


def test_a_link_is_replaced_and_what_it_led_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "ours").symlink_to(tmp_path / "theirs")
    FILES.write_file(tmp_path / "ours", b"ours", 0o644)
    assert FILES.read_file(tmp_path / "theirs") == b"theirs"
    assert FILES.read_file(tmp_path / "ours") == b"ours"


def test_a_link_is_made_beside_its_place_and_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    symlink_to, replace, fsync = Path.symlink_to, Path.replace, os.fsync

    def note_symlink(self: Path, target: str) -> None:
        assert not self.name.endswith((".conf", ".conflist", ".json"))
        done.append(f"link in {self.parent.name}")
        symlink_to(self, target)

    def note_replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    def note_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    (tmp_path / "net.d").mkdir()
    (tmp_path / "net.d" / "name").write_bytes(b"file")
    monkeypatch.setattr(Path, "symlink_to", note_symlink)
    monkeypatch.setattr(Path, "replace", note_replace)
    monkeypatch.setattr(os, "fsync", note_fsync)
    FILES.replace_link(tmp_path / "net.d" / "name", "/run/target")
    assert done == ["link in net.d", "rename", "folder"]
    assert names(tmp_path / "net.d") == ["name"]
    assert FILES.read_link(tmp_path / "net.d" / "name") == "/run/target"


def test_a_link_that_cannot_be_put_in_place_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "name").mkdir()
    with pytest.raises(HostError) as caught:
        FILES.replace_link(tmp_path / "name", "/run/target")
    assert str(caught.value) == f"replace link {tmp_path / 'name'}: Is a directory (code 21)"
    assert names(tmp_path) == ["name"]
    assert (tmp_path / "name").is_dir()


def test_what_is_no_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("file", "folder", "none", "file/none"):
        assert FILES.read_link(tmp_path / name) is None
    with pytest.raises(Unobservable) as caught:
        FILES.read_link(tmp_path / ("n" * 300))
    assert str(caught.value).endswith("File name too long (code 36)")


@pytest.mark.parametrize("call", ["write", "fsync", "fchmod"])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    FILES.write_file(path, b"old", 0o644)

    def fail(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(HostError) as caught:
        FILES.write_file(path, b"new", 0o644)
    assert str(caught.value) == f"write file {path}: No space left on device (code 28)"
    monkeypatch.undo()
    assert FILES.read_file(path) == b"old"
    assert names(tmp_path) == ["file"]


def test_what_is_no_plain_file_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    reasons = {
        "pipe": "it is no plain file (code 22)",
        "device": "it is no plain file (code 22)",
        "folder": "Is a directory (code 21)",
    }
    for name, reason in reasons.items():
        with pytest.raises(Unobservable) as caught:
            FILES.read_file(tmp_path / name)
        assert str(caught.value) == f"read file {tmp_path / name}: {reason}"


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:7]))
    FILES.write_file(tmp_path / "file", b"0123456789" * 3, 0o644)
    assert FILES.read_file(tmp_path / "file") == b"0123456789" * 3


def test_what_a_killed_write_left_is_taken_away_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "10-wormhole.conflist"
    monkeypatch.setattr(Path, "replace", lambda _self, _target: os._exit(0))
    if (child := os.fork()) == 0:
        FILES.write_file(path, b"half", 0o644)
    os.waitpid(child, 0)
    monkeypatch.undo()
    (left,) = names(tmp_path)
    assert not left.endswith((".conf", ".conflist", ".json"))
    FILES.write_file(path, b"whole", 0o644)
    assert names(tmp_path) == ["10-wormhole.conflist"]


def test_file_and_folder_are_on_the_disk_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def note_replace(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    FILES.write_file(tmp_path / "file", b"", 0o644)
    assert done == ["file", "rename", "folder"]


def test_a_created_file_is_whole_private_and_alone(tmp_path: Path) -> None:
    FILES.create_file(tmp_path / "private.key", b"key", 0o600)
    assert FILES.read_file(tmp_path / "private.key") == b"key"
    assert mode_of(tmp_path / "private.key") == 0o600
    assert (tmp_path / "private.key").stat().st_nlink == 1
    assert names(tmp_path) == ["private.key"]


@pytest.mark.parametrize("there", ["file", "folder", "link to nothing"])
def test_creating_touches_nothing_that_is_there(tmp_path: Path, there: str) -> None:
    path = tmp_path / "private.key"
    match there:
        case "file":
            path.write_bytes(b"theirs")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(tmp_path / "nothing")
    before = path.lstat()
    with pytest.raises(Exists) as caught:
        FILES.create_file(path, b"ours", 0o600)
    assert str(caught.value) == f"create file {path}: File exists (code 17)"
    assert path.lstat() == before
    assert names(tmp_path) == ["private.key"]


def test_a_file_that_is_not_there_reads_as_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "none" / "none", tmp_path / "file" / "none"):
        assert FILES.read_file(path) is None
        assert FILES.file_mode(path) is None


def test_a_folder_lists_its_plain_files_in_order(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert FILES.list_files(tmp_path) == (".hidden", "a", "b")
    assert FILES.list_files(tmp_path / "none") == ()


def test_a_file_that_cannot_be_read_is_unobservable(tmp_path: Path) -> None:
    with pytest.raises(Unobservable) as caught:
        FILES.read_file(tmp_path)
    assert str(caught.value) == f"read file {tmp_path}: Is a directory (code 21)"


def test_a_removed_file_is_gone_and_missing_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    FILES.remove_file(path)
    assert names(tmp_path) == []
    with pytest.raises(Missing) as caught:
        FILES.remove_file(path)
    assert str(caught.value) == f"remove file {path}: No such file or directory (code 2)"
