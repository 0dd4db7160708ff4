"""``wormhole report``: a mesh, what changes in it, and what is proven of it, as one HTML page."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wormhole.exit import Exit
from wormhole.options import add_any_state

if TYPE_CHECKING:
    from review.report.page import Comparison
    from schemas.state import Documents

SUMMARY: Final = "Write one HTML page: picture, changes, proof, every host."
DESCRIPTION: Final = (
    "Write everything about a mesh into one HTML page that needs no network: the picture, the blast"
    " radius of a change, what is proven, and every host's document, to be searched and opened. It"
    " works from a file, light or dark, and on paper."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_any_state(parser)
    parser.add_argument("--diff", metavar="OLD", help="Tell what changes from OLD, named likewise.")
    parser.add_argument(
        "--no-proof", action="store_true", help="Leave out what check would prove; it takes longer."
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE.html", type=Path, required=True, help="The page to write."
    )


def run(arguments: argparse.Namespace) -> int:
    """Read one state or two, compare, prove, write."""
    from review.report.page import write_report  # noqa: PLC0415 - brings msgspec and ipaddress
    from wormhole.files.pagefile import write_page  # noqa: PLC0415
    from wormhole.files.statereader import open_reader  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    reader = open_reader(arguments.state, arguments.diff)
    state = reader.read(arguments.state)
    say_warnings(state.warnings, arguments.color)
    comparison = None
    if arguments.diff is not None:
        comparison = _compare(reader.read(arguments.diff).documents, state.documents)
    proof = None
    if not arguments.no_proof:
        from review.proof.prove import prove  # noqa: PLC0415 - as above

        proof = prove(state.documents)
    write_page(arguments.output, write_report(state.documents, comparison, proof))
    return Exit.OK


def _compare(old: "Documents", new: "Documents") -> "Comparison":
    from review.changes.compare import compare  # noqa: PLC0415 - as above
    from review.report.page import Comparison  # noqa: PLC0415

    return Comparison(old=old, review=compare(old, new))
