"""Inventory text comes from files, folders and standard input; what cannot be read is named."""

import io
import os
from pathlib import Path

import pytest

from schemas.problems import Problems
from wormhole.files.sources import read_sources


def names_read(*paths: object) -> list[str]:
    return [source.name for source in read_sources(map(str, paths))]


def refusal(*paths: object) -> str:
    with pytest.raises(Problems) as caught:
        read_sources(map(str, paths))
    return str(caught.value)


def test_a_folder_is_read_below_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name in (
        "b.yaml",
        "a.yml",
        "sub/deep/c.json",
        "notes.md",
        ".swp.yaml",
        ".git/config.yaml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    expected = [f"{tmp_path}/a.yml", f"{tmp_path}/b.yaml", f"{tmp_path}/sub/deep/c.json"]
    assert expected == names_read(tmp_path)


def test_a_folder_is_read_from_plain_files_only(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to("/dev/zero")
    rule = "cannot read the file: it is no plain file"
    assert refusal(tmp_path) == f"{tmp_path}/a.yaml: {rule}\n{tmp_path}/b.yaml: {rule}"


def test_a_name_that_no_file_can_have_is_a_problem() -> None:
    name = "a" * 5000
    assert refusal(name) == f"{name}: cannot read the file: file name too long"


def test_the_links_of_a_mounted_config_map_are_followed_once(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026/mesh.yaml").write_text("x")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "mesh.yaml").symlink_to("..data/mesh.yaml")
    assert [f"{tmp_path}/mesh.yaml"] == names_read(tmp_path)


def test_a_file_named_by_itself_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / ".nodes").write_text("x")
    assert [f"{tmp_path}/.nodes"] == names_read(tmp_path / ".nodes")


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text("x")
    assert [f"{tmp_path}/mesh.yaml"] == names_read(tmp_path / "mesh.yaml", tmp_path)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"kind: Mesh\n")))
    (source,) = read_sources(["-"])
    assert (source.name, source.text) == ("-", "kind: Mesh\n")


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_bytes(b"\xef\xbb\xbfkind: Mesh\n")
    (source,) = read_sources([str(tmp_path)])
    assert source.text == "kind: Mesh\n"


def test_what_is_not_utf_8_is_named_by_line_and_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"kind: Mesh\nname: caf\xe9\n")
    assert refusal(file) == f"{file}:2: not UTF-8: byte 0xe9 at offset 20"


def test_utf_16_is_named_at_its_first_byte(tmp_path: Path) -> None:
    file = tmp_path / "wide.yaml"
    file.write_bytes("kind: Mesh\n".encode("utf-16"))
    assert refusal(file) == f"{file}:1: not UTF-8: byte 0xff at offset 0"


def test_everything_unreadable_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    expected = [
        f"{tmp_path}/absent.yaml: cannot read the file: no such file or directory",
        f"{tmp_path}/empty: no .yaml, .yml, .json file in this folder",
        f"{tmp_path}/loop.yaml: cannot read the file: too many levels of symbolic links",
    ]
    found = refusal(*(tmp_path / name for name in ("loop.yaml", "absent.yaml", "empty")))
    assert expected == found.splitlines()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    expected = f"{tmp_path}/closed: cannot read the folder: permission denied"
    assert expected == refusal(tmp_path / "closed")
