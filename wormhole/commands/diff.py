"""``wormhole diff``: what changes from one state to another."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

from wormhole.console import choose_paint, out, out_json
from wormhole.exit import Exit

if TYPE_CHECKING:
    from review.changes.review import Review

SUMMARY: Final = "Tell what changes from one state to another, and how far it reaches."
DESCRIPTION: Final = (
    "Compare two states and tell each change by its cause: who joins, leaves or moves, what the"
    " overlay, the keys or the firewall do; then the blast radius. Each side is a state folder, an"
    " inventory (a file, a folder, or - for standard input), or REV:PATH, either of them as it is"
    " in a git revision. Exit code 0: no changes; 1: changes."
)
_FORMATS: Final = ("text", "markdown", "json")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("old", metavar="OLD", help="The state before, such as main:state.")
    parser.add_argument("new", metavar="NEW", help="The state after, such as state.")
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default=_FORMATS[0],
        help="How to tell it: text for a terminal, markdown for a pull request, or json for a"
        " program (schemas/review.schema.json); now %(default)s.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read both sides, compare, print."""
    from review.changes.compare import compare  # noqa: PLC0415 - brings msgspec, as the next do
    from wormhole.files.statereader import open_reader  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    reader = open_reader(arguments.old, arguments.new)
    old, new = reader.read(arguments.old), reader.read(arguments.new)
    say_warnings(new.warnings, arguments.color)
    review = compare(old.documents, new.documents)
    write = out_json if arguments.format == "json" else out
    write(_write(review, arguments))
    return Exit.CHANGES if review.entries else Exit.OK


def _write(review: "Review", arguments: argparse.Namespace) -> str:
    from review.changes.markdown import write_markdown  # noqa: PLC0415 - as above
    from review.changes.summary import write_text  # noqa: PLC0415
    from schemas.document import dump  # noqa: PLC0415

    match arguments.format:
        case "json":
            return dump(review).decode()
        case "markdown":
            return write_markdown(review)
        case _:
            paint = choose_paint(arguments.color, sys.stdout)
            return write_text(review, verbose=arguments.verbose, paint=paint)
