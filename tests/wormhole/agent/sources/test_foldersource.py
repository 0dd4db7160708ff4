"""A folder of documents is followed, and never believed when it says too little."""

import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from inventories import make_inventory, make_key, make_mesh, make_node

from compiler.compile import compile_mesh
from schemas.document import dump
from schemas.problems import Problem
from wormhole.agent.desired import Cause, Desired, Source
from wormhole.agent.sources import foldersource
from wormhole.agent.sources.foldersource import FolderSource
from wormhole.files.statefolder import read_resolved, write_state

NAMES = ("node-a", "node-b", "node-c")
KEY = make_key("node-a")


def write(folder: Path, names: tuple[str, ...] = NAMES, *, keepalive: int = 0) -> Path:
    """Compile a mesh of these nodes into a folder; return it."""
    nodes = [
        make_node(
            name,
            f"10.244.{ord(name[-1])}.0/24",
            endpoint=f"192.0.2.{ord(name[-1])}:9806",
            persistent_keepalive=keepalive,
        )
        for name in names
    ]
    documents = compile_mesh(make_inventory(make_mesh(), *nodes))
    write_state(folder, documents.mesh, documents.hosts.values())
    return folder


def flip(link: Path, target: Path) -> None:
    """Exchange what a link leads to, as git-sync and the kubelet do: by a rename."""
    new = link.with_name(f"{link.name}.new")
    new.symlink_to(target)
    new.replace(link)


def mount(folder: Path, content: Path) -> Path:
    """Lay a folder out as a mounted ConfigMap."""
    folder.mkdir(exist_ok=True)
    flip(folder / "..data", content)
    for name in ("mesh.json", "hosts"):
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data", name))
    return folder


class Bell:
    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self._rung = threading.Semaphore(0)

    def __call__(self, cause: Cause) -> None:
        self.causes.append(cause)
        self._rung.release()

    def await_ring(self) -> bool:
        return self._rung.acquire(timeout=5)


def watched(folder: Path, bell: Bell) -> FolderSource:
    source = FolderSource(folder, "node-a", period=0.01)
    source.start(bell)
    return source


def test_it_is_a_source() -> None:
    source: Source = FolderSource(Path("nowhere"), "node-a")
    source.stop()


def test_a_host_gets_its_documents(tmp_path: Path) -> None:
    folder = write(tmp_path / "state")
    expected = Desired(resolved=read_resolved(folder, "node-a"))
    assert FolderSource(folder, "node-a").desired(KEY) == expected


def test_unchanged_documents_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FolderSource(write(tmp_path / "state"), "node-a")
    first = source.desired(KEY)
    monkeypatch.setattr(foldersource, "read_resolved", None)
    second = source.desired(KEY)
    assert second == first
    assert second.resolved is first.resolved


class TestTooLittle:
    @pytest.mark.parametrize("make", [Path.exists, Path.mkdir], ids=["missing", "empty"])
    def test_a_folder_without_a_mesh_is_waited_for(self, tmp_path: Path, make: object) -> None:
        folder = tmp_path / "state"
        make(folder)  # type: ignore[operator] # either of two
        waiting = Desired(waiting_for=f"mesh.json in {folder}")
        assert FolderSource(folder, "node-a").desired(KEY) == waiting

    def test_a_host_that_is_not_there_is_waited_for_and_never_cleared(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "state", ("node-b", "node-c"))
        assert FolderSource(folder, "node-a").desired(KEY) == Desired(
            waiting_for=f"hosts/node-a.json in {folder} (a host that left is cleared by "
            "'wormhole destroy' on it)"
        )

    @pytest.mark.parametrize(
        ("name", "content", "line", "rule"),
        [
            ("mesh.json", b"", 0, "empty: expected a JSON document"),
            ("mesh.json", b"{}", 0, "must be 'MeshState' for this document"),
            ("hosts/node-a.json", b"", 0, "empty: expected a JSON document"),
            ("hosts/node-a.json", b"{", 1, "not JSON: expecting property name enclosed in"),
        ],
    )
    def test_half_a_document_is_a_problem(
        self, tmp_path: Path, name: str, content: bytes, line: int, rule: str
    ) -> None:
        folder = write(tmp_path / "state")
        (folder / name).write_bytes(content)
        desired = FolderSource(folder, "node-a").desired(KEY)
        assert desired.resolved is None
        (found, *_) = [problem for problem in desired.problems if problem.path != "apiVersion"]
        assert (found.file, found.line) == (str(folder / name), line)
        assert found.rule.startswith(rule)

    def test_documents_that_contradict_each_other_are_a_problem(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "state")
        mesh = json.loads((folder / "mesh.json").read_bytes())
        mesh["peerGroups"]["mesh"]["node-a"]["publicKey"] = make_key("another")
        (folder / "mesh.json").write_text(json.dumps(mesh))
        desired = FolderSource(folder, "node-a").desired(KEY)
        assert desired.resolved is None
        assert desired.problems

    def test_documents_for_another_key_are_a_problem(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "state")
        own = make_key("a new key")
        assert FolderSource(folder, "node-a").desired(own) == Desired(
            problems=(
                Problem(
                    object="HostState/node-a",
                    path="wireguard.publicKey",
                    value=KEY,
                    rule=f"is not this host's public key, which is {own}:"
                    " either this is not node-a, or its MeshNode needs that key",
                ),
            )
        )

    def test_what_could_not_be_read_is_read_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = write(tmp_path / "state")
        source = FolderSource(folder, "node-a")
        with monkeypatch.context() as patch:
            patch.setattr("wormhole.files.statefolder.read_plain", _refuse)
            assert source.desired(KEY).problems == (Problem(rule="stale file handle"),)
        assert source.desired(KEY).resolved is not None

    def test_a_folder_that_never_rests_is_waited_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = write(tmp_path / "state")
        source = FolderSource(folder, "node-a")

        def read_and_disturb(path: Path, node: str) -> object:
            resolved = read_resolved(path, node)
            (folder / "mesh.json").touch()
            return resolved

        monkeypatch.setattr(foldersource, "read_resolved", read_and_disturb)
        assert source.desired(KEY) == Desired(waiting_for=f"{folder} to stop changing")


def _refuse(path: Path) -> bytes:
    del path
    from schemas.problems import Problems  # noqa: PLC0415 - of this one case

    raise Problems.one("stale file handle")


class TestFollowing:
    def test_nothing_rings_while_nothing_changes(self, tmp_path: Path) -> None:
        bell = Bell()
        source = watched(write(tmp_path / "state"), bell)
        source.desired(KEY)
        write(tmp_path / "state")  # the same once more
        time.sleep(0.1)
        source.stop()
        assert bell.causes == []

    def test_a_compile_rings(self, tmp_path: Path) -> None:
        bell = Bell()
        source = watched(write(tmp_path / "state"), bell)
        before = source.desired(KEY)
        write(tmp_path / "state", keepalive=25)
        assert bell.await_ring()
        source.stop()
        assert bell.causes[0] is Cause.FOLDER
        resolved = source.desired(KEY).resolved
        assert resolved
        assert before.resolved
        assert resolved.host.wireguard.persistent_keepalive == 25
        assert before.resolved.host.wireguard.persistent_keepalive == 0

    def test_another_hosts_file_is_nobodys_business(self, tmp_path: Path) -> None:
        bell = Bell()
        folder = write(tmp_path / "state")
        source = watched(folder, bell)
        (folder / "hosts" / "node-b.json").write_text("{")
        (folder / "README").write_text("x")
        time.sleep(0.1)
        source.stop()
        assert bell.causes == []

    def test_a_folder_that_comes_later_rings(self, tmp_path: Path) -> None:
        bell = Bell()
        source = watched(tmp_path / "volume" / "state", bell)
        write(tmp_path / "volume" / "state")
        assert bell.await_ring()
        deadline = time.monotonic() + 5
        while source.desired(KEY).resolved is None and time.monotonic() < deadline:
            assert bell.await_ring()
        source.stop()
        assert source.desired(KEY).resolved is not None

    def test_a_folder_that_goes_rings_and_takes_nothing_along(self, tmp_path: Path) -> None:
        bell = Bell()
        folder = write(tmp_path / "state")
        source = watched(folder, bell)
        shutil.rmtree(folder)
        assert bell.await_ring()
        source.stop()
        assert source.desired(KEY) == Desired(waiting_for=f"mesh.json in {folder}")

    def test_the_link_of_a_git_sync_is_followed(self, tmp_path: Path) -> None:
        for name, keepalive in (("one", 0), ("two", 25)):
            write(tmp_path / name / "clusters" / "lab", keepalive=keepalive)
        flip(tmp_path / "repository", Path("one"))
        bell = Bell()
        source = watched(tmp_path / "repository" / "clusters" / "lab", bell)
        assert source.desired(KEY).resolved
        flip(tmp_path / "repository", Path("two"))
        assert bell.await_ring()
        source.stop()
        resolved = source.desired(KEY).resolved
        assert resolved
        assert resolved.host.wireguard.persistent_keepalive == 25

    def test_a_mounted_config_map_is_followed(self, tmp_path: Path) -> None:
        for name, keepalive in (("..2026_1", 0), ("..2026_2", 25)):
            write(tmp_path / "volume" / name, keepalive=keepalive)
        folder = mount(tmp_path / "volume", Path("..2026_1"))
        bell = Bell()
        source = watched(folder, bell)
        assert source.desired(KEY).resolved
        mount(folder, Path("..2026_2"))
        shutil.rmtree(folder / "..2026_1")  # as the kubelet does
        assert bell.await_ring()
        source.stop()
        resolved = source.desired(KEY).resolved
        assert resolved
        assert resolved.host.wireguard.persistent_keepalive == 25

    def test_no_two_states_are_ever_mixed_while_links_flip(self, tmp_path: Path) -> None:
        """The mesh of one has two peers and no keepalive, that of the other one peer and 25."""
        write(tmp_path / "one")
        write(tmp_path / "two", ("node-a", "node-b"), keepalive=25)
        link = tmp_path / "link"
        flip(link, Path("one"))
        source = watched(link, Bell())
        done = threading.Event()

        def turn_over() -> None:
            for number in range(100_000):
                if done.is_set():
                    break
                flip(link, Path("two" if number % 2 else "one"))
                time.sleep(0.0001)

        thread = threading.Thread(target=turn_over)
        thread.start()
        try:
            seen = [source.desired(KEY) for _ in range(200)]
        finally:
            done.set()
            thread.join()
            source.stop()
        known = {dump(read_resolved(tmp_path / name, "node-a")) for name in ("one", "two")}
        found = {dump(desired.resolved) for desired in seen if desired.resolved}
        assert found == known
        assert [desired.problems for desired in seen if desired.problems] == []

    def test_checkouts_that_are_removed_right_after_a_flip_never_give_half_a_state(
        self, tmp_path: Path
    ) -> None:
        link = tmp_path / "link"
        flip(link, write(tmp_path / "0"))
        source = watched(link, Bell())
        done = threading.Event()
        thread = threading.Thread(target=_deploy, args=(tmp_path, link, done))
        thread.start()
        try:
            seen = [source.desired(KEY) for _ in range(100)]
        finally:
            done.set()
            thread.join()
            source.stop()
        assert any(desired.resolved for desired in seen)
        for desired in seen:
            if desired.resolved:
                epoch = desired.resolved.host.wireguard.persistent_keepalive
                assert len(desired.resolved.peers) == 2 - epoch % 2


def _deploy(folder: Path, link: Path, done: threading.Event) -> None:
    """Make new checkouts, flip to each, and remove the one before."""
    for number in range(1, 2000):
        if done.is_set():
            break
        names = NAMES if number % 2 == 0 else NAMES[:2]
        new = write(folder / str(number), names, keepalive=number)
        before = Path(os.path.realpath(link))
        flip(link, new)
        shutil.rmtree(before)
