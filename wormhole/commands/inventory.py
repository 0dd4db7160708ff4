"""``wormhole inventory``: a live cluster becomes an inventory in files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_kubeconfig

if TYPE_CHECKING:
    from wormhole.pull.collect import Pulled
    from wormhole.pull.store import Stored

SUMMARY: Final = "Write what a live cluster has of a mesh, ready to compile and commit."
DESCRIPTION: Final = (
    "pull: read the Mesh, the MeshNodes and the Nodes of a cluster, and write of them what compile"
    " needs: no status but addresses, no managed fields, no secrets. Into a folder it writes a file"
    " for each object, only those that changed, and removes those of objects that left."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("action", choices=["pull"], help="What to do: pull the objects.")
    add_kubeconfig(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        type=Path,
        help="A folder to write to; or one file, when its name ends in .yaml. Without it everything"
        " goes to standard output.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the cluster once, and write what it has."""
    from wormhole.cluster.connection import connect  # noqa: PLC0415 - brings the client library
    from wormhole.pull.collect import collect_objects  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    pulled = collect_objects(connect(arguments.kubeconfig))
    say_warnings(pulled.remarks, arguments.color)
    if arguments.output is None:
        return _print(pulled)
    from wormhole.pull.store import is_file, store_in_file, store_in_folder  # noqa: PLC0415

    store = store_in_file if is_file(arguments.output) else store_in_folder
    _say_what_was_done(pulled, store(arguments.output, pulled), arguments)
    return Exit.OK


def _print(pulled: "Pulled") -> int:
    from wormhole.pull.spell import spell_objects  # noqa: PLC0415 - as above

    # Bytes: the text is UTF-8, whatever the locale is.
    sys.stdout.flush()
    sys.stdout.buffer.write(spell_objects(pulled.objects))
    return Exit.OK


def _say_what_was_done(pulled: "Pulled", stored: "Stored", arguments: argparse.Namespace) -> None:
    from wormhole.remarks import count, say_files  # noqa: PLC0415 - as above

    for verb, paths in (("wrote", stored.written), ("removed", stored.removed)):
        say_files(verb, [*map(Path, paths)], verbose=arguments.verbose)
    out(
        f"ok: mesh {pulled.mesh['metadata']['name']},"
        f" {count(len(pulled.mesh_nodes), 'MeshNode')}, {count(len(pulled.nodes), 'Node')}:"
        f" {len(stored.written)} written, {stored.unchanged} unchanged,"
        f" {len(stored.removed)} removed"
    )
