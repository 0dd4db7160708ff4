"""graph and report: from states, inventories and revisions to one file each."""

from pathlib import Path

import pytest
from commandline import MESH, OTHER_KEY, Wormhole, spell_node

KEY = "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="
ONE = MESH + spell_node("node-a", KEY, 1)
TWO = ONE + spell_node("node-b", OTHER_KEY, 2)


@pytest.fixture
def states(wormhole: Wormhole, tmp_path: Path) -> Path:
    """Return a folder with two states: old, of one node, and new, of two."""
    for name, text in (("old", ONE), ("new", TWO)):
        (tmp_path / f"{name}.yaml").write_text(text)
        wormhole("compile", f"{name}.yaml", "-o", name)
    return tmp_path


def test_graph_prints_mermaid_unless_told_otherwise(wormhole: Wormhole, states: Path) -> None:
    del states
    code, out, err = wormhole("graph", "new")
    assert (code, err) == (0, "")
    assert out == (
        "flowchart LR\n"
        '  all["Mesh demo: 2 nodes<br>1 pair: a tunnel between both"]:::said\n'
        '  n0["node-a<br>192.0.2.1:9806<br>10.244.1.0/24"]\n'
        '  n1["node-b<br>192.0.2.2:9806<br>10.244.2.0/24"]\n'
        "  n0 --- n1\n"
        "  classDef said stroke-width:0px\n"
        "  classDef silent stroke-dasharray:4 4\n"
    )


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        (["--format", "svg"], "<svg "),
        (["--format", "dot"], "digraph "),
        (["--format", "mermaid"], "flowchart "),
    ],
)
def test_graph_prints_the_format_that_is_asked_for(
    wormhole: Wormhole, states: Path, arguments: list[str], beginning: str
) -> None:
    del states
    assert wormhole("graph", "new", *arguments)[1].startswith(beginning)


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("mesh.svg", "<svg "),
        ("mesh.dot", "digraph "),
        ("mesh.gv", "digraph "),
        ("mesh.mmd", "flowchart "),
        ("mesh.mermaid", "flowchart "),
    ],
)
def test_the_ending_of_the_file_says_the_format(
    wormhole: Wormhole, states: Path, name: str, beginning: str
) -> None:
    assert wormhole("graph", "new", "-o", name) == (0, f"wrote {name}\n", "")
    assert (states / name).read_text().startswith(beginning)
    assert wormhole("graph", "new", "-o", name) == (0, f"unchanged: {name}\n", "")


@pytest.mark.parametrize("name", ["mesh.png", "mesh"])
def test_a_file_whose_ending_says_no_format_needs_the_format_said(
    wormhole: Wormhole, states: Path, name: str
) -> None:
    rule = "its ending says no format: end it in .svg, .dot, .gv, .mmd, .mermaid, or give --format"
    assert wormhole("graph", "new", "-o", name) == (2, "", f"error: {name}: {rule}\n")
    assert not (states / name).exists()
    assert wormhole("graph", "new", "-o", name, "--format", "dot")[0] == 0
    assert (states / name).read_text().startswith("digraph ")


def test_graph_takes_an_inventory_and_marks_what_changes(wormhole: Wormhole, states: Path) -> None:
    del states
    code, out, _ = wormhole("graph", "new.yaml", "--diff", "old")
    assert code == 0
    assert '  n1["#43; node-b<br>192.0.2.2:9806<br>10.244.2.0/24"]:::joins\n' in out


def test_warnings_of_an_inventory_are_said(wormhole: Wormhole, tmp_path: Path) -> None:
    silent = "\n".join(line for line in TWO.splitlines() if "192.0.2.2" not in line)
    (tmp_path / "mesh.yaml").write_text(silent)
    _, _, err = wormhole("graph", "mesh.yaml")
    assert err == (
        "warning: mesh.yaml:15: MeshNode/node-b: has no endpoint:"
        " others cannot reach it until it has spoken to them, so give it a persistentKeepalive\n"
    )


def test_report_writes_one_page(wormhole: Wormhole, states: Path) -> None:
    code, out, err = wormhole("report", "new", "--diff", "old", "-o", "report.html")
    assert (code, out, err) == (0, "wrote report.html\n", "")
    page = (states / "report.html").read_text()
    for section in ("changes", "proof", "picture", "hosts"):
        assert f'<section id="{section}"' in page


def test_a_report_can_do_without_a_proof(wormhole: Wormhole, states: Path) -> None:
    wormhole("report", "new", "--no-proof", "-o", "report.html")
    assert '<section id="proof"' not in (states / "report.html").read_text()


def test_nothing_but_a_file_is_written_over(wormhole: Wormhole, states: Path) -> None:
    (states / "folder").mkdir()
    message = "error: folder: cannot write there: it is no plain file\n"
    assert wormhole("report", "new", "-o", "folder") == (2, "", message)


def test_what_is_no_state_is_said(wormhole: Wormhole, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = wormhole("graph", "empty")
    assert (code, out) == (2, "")
    assert "empty" in err
