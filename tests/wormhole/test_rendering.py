"""A rendering follows its state, and ``--check`` says where it does not."""

import json
from pathlib import Path

import pytest
from commandline import Wormhole
from wormhole_git import write_inventory

from wormhole.files.rendering import is_rendering

COMPILE = ("compile", "mesh.yaml", "-o", "state", "--render", "native")
CHECK = ("render", "state", "--all", "-o", "native", "--check")


@pytest.fixture
def site(wormhole: Wormhole, tmp_path: Path) -> Path:
    write_inventory(tmp_path, 3)
    assert wormhole(*COMPILE)[0] == 0
    return tmp_path


def test_compile_renders_what_render_does(wormhole: Wormhole, site: Path) -> None:
    assert wormhole("render", "state", "--all", "-o", "other")[0] == 0
    for path in (site / "other").rglob("*.*"):
        assert (
            site / "native" / path.relative_to(site / "other")
        ).read_bytes() == path.read_bytes()
    assert wormhole(*CHECK) == (
        0,
        "ok: native is the rendering of state, 3 hosts\n",
        "",
    )


def test_the_check_names_every_kind_of_disagreement_and_writes_nothing(
    wormhole: Wormhole, site: Path
) -> None:
    (site / "native/node-1/ip.batch").write_text("")
    (site / "native/node-2/sysctl.conf").unlink()
    (site / "native/node-3/extra").write_text("")
    (site / "native/node-9").mkdir()
    (site / "native/node-9/ip.batch").write_text("")
    (site / "native/README").write_text("not below a host: not looked at")
    (site / "native/.git").mkdir()
    before = sorted(site.rglob("*"))
    assert wormhole(*CHECK) == (
        1,
        (
            "native/node-1/ip.batch differs\n"
            "native/node-2/sysctl.conf is missing\n"
            "native/node-3/extra is no part of it\n"
            "native/node-9/ip.batch is no part of it\n"
            "4 files: native is not the rendering of state\n"
        ),
        "",
    )
    assert sorted(site.rglob("*")) == before


def test_a_folder_that_is_not_there_lacks_everything(wormhole: Wormhole, site: Path) -> None:
    assert site.is_dir()
    code, output, _ = wormhole("render", "state", "--all", "-o", "nowhere", "--check")
    assert (code, output.splitlines()[-1]) == (
        1,
        "18 files: nowhere is not the rendering of state",
    )


@pytest.mark.parametrize("options", [("--all",), ("--host", "node-1", "-o", "native")])
def test_the_check_is_of_a_whole_folder(
    options: tuple[str, ...], wormhole: Wormhole, site: Path
) -> None:
    assert site.is_dir()
    assert wormhole("render", "state", *options, "--check") == (
        2,
        "",
        "error: --check: compares a whole folder: give --all and -o DIR\n",
    )


def test_what_hosts_left_behind_goes_and_what_is_not_ours_stays(
    wormhole: Wormhole, site: Path
) -> None:
    (site / "native/node-2/old.conf").write_text("# node-2, mesh demo: something\n")
    (site / "native/node-3/notes").write_text("mine\n")
    (site / "native/stranger").mkdir()
    (site / "native/stranger/file").write_text("mine\n")
    write_inventory(site, 2)
    code, _, errors = wormhole(*COMPILE)
    assert code == 0
    assert errors == (
        "warning: native/node-3/notes: not part of this rendering, and not ours: left where it is\n"
    )
    assert not (site / "native/node-2/old.conf").exists()
    assert [path.name for path in (site / "native/node-3").iterdir()] == ["notes"]
    assert (site / "native/stranger/file").read_text() == "mine\n"


def test_a_host_whose_folder_is_empty_then_loses_it(wormhole: Wormhole, site: Path) -> None:
    write_inventory(site, 2)
    wormhole(*COMPILE)
    assert sorted(path.name for path in (site / "native").iterdir()) == ["node-1", "node-2"]


def test_a_link_in_the_place_of_a_hosts_folder_is_not_followed(
    wormhole: Wormhole, site: Path
) -> None:
    (site / "elsewhere").mkdir()
    (site / "elsewhere/ip.batch").write_text("# node-4, mesh demo: links\n")
    (site / "native/node-4").symlink_to("../elsewhere")
    assert wormhole(*COMPILE)[0] == 0
    assert (site / "elsewhere/ip.batch").exists()


@pytest.mark.parametrize(
    ("name", "content", "ours"),
    [
        ("ip.batch", b"# node-1, mesh demo: links, addresses, routes\n", True),
        ("ip.batch", b"# node-2, mesh demo: links, addresses, routes\n", False),
        ("ip.batch", b"# node-1, mesh other: links, addresses, routes\n", False),
        ("10-wormhole.conflist", b'{"name": "wormhole"}', True),
        ("10-wormhole.conflist", b'{"name": "flannel"}', False),
        ("10-wormhole.conflist", b"{", False),
        ("10-wormhole.conflist", b"[]", False),
    ],
)
def test_a_rendering_is_known_by_what_is_in_it(name: str, content: bytes, ours: bool) -> None:  # noqa: FBT001 - a row of the table
    assert is_rendering("node-1", name, content, "demo") is ours


def test_many_hosts_are_warned_about(wormhole: Wormhole, tmp_path: Path) -> None:
    write_inventory(tmp_path, 201)
    code, _, errors = wormhole(*COMPILE)
    assert (code, errors) == (
        0,
        (
            "warning: native: 201 hosts, and each one's text names all others: it grows with the"
            " square\n"
        ),
    )


def test_compile_check_is_of_both_folders(wormhole: Wormhole, site: Path) -> None:
    assert wormhole(*COMPILE, "--check") == (
        0,
        "ok: state and native are what the inventory compiles to, 3 hosts\n",
        "",
    )
    write_inventory(site, 2, moved=1)
    before = {path: path.read_bytes() for path in site.rglob("*.*") if path.is_file()}
    code, output, _ = wormhole("compile", "mesh.yaml", "-o", "state", "--check")
    assert (code, output) == (
        1,
        (
            "state/mesh.json differs\n"
            "state/hosts/node-3.json is no part of it\n"
            "2 files: state is not what the inventory compiles to: compile, and commit\n"
        ),
    )
    assert wormhole(*COMPILE, "--check")[1].splitlines()[-1] == (
        "10 files: state and native are not what the inventory compiles to: compile, and commit"
    )
    assert {path: path.read_bytes() for path in before} == before


def test_compile_check_and_commit_exclude_each_other(wormhole: Wormhole) -> None:
    code, _, errors = wormhole(*COMPILE, "--check", "--commit")
    assert (code, "not allowed with argument --check" in errors) == (2, True)


@pytest.mark.parametrize("what", [("--host", "node-1"), ("--all",), ("--all", "--check")])
def test_documents_that_contradict_each_other_are_not_rendered(
    what: tuple[str, ...], wormhole: Wormhole, site: Path
) -> None:
    mesh = json.loads((site / "state/mesh.json").read_bytes())
    del mesh["peerGroups"]["mesh"]["node-1"]
    (site / "state/mesh.json").write_text(json.dumps(mesh))
    code, text, errors = wormhole("render", "state", *what, "-o", "other")

    assert (code, text) == (2, "")
    assert "error: state/hosts/node-1.json" in errors
    assert not (site / "other").exists()
