"""``wormhole destroy``: this host becomes as it was before Wormhole."""

import argparse
from typing import TYPE_CHECKING, Final

from wormhole.console import out
from wormhole.exit import Exit
from wormhole.options import add_host_folders

if TYPE_CHECKING:
    from applier.plan import Plan

SUMMARY: Final = "Remove all that is Wormhole's from this host, and nothing else."
DESCRIPTION: Final = (
    "Remove every device, route, rule, chain and file that carries Wormhole's mark, and put sysctls"
    " back as they were. Needs no state folder: the marks say what is whose. Keys stay, unless"
    " --purge is given. Refuses while an agent keeps this host, which would put all of it back."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "--host",
        metavar="NODE",
        help="Refuse unless this machine was applied as this node: a guard against the wrong"
        " terminal.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only list what would go; exit code as plan's."
    )
    parser.add_argument(
        "--purge",
        action="store_true",
        help="Remove the keys too; the node then needs a new MeshNode to come back.",
    )
    add_host_folders(parser)


def run(arguments: argparse.Namespace) -> int:
    """List what goes, remove it under the lock, and say what came of it."""
    from applier.destroy import destroy, plan_destroy  # noqa: PLC0415 - for the host's commands
    from wormhole import thishost  # noqa: PLC0415
    from wormhole.reporting import print_outcome  # noqa: PLC0415
    from wormhole.trial import refuse_trial  # noqa: PLC0415
    from wormhole.views.outcome import exit_of, show_progress  # noqa: PLC0415

    thishost.require_root()
    paths = thishost.paths_from(arguments)
    if arguments.dry_run:
        with thishost.open_host_without_key(paths) as host:
            found = plan_destroy(host, paths=paths)
        _check_and_show(found, arguments)
        return Exit.CHANGES if found.changes else Exit.OK
    with (
        thishost.open_host_without_key(paths) as host,
        thishost.hold_agent_lock(paths),
        thishost.hold_lock(paths),
    ):
        refuse_trial(host, paths)
        outcome = destroy(
            host,
            paths=paths,
            purge=arguments.purge,
            announce=lambda planned: _check_and_show(planned, arguments),
            progress=show_progress,
        )
    if outcome.plan.changes or outcome.trouble or arguments.purge:
        keys = "its keys are removed" if arguments.purge else "its keys stay"
        converged = f"nothing of Wormhole's is left; {keys}"
        print_outcome(outcome, arguments, verb="Destroyed", converged=converged)
    return exit_of(outcome)


def _check_and_show(found: "Plan", arguments: argparse.Namespace) -> None:
    """List what goes, unless this is not the machine that was meant."""
    from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec, which --version does without
    from wormhole.reporting import print_plan  # noqa: PLC0415

    goes = bool(found.changes) or arguments.purge
    if goes and arguments.host not in (None, found.host):
        known = f"was applied as {found.host!r}" if found.host else "does not know its node's name"
        rule = f"this machine {known}: nothing was removed"
        raise Problems.one(rule, path="--host", value=arguments.host)
    if found.changes:
        title = f"Destroy on {found.host or 'this host'}: what carries Wormhole's mark goes"
        print_plan(found, arguments, title=title)
    else:
        out("No changes: nothing of Wormhole's is on this host.")
