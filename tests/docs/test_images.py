"""The pictures in the documentation are what the program draws."""

import os

import pytest
from pages import ROOT

from review.pictures.build import build_picture
from review.pictures.svg import draw_svg
from wormhole.files.statereader import Reader

IMAGES = {"mesh.svg": "fixtures/clusters/behind-nat/cluster.yaml"}
FOLDER = ROOT / "docs" / "images"


@pytest.mark.parametrize("name", IMAGES)
def test_a_picture_is_drawn_from_a_fixture(name: str) -> None:
    drawn = draw_svg(build_picture(Reader().read(str(ROOT / IMAGES[name])).documents))
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        (FOLDER / name).write_text(drawn)
    assert (FOLDER / name).read_text() == drawn


def test_every_picture_is_one_of_these() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(IMAGES)
