"""A picture to a graph in the DOT language, for graphviz.

Quoted strings of DOT know backslashes, and in labels HTML entities (graphviz, "String" and
"escString" in its language reference): both are escaped, so a name is shown as it is.
"""

from collections.abc import Iterator
from typing import Final

from review.pictures.networks import group_by_network
from review.pictures.picture import SIGNS, Change, Link, Node, Picture, Way
from review.pictures.words import describe_changes, describe_pairs, endpoint_of, name_of, title_of
from schemas.problems import neutralise

_COLORS: Final = {
    Change.SAME: "#57606a",
    Change.JOINS: "#1a7f37",
    Change.LEAVES: "#b42318",
    Change.CHANGED: "#8a5a00",
}
_STYLES: Final = {
    Way.EITHER: "dir=none",
    Way.FIRST: "style=dashed",
    Way.NEVER: 'style=dotted, dir=none, label="never meet"',
    Way.ONE_SIDED: 'style=bold, label="one-sided"',
}
_COLUMNS: Final = 8


def draw_dot(picture: Picture) -> str:
    """Return the graph's source, with a newline at its end."""
    ids = {node.name: f"n{index}" for index, node in enumerate(picture.nodes)}
    head = _quote(title_of(picture), *describe_pairs(picture), describe_changes(picture))
    lines = [
        "digraph mesh {",
        f"  graph [label={head}, labelloc=t, labeljust=l, layout={_choose_layout(picture)}]",
        '  graph [fontname="sans-serif", overlap=false, splines=true, nodesep=0.6, mindist=1.6]',
        '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11]',
        f'  edge [color="{_COLORS[Change.SAME]}", fontname="sans-serif", fontsize=10]',
    ]
    if picture.links is None:
        lines += _draw_groups(picture, ids)
    else:
        lines += [f"  {_draw_node(node, ids)}" for node in picture.nodes]
        lines += [f"  {_draw_link(link, ids)}" for link in picture.links]
    return "\n".join([*lines, "}"]) + "\n"


def _choose_layout(picture: Picture) -> str:
    return "dot" if picture.links is None else "circo"


def _draw_groups(picture: Picture, ids: dict[str, str]) -> Iterator[str]:
    """Yield a cluster for each network; invisible edges stack its nodes into rows."""
    for index, group in enumerate(group_by_network(picture.nodes)):
        yield f"  subgraph cluster_{index} {{"
        yield f"    label={_quote(group.label)}"
        yield from (f"    {_draw_node(node, ids)}" for node in group.nodes)
        yield from (
            f"    {ids[above.name]} -> {ids[below.name]} [style=invis]"
            for above, below in zip(group.nodes, group.nodes[_COLUMNS:], strict=False)
        )
        yield "  }"


def _draw_node(node: Node, ids: dict[str, str]) -> str:
    label = _quote(name_of(node), endpoint_of(node), *node.prefixes, ", ".join(node.fields))
    styles = ["rounded", *([] if node.endpoint else ["dashed"])]
    if node.change is not Change.SAME:
        styles.append("bold")
    color = f'color="{_COLORS[node.change]}"'
    return f'{ids[node.name]} [label={label}, style="{",".join(styles)}", {color}]'


def _draw_link(link: Link, ids: dict[str, str]) -> str:
    attributes = _STYLES[link.way]
    if sign := SIGNS[link.change]:
        attributes += f', color="{_COLORS[link.change]}", penwidth=2, xlabel="{sign}"'
    return f"{ids[link.tail]} -> {ids[link.head]} [{attributes}]"


def _quote(*lines: str) -> str:
    r"""Return a label: ``"node-a\n192.0.2.1:9806"``."""
    return '"' + r"\n".join(_escape(neutralise(line)) for line in lines if line) + '"'


def _escape(text: str) -> str:
    for found, written in (("&", "&amp;"), ("\\", "\\\\"), ('"', '\\"')):
        text = text.replace(found, written)
    return text
