"""``wormhole graph``: the mesh, or what changes in it, as a picture."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_any_state

if TYPE_CHECKING:
    from review.pictures.picture import Picture

SUMMARY: Final = "Draw the mesh, or what changes in it: SVG, Mermaid, DOT."
DESCRIPTION: Final = (
    "Draw who is in the mesh and who meets whom. Up to twelve nodes are drawn with their tunnels; a"
    " larger mesh is summed up by endpoint network. With --diff, what comes, goes and changes is"
    " marked with +, - and ~, and coloured. No other program is needed."
)

_FORMATS: Final = {
    ".svg": "svg",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_any_state(parser)
    parser.add_argument("--diff", metavar="OLD", help="Mark what changes from OLD, named likewise.")
    parser.add_argument(
        "--format",
        choices=("svg", "mermaid", "dot"),
        help="What to write; without it what the ending of FILE says (.svg, .mmd, .dot), or mermaid"
        " on standard output.",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="Write to FILE, not to standard output."
    )


def run(arguments: argparse.Namespace) -> int:
    """Read one state or two, draw, print or write."""
    from review.pictures.build import build_picture  # noqa: PLC0415 - brings msgspec and ipaddress
    from wormhole.files.pagefile import write_page  # noqa: PLC0415
    from wormhole.files.statereader import open_reader  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    draw = _find_way_to_draw(arguments)
    reader = open_reader(arguments.state, arguments.diff)
    state = reader.read(arguments.state)
    old = reader.read(arguments.diff).documents if arguments.diff is not None else None
    say_warnings(state.warnings, arguments.color)
    text = draw(build_picture(state.documents, old))
    if arguments.output is None:
        out(text.removesuffix("\n"))
    else:
        write_page(arguments.output, text)
    return Exit.OK


def _find_way_to_draw(arguments: argparse.Namespace) -> "Callable[[Picture], str]":
    from review.pictures.dot import draw_dot  # noqa: PLC0415 - as above
    from review.pictures.mermaid import draw_mermaid  # noqa: PLC0415
    from review.pictures.svg import draw_svg  # noqa: PLC0415

    return {"svg": draw_svg, "dot": draw_dot, "mermaid": draw_mermaid}[_choose_format(arguments)]


def _choose_format(arguments: argparse.Namespace) -> str:
    if arguments.format is not None:
        return str(arguments.format)
    if arguments.output is None:
        return "mermaid"
    try:
        return _FORMATS[arguments.output.suffix.lower()]
    except KeyError:
        from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec

        rule = f"its ending says no format: end it in {', '.join(_FORMATS)}, or give --format"
        raise Problems.one(rule, file=str(arguments.output)) from None
