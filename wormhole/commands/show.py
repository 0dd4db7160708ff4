"""``wormhole show``: one host's whole desired state, as one document."""

import argparse
from typing import Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_state

SUMMARY: Final = "Print the resolved document of one host, its peers included."
DESCRIPTION: Final = (
    "Join the mesh's document with one host's, and print the result as JSON: exactly what plan"
    " compares with the live host and what render writes out."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_state(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read, resolve, print."""
    from schemas.document import dump  # noqa: PLC0415 - brings msgspec, which --version does without
    from wormhole.statefolder import read_resolved  # noqa: PLC0415

    resolved = read_resolved(arguments.state, arguments.host)
    out(dump(resolved).decode().removesuffix("\n"))
    return Exit.OK
