"""``wormhole render``: desired state becomes the text that native tools take."""

import argparse
from pathlib import Path
from typing import Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_host

SUMMARY: Final = "Write what native tools take: ip, wg, iptables, sysctl, CNI."
DESCRIPTION: Final = (
    "Render one host, or all: ip.batch (ip -force -batch), a wg configuration (wg addconf; without"
    " any key that is secret), iptables.rules and ip6tables.rules (iptables-restore --noflush),"
    " sysctl.conf (sysctl -p) and the CNI configuration. Loading these by hand gives what apply"
    " gives."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "state", metavar="STATE", type=Path, help="The state folder that compile wrote."
    )
    which = parser.add_mutually_exclusive_group()
    add_host(which)
    which.add_argument("--all", action="store_true", help="Render every host; needs -o.")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="Write the files to DIR/NODE/ rather than to standard output.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="With --all -o DIR: write nothing, and exit 1 when DIR is not exactly this rendering;"
        " names the files that differ, are missing or are surplus.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Render to standard output, or to a folder for each host."""
    from wormhole.files.rendering import print_host, write_host  # noqa: PLC0415 - brings renderers
    from wormhole.files.statefolder import read_resolved  # noqa: PLC0415
    from wormhole.remarks import say_warnings, show_path  # noqa: PLC0415

    if arguments.check:
        return _check(arguments)
    if arguments.all:
        return _render_all(arguments)
    resolved = read_resolved(arguments.state, arguments.host)
    if arguments.output is None:
        print_host(resolved)
        return Exit.OK
    say_warnings(write_host(arguments.output, resolved), arguments.color)
    folder = show_path(arguments.output / resolved.host.name)
    out(f"ok: host {resolved.host.name} rendered to {folder}")
    return Exit.OK


def _render_all(arguments: argparse.Namespace) -> int:
    from schemas.problems import Problems  # noqa: PLC0415 - as above
    from wormhole.files.rendering import write_all  # noqa: PLC0415
    from wormhole.files.statefolder import read_documents  # noqa: PLC0415
    from wormhole.remarks import count, say_warnings, show_path  # noqa: PLC0415

    if arguments.output is None:
        rule = "give -o DIR: all hosts do not fit on standard output"
        raise Problems.one(rule, path="--all")
    documents = read_documents(arguments.state)
    say_warnings(write_all(arguments.output, documents), arguments.color)
    out(f"ok: {count(len(documents.hosts), 'host')} rendered to {show_path(arguments.output)}")
    return Exit.OK


def _check(arguments: argparse.Namespace) -> int:
    from schemas.problems import Problems  # noqa: PLC0415 - as above
    from wormhole.files.disagreement import say_disagreement  # noqa: PLC0415
    from wormhole.files.rendering import compare_rendering  # noqa: PLC0415
    from wormhole.files.statefolder import read_documents  # noqa: PLC0415
    from wormhole.remarks import count, show_path  # noqa: PLC0415

    if not arguments.all or arguments.output is None:
        raise Problems.one("compares a whole folder: give --all and -o DIR", path="--check")
    documents = read_documents(arguments.state)
    total = say_disagreement(arguments.output, compare_rendering(arguments.output, documents))
    folder, state = show_path(arguments.output), show_path(arguments.state)
    if total:
        out(f"{count(total, 'file')}: {folder} is not the rendering of {state}")
        return Exit.CHANGES
    out(f"ok: {folder} is the rendering of {state}, {count(len(documents.hosts), 'host')}")
    return Exit.OK
