"""``wormhole explain``: where an allowed IP, a route, a rule, or any other place comes from."""

import argparse
import sys
from typing import TYPE_CHECKING, Final

from wormhole.console import choose_paint, out, out_json
from wormhole.exit import Exit
from wormhole.options import add_any_state, add_json

if TYPE_CHECKING:
    from compiler.origins.origin import Origins
    from wormhole.explain.document import Explanation
    from wormhole.files.statereader import Found

SUMMARY: Final = "Tell where something in a state comes from: which line, which rule."
DESCRIPTION: Final = (
    "Tell where a value in the documents comes from: which rule of the compiler wrote it, and why;"
    " and, with the inventory, from which of its lines. WHAT is FILE:LINE as trace and check print"
    " it, FILE PATH, a path alone with --host, or an address or a prefix: then every place is told"
    " that speaks of it. Exit code 2: WHAT is nothing in these documents."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_any_state(parser)
    parser.add_argument(
        "what",
        metavar="WHAT",
        nargs="+",
        help="What to explain: state/hosts/node-a.json:115, hosts/node-a.json wireguard.mtu,"
        " 10.244.1.10, or 10.244.0.0/16.",
    )
    parser.add_argument(
        "--inventory",
        metavar="INVENTORY",
        nargs="+",
        action="extend",
        default=[],
        help="The inventory that the state was compiled from: files, folders, or - for standard"
        " input. Not needed where STATE is an inventory itself.",
    )
    parser.add_argument(
        "--host",
        metavar="NODE",
        help="Of an address, tell also which route and which rules speak of it on this node; of a"
        " path, that it is one of this node's document.",
    )
    add_json(parser, "explanation")


def run(arguments: argparse.Namespace) -> int:
    """Find what is meant, and tell where it comes from."""
    from schemas.document import dump  # noqa: PLC0415 - brings msgspec, as the next do
    from wormhole.explain.view import View, describe  # noqa: PLC0415

    state = _find(arguments)
    origins = _read_inventory(state, arguments.inventory)
    explanation = _explain(state, origins, arguments)
    if arguments.json:
        out_json(dump(explanation).decode())
        return Exit.OK
    view = View(
        spell=state.texts.spell_file,
        paint=choose_paint(arguments.color, sys.stdout),
        verbose=arguments.verbose,
        with_inventory=origins is not None,
        host=arguments.host or "",
    )
    out(describe(explanation, view))
    return Exit.OK


def _find(arguments: argparse.Namespace) -> "Found":
    from wormhole.files.statereader import Reader  # noqa: PLC0415 - as above
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    state = Reader().find(arguments.state)
    say_warnings(state.warnings, arguments.color)
    return state


def _explain(
    state: "Found", origins: "Origins | None", arguments: argparse.Namespace
) -> "Explanation":
    from review.model.story import Place  # noqa: PLC0415 - as above
    from wormhole.explain.addresses import find_places  # noqa: PLC0415
    from wormhole.explain.asked import read_question  # noqa: PLC0415
    from wormhole.explain.document import Explanation  # noqa: PLC0415
    from wormhole.explain.held import Held  # noqa: PLC0415
    from wormhole.explain.telling import tell_all  # noqa: PLC0415

    held = Held(state.texts)
    asked = read_question(held, arguments.what, arguments.host)
    found = (("", asked),) if isinstance(asked, Place) else find_places(held, asked, arguments.host)
    return Explanation(
        asked=" ".join(arguments.what),
        places=tell_all(held, origins, found),
    )


def _read_inventory(state: "Found", paths: list[str]) -> "Origins | None":
    """Compile the inventory: the one that is given, or the state if it is one."""
    if not paths and not state.sources:
        return None
    from compiler.origins.origin import Origins  # noqa: PLC0415 - brings the compiler
    from wormhole.files.sources import read_sources  # noqa: PLC0415

    return Origins(read_sources(paths) if paths else state.sources)
