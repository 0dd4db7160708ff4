"""SVGs are well-formed, say what they show in words, and nothing in them covers anything else."""

from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace
from sizes import make_documents

from review.pictures.build import build_picture
from review.pictures.picture import Node, Pairs, Picture
from review.pictures.svg import draw_svg
from review.pictures.svg.canvas import Box, cut, width_of
from review.pictures.svg.style import DARK, LIGHT, Scheme

SIZES = (1, 2, 3, 7, 12, 13, 50, 1000)
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(1)</script>\x1b[31m\u202e&\"'"


def draw(size: int) -> str:
    silent = [0, size // 2]
    old = make_documents(size, silent=silent)
    new = make_documents(range(1, size + 1), silent=silent, moved=[size - 1])
    return draw_svg(build_picture(new, old))


def boxes(svg: str) -> list[Box]:
    """Return where the nodes are, in the layout's own field."""
    found = []
    for rectangle in ET.fromstring(svg).iter(f"{SVG}rect"):
        kinds = (rectangle.get("class") or "").split()
        if {"box", "tile"} & {*kinds}:
            x, y, width, height = (
                float(rectangle.get(name, "")) for name in ("x", "y", "width", "height")
            )
            found.append(Box(x=x, y=y, width=width, height=height))
    return found


@pytest.mark.parametrize("size", SIZES)
def test_no_node_covers_another(size: int) -> None:
    found = boxes(draw_svg(build_picture(make_documents(size))))
    assert len(found) == size
    if size <= 50:
        assert [(a, b) for a, b in combinations(found, 2) if a.overlaps(b)] == []
    else:
        assert len({(box.x, box.y) for box in found}) == size


@pytest.mark.parametrize("size", SIZES)
def test_the_picture_says_what_it_shows(size: int) -> None:
    root = ET.fromstring(draw(size))
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "wh-title wh-desc"
    assert root.findtext(f"{SVG}title") == f"Mesh demo: {size:,} node" + ("" if size == 1 else "s")
    assert "1 node joins, 1 node leaves" in (root.findtext(f"{SVG}desc") or "")


@pytest.mark.parametrize("size", SIZES)
def test_what_changes_has_a_sign_and_not_only_a_colour(size: int) -> None:
    texts = ["".join(text.itertext()) for text in ET.fromstring(draw(size)).iter(f"{SVG}text")]
    for sign, name in (("+", size), ("-", 0)):
        assert [text for text in texts if text.startswith(f"{sign} node-{name:04}")]


@pytest.mark.parametrize("size", SIZES)
def test_equal_states_have_equal_bytes(size: int) -> None:
    assert draw(size) == draw(size)


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_drawn_outside(size: int) -> None:
    root = ET.fromstring(draw(size))
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    for box in boxes(draw(size)):
        assert box.x + box.width <= width
        assert box.y + box.height <= height


def test_names_are_text_whatever_they_hold() -> None:
    documents = make_documents(2, mesh=HOSTILE)
    root = ET.fromstring(draw_svg(build_picture(documents)))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "desc", "style", "rect", "g", "text", "line")
    }
    assert root.findtext(f"{SVG}title") == (
        "Mesh </text><script>alert(1)</script>\\x1b[31m\\u202e&\"': 2 nodes"
    )


def test_long_names_are_cut_in_the_middle_and_kept_whole_in_the_hint() -> None:
    name = "a" * 120 + "." + "z" * 120
    svg = draw_svg(build_picture_of(Node(name=name, endpoint="192.0.2.1:9806")))
    texts = ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]
    (shown,) = [text for text in texts if text.startswith("aaa")]
    assert "…" in shown
    assert shown.endswith("z")
    assert name in svg


def build_picture_of(node: Node) -> Picture:
    return Picture(mesh="demo", nodes=(node,), pairs=Pairs(), links=())


def test_what_is_cut_is_not_wider_than_asked() -> None:
    assert cut("node-a", 200, 13) == "node-a"
    assert width_of(cut("n" * 253, 100, 13), 13) <= 100
    assert cut("界" * 50, 60, 13).startswith("界")


def test_many_prefixes_are_counted() -> None:
    many = tuple(f"10.244.{number}.0/24" for number in range(7))
    svg = draw_svg(build_picture_of(Node(name="node-a", prefixes=many)))
    assert ">and 4 more</text>" in svg


def test_a_heading_can_be_left_to_the_page() -> None:
    picture = build_picture(make_documents(3))
    assert 'class="head"' in draw_svg(picture)
    assert 'class="head"' not in draw_svg(picture, headed=False)


def test_an_endpoint_that_is_no_address_has_a_place_all_the_same() -> None:
    picture = build_picture(make_documents(13))
    odd = replace(picture.nodes[0], endpoint="somewhere")
    svg = draw_svg(replace(picture, nodes=(odd, *picture.nodes[1:])))
    assert ">endpoints that are no addresses</text>" in svg


def luminance(color: str) -> float:
    """Return the relative luminance (WCAG 2.2)."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("text", ["ink", "muted", "joins", "leaves", "changes", "never"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_can_be_read_in_both_schemes(scheme: Scheme, text: str, ground: str) -> None:
    dark, light = sorted((luminance(getattr(scheme, text)), luminance(getattr(scheme, ground))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5
