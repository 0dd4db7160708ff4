"""Mermaid sources keep within GitHub's limits and to a grammar that no name can leave."""

import re

import pytest
from msgspec.structs import replace
from sizes import make_documents

from review.pictures.build import build_picture
from review.pictures.mermaid import draw_mermaid

LABEL = r'"(?:[A-Za-z0-9 .:/,_-]|#\d+;|<br>)*"'
ID = r"(?:all|[ngr]\d+)"
LINES = (
    "flowchart LR",
    rf"  (?:  )?{ID}\[{LABEL}\](?::::[a-z]+)?",
    rf"  subgraph g\d+\[{LABEL}\]",
    "    direction LR",
    "  end",
    rf"  {ID} (?:---|-\.->|-\.-|-->)(?:\|{LABEL}\|)? {ID}",
    rf"  {ID} (?:-\. never meet \.-|-- one-sided -->) {ID}",
    r"  linkStyle [\d,]+ stroke:#[0-9a-f]{6},[a-z0-9:, -]+",
    r"  classDef [a-z]+ [a-z0-9:,# -]+",
)
GRAMMAR = re.compile("|".join(LINES))
HOSTILE = (
    '"]; click all call alert(1)\n```',
    "end",
    "1. one",
    "- two",
    "#quot;",
    "<script>",
    "a" * 253,
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 12, 13, 50, 1000, 3000])
def test_sources_are_within_the_limits_and_the_grammar(size: int) -> None:
    old = make_documents(size, silent=[0, size // 2])
    new = make_documents(range(1, size + 1), silent=[size // 2], moved=range(size // 3))
    for text in (draw_mermaid(build_picture(new, old)), draw_mermaid(build_picture(old))):
        assert [line for line in text.splitlines() if not GRAMMAR.fullmatch(line)] == []
        assert len(text) < 50_000
        assert len(re.findall(r" (?:---|-\.|--)[^ ]* ", text)) < 500


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_ends_its_label(name: str) -> None:
    picture = build_picture(make_documents(3))
    nodes = (replace(picture.nodes[0], name=name), *picture.nodes[1:])
    text = draw_mermaid(replace(picture, mesh=name, nodes=nodes, links=()))
    assert [line for line in text.splitlines() if not GRAMMAR.fullmatch(line)] == []


def test_three_nodes_read_like_this() -> None:
    assert draw_mermaid(build_picture(make_documents(2, silent=[1]), make_documents(1))) == (
        "flowchart LR\n"
        '  all["Mesh demo: 2 nodes<br>1 pair: a tunnel between both<br>'
        "1 of them once the node without an endpoint has spoken first<br>"
        '#43; 1 node joins"]:::said\n'
        '  n0["node-0000<br>172.16.0.0:9806<br>10.0.0.0/24<br>fd00:244:1::/64"]\n'
        '  n1["#43; node-0001<br>no endpoint: speaks first<br>10.0.1.0/24<br>fd00:244:2::/64"]'
        ":::joins\n"
        '  n1 -.->|"#43;"| n0\n'
        "  linkStyle 0 stroke:#2da44e,stroke-width:3px\n"
        "  classDef said stroke-width:0px\n"
        "  classDef silent stroke-dasharray:4 4\n"
        "  classDef joins stroke:#2da44e,stroke-width:3px\n"
    )
