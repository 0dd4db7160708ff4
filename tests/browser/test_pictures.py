"""Pictures in a real browser: no text covers another or leaves its box, whatever the font."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser
from sizes import make_documents, rename

from review.pictures.build import build_picture
from review.pictures.mermaid import draw_mermaid
from review.pictures.picture import Picture
from review.pictures.svg import draw_svg

pytestmark = pytest.mark.browser

TEXTS = (Path(__file__).parent / "texts.js").read_text()
MERMAID = Path(
    os.environ.get("MERMAID_JS", "")
    or Path(__file__).parents[2] / ".cache" / "mermaid" / "package" / "dist" / "mermaid.min.js"
)


def make_picture(size: int) -> Picture:
    silent = [0, size // 2]
    old = make_documents(size, silent=silent)
    return build_picture(
        make_documents(range(1, size + 1), silent=silent, moved=[size // 3 + 1]), old
    )


def covers(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Whether two texts share more than the empty edge of their lines."""
    across = min(one["x"] + one["width"], two["x"] + two["width"]) - max(one["x"], two["x"])
    down = min(one["y"] + one["height"], two["y"] + two["height"]) - max(one["y"], two["y"])
    return bool(across > 0.5 and down > 3)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 9, 12, 13, 50, 150, 1000])
def test_no_text_covers_another_or_leaves_its_box(
    browser: Browser, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "mesh.svg"
    path.write_text(draw_svg(make_picture(size)))
    browser.open(path)
    texts = browser.ask(TEXTS)
    assert len(texts) > 5
    assert [each["text"] for each in texts if not each["inside"]] == []
    covered = [
        (one["text"], two["text"])
        for place, one in enumerate(texts)
        for two in texts[place + 1 :]
        if covers(one, two)
    ]
    assert covered == []
    assert browser.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_svg_alone_follows_the_scheme(browser: Browser, tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "mesh.svg"
    path.write_text(draw_svg(make_picture(3)))
    browser.prefer(scheme)
    browser.open(path)
    fill = browser.ask("return getComputedStyle(document.querySelector('text.head')).fill")
    assert fill == {"light": "rgb(22, 32, 46)", "dark": "rgb(231, 236, 243)"}[scheme]


@pytest.mark.skipif(
    not MERMAID.is_file(),
    reason="no mermaid.min.js here (tools/fetch-mermaid.sh; or MERMAID_JS names it)",
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 12, 50, 1000])
def test_mermaid_itself_draws_them(browser: Browser, tmp_path: Path, size: int) -> None:
    hostile = '"]; click all call alert(1); 1. one <b>#quot;`'
    old = rename(make_documents(size, silent=[0, size // 2]), hostile)
    new = make_documents(range(1, size + 1), silent=[size // 2], moved=[size // 3], mesh=hostile)
    source = draw_mermaid(build_picture(new, old))
    path = tmp_path / "mermaid.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><body><script src="{MERMAID.resolve().as_uri()}">'
        "</script>"
    )
    browser.open(path)
    answer = browser.driver.execute_async_script(
        "const done = arguments[1]; mermaid.initialize({startOnLoad: false});"
        "mermaid.render('drawn', arguments[0]).then(({svg}) => done(svg), (e) => done(String(e)))",
        source,
    )
    shown = json.dumps(answer)
    assert answer.startswith("<svg"), answer
    assert "Unsupported markdown" not in shown
    assert f"{size:,} node" in answer
    assert "&lt;b&gt;" in answer
