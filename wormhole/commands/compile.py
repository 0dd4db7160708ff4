"""``wormhole compile``: an inventory becomes a state folder."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wormhole.console import out
from wormhole.exit import Exit

if TYPE_CHECKING:
    from schemas.problems import Problem

SUMMARY: Final = "Turn an inventory into a state folder: a document per host."
DESCRIPTION: Final = (
    "Check an inventory and write the desired state of every host as documents. Only files that"
    " changed are written, and files of hosts that left are removed, so that a diff of the folder"
    " is the change. An inventory with a problem writes nothing."
)
_SHOWN_FILES: Final = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "inventory",
        metavar="INVENTORY",
        nargs="+",
        help="A file, a folder of *.yaml, *.yml and *.json, or - for standard input.",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="STATE",
        type=Path,
        required=True,
        help="The state folder to write: a new, an empty or an earlier one.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compile, write, and say what was written."""
    from compiler.compile import compile_mesh  # noqa: PLC0415 - only where an inventory is read
    from compiler.parse import parse  # noqa: PLC0415
    from wormhole.remarks import count, say_warnings  # noqa: PLC0415
    from wormhole.sources import read_sources  # noqa: PLC0415
    from wormhole.statefolder import write_state  # noqa: PLC0415

    inventory = parse(read_sources(arguments.inventory))
    documents = compile_mesh(inventory)
    result = write_state(arguments.output, documents.mesh, documents.hosts.values())
    say_warnings(inventory.warnings, arguments.color)
    say_warnings(_describe_kept(arguments, result.kept), arguments.color)
    _list_files("wrote", arguments, result.written)
    _list_files("removed", arguments, result.removed)
    out(
        f"ok: mesh {inventory.mesh.name}, {count(len(inventory.nodes), 'node')},"
        f" {count(len(inventory.warnings), 'warning')}:"
        f" {len(result.written)} written, {result.unchanged} unchanged,"
        f" {len(result.removed)} removed"
    )
    return Exit.OK


def _describe_kept(arguments: argparse.Namespace, paths: tuple[str, ...]) -> Iterator["Problem"]:
    from schemas.problems import Problem  # noqa: PLC0415 - brings msgspec, which --version does without

    for path in paths:
        rule = "the document of another mesh's host: left where it is"
        yield Problem(file=str(arguments.output / path), rule=rule)


def _list_files(verb: str, arguments: argparse.Namespace, paths: tuple[str, ...]) -> None:
    from wormhole.remarks import show_path  # noqa: PLC0415 - as above

    shown = paths if arguments.verbose else paths[:_SHOWN_FILES]
    for path in shown:
        out(f"{verb} {show_path(arguments.output / path)}")
    if len(paths) > len(shown):
        out(f"{verb} {len(paths) - len(shown)} more (-v names them)")
