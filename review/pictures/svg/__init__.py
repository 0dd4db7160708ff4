"""A picture to an SVG, written without any other program."""

from review.pictures.picture import Picture
from review.pictures.svg.circle import lay_circle
from review.pictures.svg.grid import lay_grid
from review.pictures.svg.page import write_page


def draw_svg(picture: Picture, *, headed: bool = True) -> str:
    """Return the SVG document: a circle of nodes with their links, or a grid by network.

    ``headed`` writes its title and who meets whom above it.
    """
    lay = lay_grid if picture.links is None else lay_circle
    return write_page(picture, lay(picture), headed=headed)
