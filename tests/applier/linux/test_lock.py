import os
import subprocess
import sys
from pathlib import Path

import pytest

from applier.errors import HostError, Locked
from applier.linux.lock import hold


def test_who_holds_the_lock_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/wormhole", "apply", "my state"])
    path = tmp_path / "run" / "lock"
    with hold(path), pytest.raises(Locked) as caught, hold(path):
        pass
    assert str(caught.value) == (
        f"lock {path}: held by process {os.getpid()} (wormhole apply 'my state') (code 11)"
    )


def test_a_holder_that_left_no_note_is_another_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path):
        path.write_bytes(b"")
        with pytest.raises(Locked, match=r": held by another process \(code 11\)$"), hold(path):
            pass


def test_the_lock_is_free_afterwards_even_when_the_block_failed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), hold(path):
        raise ZeroDivisionError
    with hold(path):
        pass
    assert path.read_bytes() == b""


def test_the_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    if (child := os.fork()) == 0:
        held = hold(path)  # kept: the block would end with it
        held.__enter__()
        os._exit(0)
    os.waitpid(child, 0)
    assert path.read_bytes().startswith(b"%d " % child)
    with hold(path):
        assert path.read_bytes().startswith(b"%d " % os.getpid())


def test_what_the_holder_starts_does_not_inherit_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path):
        left = subprocess.Popen(["sleep", "20"], close_fds=False)
    try:
        with hold(path):
            pass
    finally:
        left.kill()
        left.wait()


def test_a_lock_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught, hold(tmp_path):
        pass
    assert str(caught.value) == f"open lock {tmp_path}: Is a directory (code 21)"


def test_the_locks_folder_can_be_passed_through_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with hold(tmp_path / "run" / "lock"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755
