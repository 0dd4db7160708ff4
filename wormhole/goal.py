"""Read what ``apply`` was given: a desired state, and the way there."""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from applier.converge import converge
from applier.host import Host
from applier.outcome import Outcome
from applier.saved.carry import Opened, apply_saved
from applier.saved.stale import Stale
from schemas.problems import Problems
from schemas.state import ResolvedHost
from wormhole.console import choose_paint, out
from wormhole.files.folder import names_file
from wormhole.files.savedfile import open_saved
from wormhole.files.statefolder import read_resolved
from wormhole.views.saved import describe_stale, summarise_stale


class Goal(NamedTuple):
    """A desired state, and the way to it."""

    resolved: ResolvedHost
    converge: Callable[..., Outcome]
    """Takes the host, and by name all that :func:`applier.converge.converge` takes beside it."""


def read_goal(arguments: argparse.Namespace) -> Goal:
    """Read what the command line names.

    Raises:
        Problems: it cannot be used, or the options do not go with it.

    """
    if not names_file(arguments.state):
        resolved = read_resolved(arguments.state, arguments.host)
        allowed = arguments.allow_mass_delete
        return Goal(resolved, partial(converge, resolved=resolved, allow_mass_delete=allowed))
    if arguments.allow_mass_delete:
        rule = "goes with planning: what a saved plan may remove was said when it was made"
        raise Problems.one(rule, path="--allow-mass-delete")
    opened = open_saved(arguments.state)
    planned = opened.saved.plan.host
    if arguments.host not in {None, planned}:
        rule = f"the saved plan is for {planned!r}"
        raise Problems.one(rule, path="--host", value=arguments.host)
    return Goal(opened.saved.desired, partial(_apply, opened, arguments))


def _apply(
    opened: Opened,
    arguments: argparse.Namespace,
    host: Host,
    **how: Any,  # noqa: ANN401 - what apply_saved takes by name
) -> Outcome:
    """Apply a saved plan. One that does not fit is told of, and refused."""
    try:
        return apply_saved(host, opened, **how)
    except Stale as stale:
        paint = choose_paint(arguments.color, sys.stdout)
        out(describe_stale(stale, paint=paint, verbose=arguments.verbose) + "\n")
        return Outcome(plan=stale.plan, left=stale.plan, refused=summarise_stale(stale))
