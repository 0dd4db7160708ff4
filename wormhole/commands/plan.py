"""``wormhole plan``: what apply would do to this host."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wormhole.exit import Exit
from wormhole.options import add_host_folders, add_json, add_state

if TYPE_CHECKING:
    from applier.plan import Plan
    from schemas.state import ResolvedHost

SUMMARY: Final = "Show what apply would change on this host, and why. Writes nothing to it."
DESCRIPTION: Final = (
    "Compare one host's document with this machine and print what differs, in the order in which"
    " apply would change it. Writes nothing to the host and takes no lock, so it can run beside an"
    " apply. With --out the plan is saved too: 'wormhole show FILE' reads it anywhere, and"
    " 'wormhole apply FILE' carries out exactly that, or nothing."
    " Exit code 0: nothing to change; 1: changes; 4: something foreign is in the way; 5: too much"
    " would be removed for a plan to be saved."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_state(parser)
    add_host_folders(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="Save the plan in a file (0600). A saved plan of before is replaced, nothing else.",
    )
    parser.add_argument(
        "--allow-mass-delete",
        action="store_true",
        help="With --out: save it though it removes more than a fifth of what is Wormhole's here,"
        " and let whoever applies it do that.",
    )
    add_json(parser, "plan")


def run(arguments: argparse.Namespace) -> int:
    """Observe, compare, print; save it when that is asked."""
    from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec
    from wormhole.files.folder import names_file  # noqa: PLC0415
    from wormhole.files.savedfile import refuse_inventory  # noqa: PLC0415
    from wormhole.files.statefolder import read_resolved  # noqa: PLC0415

    if names_file(arguments.state):
        refuse_inventory(arguments.state)
        rule = "is no state folder: a saved plan is read with 'wormhole show'"
        raise Problems.one(rule, file=str(arguments.state))
    if arguments.allow_mass_delete and arguments.out is None:
        raise Problems.one("goes with --out", path="--allow-mass-delete")
    resolved = read_resolved(arguments.state, arguments.host)
    return _show(arguments, resolved) if arguments.out is None else _save(arguments, resolved)


def _show(arguments: argparse.Namespace, resolved: "ResolvedHost") -> int:
    from applier.converge import plan  # noqa: PLC0415 - the applier is for the host's commands
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.trial import tell_of_trials  # noqa: PLC0415

    thishost.require_root()
    paths = thishost.paths_from(arguments)
    with thishost.open_host(paths) as (host, vault):
        found = plan(host, resolved, vault=vault, paths=paths)
        tell_of_trials(host, paths, resolved)
    return _tell(found, arguments)


def _save(arguments: argparse.Namespace, resolved: "ResolvedHost") -> int:
    from applier.saved.make import draft  # noqa: PLC0415 - as above
    from wormhole import __version__, thishost  # noqa: PLC0415
    from wormhole.console import err  # noqa: PLC0415
    from wormhole.files.savedfile import refuse_place, store_saved  # noqa: PLC0415
    from wormhole.remarks import show_path  # noqa: PLC0415
    from wormhole.trial import tell_of_trials  # noqa: PLC0415

    refuse_place(arguments.out)
    thishost.require_root()
    paths = thishost.paths_from(arguments)
    with thishost.open_host(paths) as (host, vault):
        drafted = draft(
            host,
            resolved,
            vault=vault,
            paths=paths,
            version=__version__,
            allow_mass_delete=arguments.allow_mass_delete,
        )
        if not drafted.refused:
            store_saved(arguments.out, drafted.saved, vault)
        tell_of_trials(host, paths, resolved)
    code = _tell(drafted.saved.plan, arguments)
    if drafted.refused:
        err(f"wormhole: {drafted.refused}: nothing was saved; --allow-mass-delete allows it")
        return Exit.REFUSED
    err(f"saved to {show_path(arguments.out)}: wormhole apply {show_path(arguments.out)}")
    return code


def _tell(found: "Plan", arguments: argparse.Namespace) -> int:
    from wormhole.reporting import print_document, print_plan  # noqa: PLC0415 - for the host's commands

    if arguments.json:
        print_document(found)
    else:
        print_plan(found, arguments)
    if found.conflicts:
        return Exit.CONFLICT
    return Exit.CHANGES if found.changes else Exit.OK
