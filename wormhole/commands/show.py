"""``wormhole show``: one host's whole desired state, or a saved plan, for reading."""

import argparse
from typing import Final

from wormhole.console import out, out_json
from wormhole.exit import Exit
from wormhole.options import add_json, add_state_or_plan

SUMMARY: Final = "Print the resolved document of one host, its peers included; or a saved plan."
DESCRIPTION: Final = (
    "Join the mesh's document with one host's, and print the result as JSON: exactly what plan"
    " compares with the live host and what render writes out. Given the file of a saved plan in"
    " place of a state folder, print that plan as plan did, on any machine; only the host that made"
    " it can tell whether it is still as it was written, and does when it is applied."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_state_or_plan(parser)
    add_json(parser, "saved-plan")


def run(arguments: argparse.Namespace) -> int:
    """Read, resolve, print."""
    from schemas.document import dump  # noqa: PLC0415 - brings msgspec, which --version does without
    from wormhole.files.folder import names_file  # noqa: PLC0415
    from wormhole.files.statefolder import read_resolved  # noqa: PLC0415

    if names_file(arguments.state):
        return _show_saved(arguments)
    resolved = read_resolved(arguments.state, arguments.host)
    out_json(dump(resolved).decode())
    return Exit.OK


def _show_saved(arguments: argparse.Namespace) -> int:
    import sys  # noqa: PLC0415 - to find out whether a person is looking

    import msgspec  # noqa: PLC0415 - as above

    from schemas.document import format_raw  # noqa: PLC0415
    from wormhole.console import choose_paint  # noqa: PLC0415
    from wormhole.files.savedfile import open_saved  # noqa: PLC0415
    from wormhole.views.plan import summarise_plan  # noqa: PLC0415 - the rest of the command needs none
    from wormhole.views.saved import describe_saved  # noqa: PLC0415

    opened = open_saved(arguments.state)
    if arguments.json:
        out_json(format_raw(msgspec.json.decode(opened.content)).decode())
        return Exit.OK
    paint = choose_paint(arguments.color, sys.stdout)
    out(describe_saved(opened.saved, paint=paint, verbose=arguments.verbose) + "\n")
    out(summarise_plan(opened.saved.plan))
    return Exit.OK
