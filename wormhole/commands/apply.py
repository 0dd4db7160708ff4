"""``wormhole apply``: this host becomes what its document says."""

import argparse
from typing import Final

from wormhole.exit import Exit
from wormhole.options import add_host_folders, add_state_or_plan, add_trial

SUMMARY: Final = "Make this host what its document says; verify it, or put it back."
DESCRIPTION: Final = (
    "Plan, carry the plan out, and plan again: the second plan must be empty. When a change fails,"
    " what does not depend on it goes on; then everything that was ours is put back as it was."
    " A second apply finds nothing to do and writes nothing. What is not marked as Wormhole's is"
    " never touched; where it is in the way, that is a conflict (exit code 4). Given a saved plan"
    " in place of a state folder, do exactly what it says; or nothing, if anything that it was made"
    " from has changed (exit code 5)."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_state_or_plan(parser)
    add_host_folders(parser)
    parser.add_argument(
        "--allow-mass-delete",
        action="store_true",
        help="Allow a plan that removes more than a fifth of what is Wormhole's here.",
    )
    add_trial(parser)


def run(arguments: argparse.Namespace) -> int:
    """Converge under the lock, and say what came of it."""
    from wormhole import thishost  # noqa: PLC0415 - the applier is for the host's commands
    from wormhole.goal import read_goal  # noqa: PLC0415
    from wormhole.reporting import print_outcome, print_plan  # noqa: PLC0415
    from wormhole.trial import open_trial, prepare, say_how_to_keep  # noqa: PLC0415
    from wormhole.views.outcome import exit_of, show_progress  # noqa: PLC0415
    from wormhole.views.plan import shorten_digest  # noqa: PLC0415

    goal = read_goal(arguments)
    thishost.require_root()
    paths = thishost.paths_from(arguments)
    with thishost.open_host(paths) as (host, vault), thishost.hold_lock(paths):
        code = prepare(host, vault, paths, goal.resolved, arguments)
        if code is not None:
            return code
        trial = open_trial(host, vault, paths, goal.resolved, arguments.confirm)
        outcome = goal.converge(
            host,
            vault=vault,
            paths=paths,
            announce=lambda planned: print_plan(planned, arguments),
            progress=show_progress,
            trial=trial,
        )
        if trial is not None:
            trial.end(outcome)
    if outcome.plan.changes or outcome.refused:
        digest = shorten_digest(outcome.plan.digest)
        converged = f"{outcome.plan.host} matches its desired state {digest}"
        print_outcome(outcome, arguments, verb="Applied", converged=converged)
    if trial is not None and trial.note is not None and not say_how_to_keep(trial.note, paths):
        return Exit.REVERTED
    return exit_of(outcome)
