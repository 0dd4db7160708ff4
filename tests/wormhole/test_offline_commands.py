"""validate, compile, show, render: from files to files, with no host in sight."""

import json
from pathlib import Path

import pytest
from commandline import MESH, OTHER_KEY, Wormhole, spell_node

from schemas.document import load_resolved

KEY = "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="
TWO = MESH + spell_node("node-a", KEY, 1) + spell_node("node-b", OTHER_KEY, 2)
CONFIG_MAP = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    (tmp_path / "mesh.yaml").write_text(TWO)
    return tmp_path / "mesh.yaml"


def test_validate_says_what_it_found(wormhole: Wormhole, inventory: Path) -> None:
    assert wormhole("validate", "mesh.yaml") == (
        0,
        "ok: inventory: mesh demo, 2 nodes, 0 warnings\n",
        "",
    )
    inventory.write_text(TWO + CONFIG_MAP * 2)
    assert wormhole("validate", "mesh.yaml") == (
        0,
        "ok: inventory: mesh demo, 2 nodes, 0 warnings, 2 objects of other kinds skipped\n",
        "",
    )


def test_validate_names_every_problem_and_counts_them(wormhole: Wormhole, inventory: Path) -> None:
    inventory.write_text(TWO.replace("192.0.2.2", "192.0.2.1").replace(OTHER_KEY, KEY))
    code, out, err = wormhole("validate", "mesh.yaml")
    assert (code, out) == (2, "")
    places = [line.split(": ")[:3] for line in err.splitlines()]
    assert places == [
        ["error", "mesh.yaml:19", f"MeshNode/node-b spec.publicKey {KEY!r}"],
        ["error", "mesh.yaml:20", "MeshNode/node-b spec.endpoint '192.0.2.1:9806'"],
        ["2 problems in 1 file"],
    ]


def test_validate_knows_a_state_from_an_inventory(wormhole: Wormhole, inventory: Path) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    expected = (
        "ok: inventory: mesh demo, 2 nodes, 0 warnings\n"
        "ok: state: mesh demo, 2 hosts, 2 peers\n"
        "ok: document: HostState node-b\n"
        "ok: document: MeshState demo, 2 peers\n"
    )
    paths = ("state", "mesh.yaml", "state/hosts/node-b.json", "state/mesh.json")
    assert wormhole("validate", *paths) == (0, expected, "")


def test_compile_says_what_it_keeps_of_another_mesh(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    inventory.write_text(TWO.replace("{name: demo}", "{name: other}").replace("node-b", "node-c"))
    wormhole("compile", "mesh.yaml", "-o", "other")
    inventory.write_text(TWO)
    wormhole("compile", "mesh.yaml", "-o", "state")
    (tmp_path / "other/hosts/node-c.json").rename(tmp_path / "state/hosts/node-c.json")
    ok = "ok: mesh demo, 2 nodes, 0 warnings: 0 written, 3 unchanged, 0 removed\n"
    warning = (
        "warning: state/hosts/node-c.json: the document of another mesh's host: left where it is\n"
    )
    assert wormhole("compile", "mesh.yaml", "-o", "state") == (0, ok, warning)


def test_validate_knows_what_show_prints(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    _, shown, _ = wormhole("show", "state", "--host", "node-a")
    shown_file = tmp_path / "shown.json"
    shown_file.write_text(shown)
    expected = "ok: document: ResolvedHost node-a, 1 peer\n"
    assert wormhole("validate", "shown.json") == (0, expected, "")
    shown_file.write_text(shown.replace('"mtu": 1440', '"mtu": "1440"'))
    code, out, err = wormhole("validate", "shown.json")
    assert (code, out) == (2, "")
    assert err.startswith("error: shown.json:")


def test_validate_names_what_a_merge_broke_in_a_state(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    mesh = tmp_path / "state/mesh.json"
    mesh.write_text(mesh.read_text().replace("10.244.2.0/24", "10.244.1.0/24"))
    code, out, err = wormhole("validate", "state")
    assert (code, out) == (2, "")
    assert "error: state/mesh.json: " in err
    assert "overlaps" in err


def test_compile_writes_then_finds_nothing_to_write(wormhole: Wormhole, inventory: Path) -> None:
    del inventory
    assert wormhole("compile", "mesh.yaml", "-o", "state") == (
        0,
        (
            "wrote state/mesh.json\n"
            "wrote state/hosts/node-a.json\n"
            "wrote state/hosts/node-b.json\n"
            "ok: mesh demo, 2 nodes, 0 warnings: 3 written, 0 unchanged, 0 removed\n"
        ),
        "",
    )
    assert wormhole("compile", "mesh.yaml", "-o", "state") == (
        0,
        "ok: mesh demo, 2 nodes, 0 warnings: 0 written, 3 unchanged, 0 removed\n",
        "",
    )


def test_compile_sums_up_many_files_unless_all_are_asked_for(
    wormhole: Wormhole, inventory: Path
) -> None:
    nodes = (spell_node(f"n{i}", KEY if i == 1 else f"{i:042}4=", i) for i in range(1, 6))
    inventory.write_text(MESH + "".join(nodes))
    assert wormhole("compile", "mesh.yaml", "-o", "a")[1].splitlines() == [
        "wrote a/mesh.json",
        "wrote a/hosts/n1.json",
        "wrote a/hosts/n2.json",
        "wrote 3 more (-v names them)",
        "ok: mesh demo, 5 nodes, 0 warnings: 6 written, 0 unchanged, 0 removed",
    ]
    assert len(wormhole("compile", "-v", "mesh.yaml", "-o", "b")[1].splitlines()) == 7


def test_compile_with_a_problem_writes_nothing(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    inventory.write_text(TWO.replace("192.0.2.2", "example.org"))
    code, out, err = wormhole("compile", "mesh.yaml", "-o", "state")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "state").exists()


def test_compile_warns_beside_its_result(wormhole: Wormhole, inventory: Path) -> None:
    inventory.write_text(TWO.replace("  endpoint: 192.0.2.2\n", ""))
    code, out, err = wormhole("compile", "mesh.yaml", "-o", "state")
    assert code == 0
    assert out.endswith("ok: mesh demo, 2 nodes, 1 warning: 3 written, 0 unchanged, 0 removed\n")
    assert err.startswith("warning: mesh.yaml:15: MeshNode/node-b: has no endpoint: ")


def test_show_prints_one_document_that_loads(wormhole: Wormhole, inventory: Path) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    code, out, err = wormhole("show", "state", "--host", "node-b")
    assert (code, err) == (0, "")
    assert list(load_resolved(out.encode(), "-").peers) == ["node-a"]


def test_what_show_prints_holds_nothing_that_a_terminal_obeys(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    path = tmp_path / "state/hosts/node-b.json"
    odd = "\x9b31m\u202e"  # an 8-bit CSI, and an override of the direction
    document = json.loads(path.read_text())
    document["cni"]["config"]["odd"] = odd
    path.write_text(json.dumps(document, ensure_ascii=False))
    _, out, _ = wormhole("show", "state", "--host", "node-b")
    assert out.replace("\n", "").isprintable()
    assert json.loads(out)["host"]["cni"]["config"]["odd"] == odd


FILES = [
    "10-wormhole.conflist",
    "ip.batch",
    "ip6tables.rules",
    "iptables.rules",
    "sysctl.conf",
    "wormhole-wg0.conf",
]


def test_render_writes_a_folder_for_each_host(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    assert wormhole("render", "state", "--host", "node-a", "-o", "one") == (
        0,
        "ok: host node-a rendered to one/node-a\n",
        "",
    )
    assert wormhole("render", "state", "--all", "-o", "all") == (
        0,
        "ok: 2 hosts rendered to all\n",
        "",
    )
    assert sorted(path.name for path in (tmp_path / "all/node-b").iterdir()) == FILES
    for name in FILES:
        one, every = (tmp_path / folder / "node-a" / name for folder in ("one", "all"))
        assert one.read_bytes() == every.read_bytes()


def test_render_prints_what_it_would_write(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    wormhole("render", "state", "--host", "node-a", "-o", "out")
    _, printed, _ = wormhole("render", "state", "--host", "node-a")
    for name in FILES:
        text = (tmp_path / "out/node-a" / name).read_text()
        assert f"==> {name} <==\n{text}" in printed


def test_render_warns_of_what_an_earlier_one_left(
    wormhole: Wormhole, inventory: Path, tmp_path: Path
) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    (tmp_path / "out/node-a").mkdir(parents=True)
    (tmp_path / "out/node-a/wg0.conf").write_text("")
    assert wormhole("render", "state", "--host", "node-a", "-o", "out")[2] == (
        "warning: out/node-a/wg0.conf:"
        " not part of this rendering: remove it if an earlier one left it\n"
    )


def test_render_all_needs_a_folder(wormhole: Wormhole, inventory: Path) -> None:
    del inventory
    wormhole("compile", "mesh.yaml", "-o", "state")
    assert wormhole("render", "state", "--all") == (
        2,
        "",
        "error: --all: give -o DIR: all hosts do not fit on standard output\n",
    )


@pytest.mark.parametrize("color", ["always", "never"])
def test_color_is_there_when_told(wormhole: Wormhole, inventory: Path, color: str) -> None:
    del inventory
    _, out, _ = wormhole("validate", "--color", color, "mesh.yaml")
    assert ("\x1b[" in out) is (color == "always")
