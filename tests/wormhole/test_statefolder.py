"""A state folder holds exactly what was compiled, and a write touches only what changed."""

import os
from pathlib import Path

import pytest
from inventories import make_inventory, make_mesh, make_node

from compiler.compile import compile_mesh
from schemas.document import dump
from schemas.problems import Problems
from schemas.state import Documents
from schemas.values import NodeName
from wormhole.files.statefolder import (
    Written,
    choose_host,
    read_host,
    read_hosts,
    read_mesh,
    read_resolved,
    write_state,
)

NODES = {
    "node-a": "10.244.0.0/24",
    "node-b": "10.244.1.0/24",
    "node-c": "10.244.2.0/24",
}


def compile_nodes(*names: str, mesh: str = "demo") -> Documents:
    nodes = [
        make_node(name, NODES.get(name, "10.244.9.0/24"), endpoint=f"192.0.2.{ord(name[-1])}:9806")
        for name in names
    ]
    documents = compile_mesh(make_inventory(make_mesh(), *nodes))
    if mesh == "demo":
        return documents
    inventory = make_inventory(make_mesh(), *nodes)
    return compile_mesh(
        type(inventory)(
            mesh=type(inventory.mesh)(name=mesh, overlay_cidrs=inventory.mesh.overlay_cidrs),
            nodes=inventory.nodes,
        )
    )


def write(folder: Path, documents: Documents) -> Written:
    return write_state(folder, documents.mesh, documents.hosts.values())


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_new_folder_holds_every_document_and_nothing_else(tmp_path: Path) -> None:
    documents = compile_nodes("node-a", "node-b")
    result = write(tmp_path / "new" / "state", documents)
    assert result == Written(
        written=("mesh.json", "hosts/node-a.json", "hosts/node-b.json"), unchanged=0, removed=()
    )
    expected = {"mesh.json": dump(documents.mesh)} | {
        f"hosts/{name}.json": dump(host) for name, host in documents.hosts.items()
    }
    assert expected == files_below(tmp_path / "new" / "state")


def test_what_was_written_reads_back_the_same(tmp_path: Path) -> None:
    documents = compile_nodes("node-a", "node-b")
    write(tmp_path, documents)
    assert documents.mesh == read_mesh(tmp_path)
    assert tuple(documents.hosts.values()) == read_hosts(tmp_path)
    assert documents.hosts[NodeName("node-b")] == read_host(tmp_path, "node-b")
    assert list(read_resolved(tmp_path, "node-b").peers) == ["node-a"]


def test_a_second_write_touches_no_file(tmp_path: Path) -> None:
    documents = compile_nodes("node-a", "node-b")
    write(tmp_path, documents)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*.json")}
    assert Written(unchanged=3) == write(tmp_path, documents)
    assert before == {path: path.stat().st_ino for path in tmp_path.rglob("*.json")}


def test_a_node_that_joins_changes_the_mesh_and_adds_one_file(tmp_path: Path) -> None:
    write(tmp_path, compile_nodes("node-a", "node-b"))
    result = write(tmp_path, compile_nodes("node-a", "node-b", "node-c"))
    assert Written(written=("mesh.json", "hosts/node-c.json"), unchanged=2) == result


def test_the_document_of_a_host_that_left_is_removed(tmp_path: Path) -> None:
    write(tmp_path, compile_nodes("node-a", "node-b"))
    result = write(tmp_path, compile_nodes("node-a"))
    assert Written(written=("mesh.json",), unchanged=1, removed=("hosts/node-b.json",)) == result
    assert list(files_below(tmp_path)) == ["hosts/node-a.json", "mesh.json"]


def test_the_document_of_another_meshs_host_is_kept_and_named(tmp_path: Path) -> None:
    write(tmp_path, compile_nodes("node-a"))
    stranger = dump(compile_nodes("node-c", mesh="other").hosts[NodeName("node-c")])
    (tmp_path / "hosts/node-c.json").write_bytes(stranger)
    assert Written(unchanged=2, kept=("hosts/node-c.json",)) == write(
        tmp_path, compile_nodes("node-a")
    )
    assert stranger == (tmp_path / "hosts/node-c.json").read_bytes()


def test_a_file_that_is_no_document_of_ours_stays(tmp_path: Path) -> None:
    write(tmp_path, compile_nodes("node-a", "node-b"))
    strangers = {
        "hosts/notes.json": b'{"kind": "Note"}',
        "hosts/README.md": b"hi",
        "OWNERS": b"",
    }
    for name, content in strangers.items():
        (tmp_path / name).write_bytes(content)
    write(tmp_path, compile_nodes("node-a"))
    assert strangers == {
        name: content for name, content in files_below(tmp_path).items() if name in strangers
    }


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(Problems) as caught:
        write(tmp_path, compile_nodes("node-a"))
    assert f"{tmp_path}: neither empty nor a state folder (no mesh.json): name another one" == str(
        caught.value
    )
    assert files_below(tmp_path) == {"thesis.tex": b"mine"}


def test_a_fresh_repository_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert len(write(tmp_path, compile_nodes("node-a")).written) == 2


def test_the_folder_of_another_mesh_is_refused(tmp_path: Path) -> None:
    write(tmp_path, compile_nodes("node-a", mesh="other"))
    before = files_below(tmp_path)
    with pytest.raises(Problems) as caught:
        write(tmp_path, compile_nodes("node-b"))
    assert (
        f"{tmp_path}: the folder holds mesh 'other', the inventory is mesh 'demo':"
        " name another folder, or empty this one to rename the mesh" == str(caught.value)
    )
    assert before == files_below(tmp_path)


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    state = tmp_path / "state"
    write(state, compile_nodes("node-a"))
    (state / "hosts/node-a.json").unlink()
    (state / "hosts/node-a.json").symlink_to(outside)
    assert write(state, compile_nodes("node-a")).written == ("hosts/node-a.json",)
    assert outside.read_text() == "precious"
    assert not (state / "hosts/node-a.json").is_symlink()


def test_a_hosts_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    state = tmp_path / "state"
    write(state, compile_nodes("node-a"))
    (state / "hosts/node-a.json").unlink()
    (state / "hosts").rmdir()
    (state / "hosts").symlink_to(outside)
    with pytest.raises(Problems) as caught:
        write(state, compile_nodes("node-a"))
    assert (
        f"{state / 'hosts'}: cannot open the folder:"
        " it is a symbolic link, which is not followed out of its folder" == str(caught.value)
    )
    assert list(outside.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problems) as caught:
        write(tmp_path / "file", compile_nodes("node-a"))
    assert f"{tmp_path / 'file'}: cannot open the folder: file exists" == str(caught.value)


def test_a_temporary_file_that_a_crash_left_is_used_up(tmp_path: Path) -> None:
    (tmp_path / ".wormhole.tmp").write_text("half of a docu")
    write(tmp_path, compile_nodes("node-a"))
    assert list(files_below(tmp_path)) == ["hosts/node-a.json", "mesh.json"]


def test_new_files_have_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path, compile_nodes("node-a"))
    finally:
        os.umask(before)
    assert (tmp_path / "mesh.json").stat().st_mode & 0o777 == 0o640


def test_a_node_name_of_253_characters_has_its_file(tmp_path: Path) -> None:
    name = "n" * 253
    documents = compile_nodes(name)
    write(tmp_path, documents)
    assert documents.hosts[NodeName(name)] == read_host(tmp_path, name)


class TestChoosingTheHost:
    @pytest.fixture
    def three(self, tmp_path: Path) -> Path:
        write(tmp_path, compile_nodes("node-a", "node-b", "node-c"))
        return tmp_path

    def test_the_one_asked_for(self, three: Path) -> None:
        assert choose_host(three, "node-b", "node-a") == "node-b"

    def test_the_only_one(self, tmp_path: Path) -> None:
        write(tmp_path, compile_nodes("node-a"))
        assert choose_host(tmp_path, None, "laptop") == "node-a"

    def test_the_one_named_like_this_machine(self, three: Path) -> None:
        assert choose_host(three, None, "node-c") == "node-c"

    def test_case_does_not_matter_as_the_kubelet_lowers_it(self, three: Path) -> None:
        assert choose_host(three, None, "Node-C") == "node-c"

    def test_none_of_these_lists_what_there_is(self, three: Path) -> None:
        with pytest.raises(Problems) as caught:
            choose_host(three, None, "laptop")
        assert (
            f"{three}: which host? give --host NODE ('laptop', this machine's name, is none of"
            " them); it has node-a, node-b, node-c" == str(caught.value)
        )

    def test_an_unknown_one_lists_the_first_few(self, tmp_path: Path) -> None:
        nodes = [make_node(f"n{i}", f"10.244.{i}.0/24") for i in range(8)]
        documents = compile_mesh(make_inventory(make_mesh(), *nodes))
        write(tmp_path, documents)
        with pytest.raises(Problems) as caught:
            choose_host(tmp_path, "node-z", "laptop")
        assert (
            str(caught.value)
            == "'node-z': no such host in this state; it has n0, n1, n2, n3, n4 and 3 more"
        )


def test_a_host_in_the_wrong_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, compile_nodes("node-a", "node-b"))
    (tmp_path / "hosts/node-a.json").rename(tmp_path / "hosts/node-z.json")
    with pytest.raises(Problems) as caught:
        read_hosts(tmp_path)
    file = tmp_path / "hosts/node-z.json"
    assert f"{file}: name: host 'node-a' belongs in node-a.json" == str(caught.value)
    with pytest.raises(Problems) as caught:
        read_host(tmp_path, "node-z")
    expected = f"{file}: name 'node-a': the file of host 'node-z' holds another host's document"
    assert expected == str(caught.value)


def test_a_folder_without_a_mesh_is_not_a_state(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        read_resolved(tmp_path, None)
    assert f"{tmp_path}: not a state folder: it has no mesh.json" == str(caught.value)


def test_what_is_no_plain_file_is_neither_waited_for_nor_believed(tmp_path: Path) -> None:
    documents = compile_nodes("node-a")
    write(tmp_path, documents)
    path = tmp_path / "hosts" / "node-a.json"
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(Problems) as caught:
        read_host(tmp_path, "node-a")

    assert str(caught.value) == f"{path}: cannot read the file: it is no plain file"
    assert write(tmp_path, documents).written == ("hosts/node-a.json",)


def test_a_folder_in_a_document_s_place_is_a_problem_and_elsewhere_a_stranger(
    tmp_path: Path,
) -> None:
    documents = compile_nodes("node-a")
    write(tmp_path, documents)
    (tmp_path / "hosts" / "old.json").mkdir()
    assert write(tmp_path, documents) == Written(unchanged=2)

    path = tmp_path / "hosts" / "node-a.json"
    path.unlink()
    path.mkdir()
    with pytest.raises(Problems) as caught:
        write(tmp_path, documents)
    assert str(caught.value) == f"{path}: cannot write the file: is a directory"


def test_nothing_of_the_temporary_file_s_name_is_waited_for_or_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    for name in ("pipe", "link"):
        state = tmp_path / name
        state.mkdir()
        if name == "pipe":
            os.mkfifo(state / ".wormhole.tmp")
        else:
            (state / ".wormhole.tmp").symlink_to(victim)
        assert len(write(state, compile_nodes("node-a")).written) == 2
    assert victim.read_bytes() == b"theirs"
