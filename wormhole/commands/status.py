"""``wormhole status``: who talks to this host, since when, and what drifted."""

import argparse
import sys
from pathlib import Path
from typing import Final

from wormhole.console import choose_paint, out
from wormhole.exit import Exit
from wormhole.options import add_host, add_host_folders, add_json

SUMMARY: Final = "Show the device, its peers, their handshakes, and drift."
DESCRIPTION: Final = (
    "Show this host's WireGuard device and peers as they are now, and what differs from the"
    " desired state: STATE's when it is given, else the one that was applied last. An endpoint"
    " that moved while the peer talks to us has roamed; that is no drift."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "state",
        metavar="STATE",
        type=Path,
        nargs="?",
        help="A state folder to compare with, in place of what was applied last.",
    )
    add_host(parser)
    add_host_folders(parser)
    add_json(parser, "status")


def run(arguments: argparse.Namespace) -> int:
    """Observe, compare, print."""
    from applier.pending.note import load_note  # noqa: PLC0415 - for the host's commands
    from applier.status import status  # noqa: PLC0415
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.files.statefolder import read_resolved  # noqa: PLC0415
    from wormhole.reporting import print_document  # noqa: PLC0415
    from wormhole.trial import add_trials  # noqa: PLC0415
    from wormhole.views.status import describe_status  # noqa: PLC0415

    resolved = read_resolved(arguments.state, arguments.host) if arguments.state else None
    thishost.require_root()
    paths = thishost.paths_from(arguments)
    with thishost.open_host(paths) as (host, vault):
        note = load_note(host, paths)
        wanted = note.desired if note is not None and resolved is None else resolved
        found = add_trials(status(host, wanted, vault=vault, paths=paths), host, paths)
    if arguments.json:
        print_document(found)
    else:
        paint = choose_paint(arguments.color, sys.stdout)
        out(describe_status(found, paint=paint, verbose=arguments.verbose))
    return Exit.OK
