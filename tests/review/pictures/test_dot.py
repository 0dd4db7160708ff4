"""DOT sources are what graphviz takes, and no name leaves its quotes."""

import re
import shutil
import subprocess

import pytest
from msgspec.structs import replace
from sizes import make_documents

from review.pictures.build import build_picture
from review.pictures.dot import draw_dot

HOSTILE = 'a"]; b -> c [label="\\N \\" &lt;br&gt; <b>\n'


def run_dot(text: str) -> str:
    """Return what graphviz makes of it, names and labels included."""
    if not shutil.which("dot"):
        pytest.skip("no dot here (package graphviz)")
    done = subprocess.run(
        ["dot", "-Tplain"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("size", [1, 3, 12, 13, 50])
def test_graphviz_takes_them(size: int) -> None:
    old = make_documents(size, silent=[0, size // 2])
    new = make_documents(range(1, size + 1), silent=[size // 2], moved=[size // 3])
    plain = run_dot(draw_dot(build_picture(new, old)))
    assert plain.count("\nnode ") == size + 1


def test_a_name_stays_in_its_quotes() -> None:
    picture = build_picture(make_documents(3))
    nodes = (replace(picture.nodes[0], name=HOSTILE), *picture.nodes[1:])
    text = draw_dot(replace(picture, nodes=nodes, links=()))
    # What graphviz reads is the name; "plain" writes it as DOT does, and entities as they were.
    assert 'a\\"]; b -> c [label=\\"\\\\N \\\\\\" &amp;lt;br&amp;gt; <b>\\\\n' in text
    plain = run_dot(text)
    assert plain.count("\nnode ") == 3
    assert "\nedge " not in plain


def test_two_nodes_read_like_this() -> None:
    text = draw_dot(build_picture(make_documents(2, silent=[1])))
    drawn = [line for line in text.splitlines() if re.match(r" *n\d", line)]
    first = r"node-0000\n172.16.0.0:9806\n10.0.0.0/24\nfd00:244:1::/64"
    second = r"node-0001\nno endpoint: speaks first\n10.0.1.0/24\nfd00:244:2::/64"
    assert drawn == [
        f'  n0 [label="{first}", style="rounded", color="#57606a"]',
        f'  n1 [label="{second}", style="rounded,dashed", color="#57606a"]',
        "  n1 -> n0 [style=dashed]",
    ]
