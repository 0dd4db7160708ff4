"""``wormhole plan``: what apply would do to this host."""

import argparse
from typing import Final

from wormhole.exit import Exit
from wormhole.options import add_host_folders, add_json, add_state

SUMMARY: Final = "Show what apply would change on this host, and why. Writes nothing."
DESCRIPTION: Final = (
    "Compare one host's document with this machine and print what differs, in the order in which"
    " apply would change it. Writes nothing and takes no lock, so it can run beside an apply."
    " Exit code 0: nothing to change; 1: changes; 4: something foreign is in the way."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_state(parser)
    add_host_folders(parser)
    add_json(parser, "plan")


def run(arguments: argparse.Namespace) -> int:
    """Observe, compare, print."""
    from applier.converge import plan  # noqa: PLC0415 - the applier is for the host's commands
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.reporting import print_document, print_plan  # noqa: PLC0415
    from wormhole.statefolder import read_resolved  # noqa: PLC0415
    from wormhole.trial import tell_of_trials  # noqa: PLC0415

    resolved = read_resolved(arguments.state, arguments.host)
    thishost.require_root()
    paths = thishost.paths_from(arguments)
    with thishost.open_host(paths) as (host, vault):
        found = plan(host, resolved, vault=vault, paths=paths)
        tell_of_trials(host, paths, resolved)
    if arguments.json:
        print_document(found)
    else:
        print_plan(found, arguments)
    if found.conflicts:
        return Exit.CONFLICT
    return Exit.CHANGES if found.changes else Exit.OK
