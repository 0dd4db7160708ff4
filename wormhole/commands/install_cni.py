"""``wormhole install-cni``: the host gets the plugins that its CNI configuration names."""

import argparse
from pathlib import Path
from typing import Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_cni_conf_dir

SUMMARY: Final = "Copy CNI plugins into the container runtime's folder."
DESCRIPTION: Final = (
    "Copy CNI plugins from one folder into another, each whole or not at all, and only those that"
    " differ: run twice, it writes nothing the second time. Whatever else is in the folder keeps"
    " its content, owner and mode. Warns of CNI configurations that the container runtime would"
    " read before Wormhole's."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "plugins",
        metavar="PLUGIN",
        nargs="*",
        help="The plugins to copy; without any, those that Wormhole and the container runtime use:"
        " bridge, host-local, loopback, portmap.",
    )
    parser.add_argument("--all", action="store_true", help="Copy every executable file of --from.")
    parser.add_argument(
        "--from",
        metavar="DIR",
        dest="source",
        type=Path,
        required=True,
        help="The folder with the plugins.",
    )
    parser.add_argument(
        "--to",
        metavar="DIR",
        dest="target",
        type=Path,
        required=True,
        help="The folder where the container runtime looks for them, such as /opt/cni/bin.",
    )
    parser.add_argument(
        "--keep-existing",
        action="store_true",
        help="Leave a plugin that is there as it is, whatever its version; write missing ones.",
    )
    add_cni_conf_dir(parser)


def run(arguments: argparse.Namespace) -> int:
    """Copy, say what was written, and warn of what would be read before ours."""
    from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec, which --version does without
    from wormhole.cniplugins import (  # noqa: PLC0415 - as above
        Result,
        choose_plugins,
        find_rivals,
        install_plugins,
    )
    from wormhole.remarks import say_warnings, show_path  # noqa: PLC0415 - as above

    if arguments.all and arguments.plugins:
        raise Problems.one("it means every plugin: name none beside it", path="--all")
    names = choose_plugins(arguments.source, arguments.plugins, every=arguments.all)
    counts = dict.fromkeys((Result.WRITTEN, Result.SAME), 0)
    for name, result in install_plugins(
        arguments.source, arguments.target, names, keep=arguments.keep_existing
    ):
        counts[result] = counts.get(result, 0) + 1
        if result is Result.WRITTEN:
            out(f"{show_path(arguments.target / name)}: written")
    out(", ".join(f"{number} {result}" for result, number in counts.items()))
    say_warnings(find_rivals(arguments.cni_conf_dir), arguments.color)
    return Exit.OK
