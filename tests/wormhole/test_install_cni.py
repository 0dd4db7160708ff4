import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Wormhole

from wormhole.__main__ import run

NEEDED = ("bridge", "host-local", "loopback", "portmap")
FROM, TO = ("--from", "from"), ("--to", "bin")
RIVAL = (
    "the container runtime reads this before 10-wormhole.conflist: new pods get its network, not"
    " Wormhole's; remove it once no pod needs it, or let ours come first (spec.cni.fileName of the"
    " Mesh)"
)


@pytest.fixture
def source(wormhole: Wormhole, tmp_path: Path) -> Path:
    """Make a folder of plugins, with things in it that are none. The command runs beside it."""
    del wormhole
    folder = tmp_path / "from"
    folder.mkdir()
    for name in (*NEEDED, "vlan"):
        put(folder / name, f"{name}, new")
    put(folder / "README", "text", 0o644)
    put(folder / ".hidden", "hidden")
    (folder / "folder").mkdir()
    return folder


@pytest.fixture
def target(source: Path) -> Path:
    """Make the folder that other programs use too."""
    folder = source.parent / "bin"
    folder.mkdir()
    put(folder / "calico", "another's", 0o700)
    return folder


def put(path: Path, content: str, mode: int = 0o755) -> None:
    path.write_text(content)
    path.chmod(mode)


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return all that can be known of each file, and what it holds."""
    found: dict[str, tuple[object, ...]] = {}
    for path in folder.iterdir():
        status = path.lstat()
        times = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        owner = (status.st_uid, status.st_gid, status.st_mode)
        found[path.name] = (*times, *owner, path.read_bytes())
    return found


@pytest.mark.usefixtures("source")
def test_the_needed_plugins_are_written_once(wormhole: Wormhole, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        code, out, err = wormhole("install-cni", *FROM, *TO)
    finally:
        os.umask(before)
    lines = [f"bin/{name}: written" for name in NEEDED]
    assert (code, out.splitlines(), err) == (0, [*lines, "4 written, 0 already the same"], "")

    written = tree(tmp_path / "bin")
    assert {name: content for name, (*_, content) in written.items()} == {
        name: f"{name}, new".encode() for name in NEEDED
    }
    assert all((tmp_path / "bin" / name).stat().st_mode & 0o7777 == 0o755 for name in NEEDED)

    again = wormhole("install-cni", *FROM, *TO)
    assert again == (0, "0 written, 4 already the same\n", "")
    assert tree(tmp_path / "bin") == written


def test_only_what_differs_is_replaced_and_nothing_else_is_touched(
    wormhole: Wormhole, target: Path
) -> None:
    put(target / "bridge", "bridge, old")
    put(target / "host-local", "host-local, new")
    put(target / "portmap", "portmap, new", 0o644)
    if os.geteuid() == 0:
        os.chown(target / "calico", 1234, 1234)
        os.chown(target / "host-local", 1234, 1234)
    before = tree(target)

    code, out, _ = wormhole("install-cni", *FROM, *TO)

    written = ["bin/bridge: written", "bin/loopback: written", "bin/portmap: written"]
    assert (code, out.splitlines()) == (0, [*written, "3 written, 1 already the same"])
    after = tree(target)
    assert {name: after[name] for name in ("calico", "host-local")} == {
        name: before[name] for name in ("calico", "host-local")
    }
    assert sorted(after) == ["bridge", "calico", "host-local", "loopback", "portmap"]


def test_all_means_every_executable_file_and_a_name_means_itself(
    wormhole: Wormhole, target: Path
) -> None:
    assert wormhole("install-cni", *FROM, *TO, "vlan")[1] == (
        "bin/vlan: written\n1 written, 0 already the same\n"
    )
    assert last_line(wormhole("install-cni", *FROM, *TO, "--all")[1]) == (
        "4 written, 1 already the same"
    )
    assert sorted(path.name for path in target.iterdir()) == sorted((*NEEDED, "calico", "vlan"))


def test_existing_plugins_stay_when_asked_for(wormhole: Wormhole, target: Path) -> None:
    put(target / "bridge", "bridge, newer than ours")
    (target / "portmap").symlink_to("somewhere/on/the/host")
    put(target / "loopback", "", 0o644)
    code, out, _ = wormhole("install-cni", *FROM, *TO, "--keep-existing")
    assert (code, out.splitlines()) == (
        0,
        [
            "bin/host-local: written",
            "bin/loopback: written",
            "2 written, 0 already the same, 2 kept as found",
        ],
    )
    assert (target / "bridge").read_text() == "bridge, newer than ours"
    assert (target / "portmap").is_symlink()


def test_a_plugin_that_runs_is_replaced_and_runs_on(
    wormhole: Wormhole, source: Path, target: Path
) -> None:
    (target / "bridge").write_bytes(Path("/bin/sleep").read_bytes())
    (target / "bridge").chmod(0o755)
    with subprocess.Popen([target / "bridge", "60"]) as running:
        try:
            with pytest.raises(OSError, match="Text file busy"):
                (target / "bridge").write_bytes(b"half")
            assert wormhole("install-cni", *FROM, *TO, "bridge")[0] == 0
            assert running.poll() is None
        finally:
            running.send_signal(signal.SIGKILL)
    assert (target / "bridge").read_bytes() == (source / "bridge").read_bytes()


def test_links_in_the_folder_are_replaced_and_never_followed(
    wormhole: Wormhole, target: Path, tmp_path: Path
) -> None:
    for name, victim in (("bridge", "shadow"), (".wormhole.tmp", "passwd")):
        put(tmp_path / victim, "secret")
        (target / name).symlink_to(tmp_path / victim)
    code, _, err = wormhole("install-cni", *FROM, *TO, "bridge")
    assert (code, err) == (0, "")
    assert (target / "bridge").read_text() == "bridge, new"
    assert not (target / "bridge").is_symlink()
    assert [(tmp_path / name).read_text() for name in ("shadow", "passwd")] == ["secret"] * 2
    assert not (target / ".wormhole.tmp").is_symlink()


def test_killed_before_any_step_the_folder_holds_whole_plugins_and_the_next_run_cleans_up(
    wormhole: Wormhole, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = 0
    for steps in range(40):
        put(target / "bridge", "bridge, old")
        (target / "portmap").unlink(missing_ok=True)
        if (child := os.fork()) == 0:
            die_after(steps, monkeypatch)
            run(["install-cni", *FROM, *TO, "bridge", "portmap"])
            os._exit(1)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert (target / "bridge").read_text() in {"bridge, old", "bridge, new"}
        if (target / "portmap").exists():
            assert (target / "portmap").read_text() == "portmap, new"
        assert wormhole("install-cni", *FROM, *TO, "bridge", "portmap")[0] == 0
        assert {path.name for path in target.iterdir()} == {"bridge", "calico", "portmap"}
        if ended == 1:
            break
    assert ended == 1, "at last it came to its end"


def test_a_leftover_goes_even_where_nothing_differs(wormhole: Wormhole, target: Path) -> None:
    put(target / "bridge", "bridge, new")
    put(target / ".wormhole.tmp", "half")
    put(target / ".another.tmp", "another's")
    out = wormhole("install-cni", *FROM, *TO, "bridge")[1]
    assert out == "0 written, 1 already the same\n"
    assert {path.name for path in target.iterdir()} == {".another.tmp", "bridge", "calico"}


WRONG = {
    "a plugin that is not there": (
        ("nothing", "../bin/calico", "README"),
        (
            "error: ../bin/calico: no executable file of this name in from\n"
            "error: README: no executable file of this name in from\n"
            "error: nothing: no executable file of this name in from\n"
            "3 problems\n"
        ),
    ),
    "all, and one": (
        ("--all", "bridge"),
        "error: --all: it means every plugin: name none beside it\n",
    ),
    "no such folder": (
        ("--from", "nowhere"),
        "error: nowhere: cannot read the folder: no such file or directory\n",
    ),
    "a folder without plugins": (
        ("--from", "from/folder", "--all"),
        "error: from/folder: there is no executable file in this folder\n",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_meant_is_refused_before_anything_is_written(
    case: str, wormhole: Wormhole, target: Path
) -> None:
    arguments, expected = WRONG[case]
    assert wormhole("install-cni", *FROM, *TO, *arguments) == (2, "", expected)
    assert [path.name for path in target.iterdir()] == ["calico"]


def test_a_plugin_whose_name_is_a_folder_is_told(wormhole: Wormhole, target: Path) -> None:
    (target / "bridge").mkdir()
    expected = "error: bin/bridge: cannot write the file: is a directory\n"
    assert wormhole("install-cni", *FROM, *TO, "bridge") == (2, "", expected)
    assert {path.name for path in target.iterdir()} == {"bridge", "calico"}


@pytest.mark.usefixtures("target")
def test_configurations_that_would_be_read_before_ours_are_named(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    folder = tmp_path / "cni"
    folder.mkdir()
    for name in (
        "10-a.conf",
        "05-b.conflist",
        "00-c.json",
        "10-wormhole.conflist.bak",
        "99-z.conf",
    ):
        (folder / name).write_text("{}")
    (folder / "01-folder.conf").mkdir()
    (folder / "10-Z.conf").write_text("no JSON")

    code, _, err = wormhole("install-cni", *FROM, *TO)
    early = ("00-c.json", "05-b.conflist", "10-Z.conf", "10-a.conf")
    assert (code, err.splitlines()) == (
        0,
        [f"warning: {folder / name}: {RIVAL}" for name in early],
    )

    mesh = folder / "04-mesh.conflist"
    for make in (
        lambda: mesh.write_text('{"name": "wormhole"}'),
        lambda: mesh.symlink_to("/run/wormhole/cni/04-mesh.conflist"),
    ):
        mesh.unlink(missing_ok=True)
        make()
        err = wormhole("install-cni", *FROM, *TO)[2]
        assert err == f"warning: {folder / '00-c.json'}: {RIVAL}\n".replace(
            "10-wormhole.conflist", "04-mesh.conflist"
        )


@pytest.mark.usefixtures("target")
def test_a_folder_that_cannot_be_looked_into_stops_nothing(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    (tmp_path / "cni").write_text("")
    code, out, err = wormhole("install-cni", *FROM, *TO, "vlan")
    assert (code, last_line(out)) == (0, "1 written, 0 already the same")
    assert err == (
        f"warning: {tmp_path / 'cni'}: cannot look for other CNI configurations: not a directory\n"
    )


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def die_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End this process, as SIGKILL does, in place of the step after so many."""
    left = iter(range(steps))

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            if next(left, None) is None:
                os._exit(0)
            return call(*arguments, **options)

        return step

    for name in ("write", "fchmod", "fsync", "unlink", "rename"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
