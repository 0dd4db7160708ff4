"""What ``apply`` was given, a state folder or a saved plan, to what it makes of the host."""

import argparse
import sys
from typing import Protocol

from applier.converge import Trial, converge
from applier.host import Host
from applier.outcome import Announce, Outcome, Progress
from applier.paths import Paths
from applier.saved.carry import Opened, apply_saved
from applier.saved.stale import Stale
from applier.vault import Vault
from schemas.problems import Problems
from schemas.state import ResolvedHost
from wormhole.console import choose_paint, out
from wormhole.files.folder import names_file
from wormhole.files.savedfile import open_saved
from wormhole.files.statefolder import read_resolved
from wormhole.views.saved import describe_stale, summarise_stale


class Goal(Protocol):
    """A desired state, and the way to it."""

    resolved: ResolvedHost

    def converge(  # noqa: PLR0913 - all but one go by name
        self,
        host: Host,
        *,
        vault: Vault,
        paths: Paths,
        announce: Announce,
        progress: Progress,
        trial: Trial | None = None,
    ) -> Outcome:
        """Do as :func:`applier.converge.converge` does; the caller holds the host's lock."""


def read_goal(arguments: argparse.Namespace) -> Goal:
    """Read what the command line names.

    Raises:
        Problems: it cannot be used, or the options do not go with it.

    """
    if not names_file(arguments.state):
        resolved = read_resolved(arguments.state, arguments.host)
        return _State(resolved, allow_mass_delete=arguments.allow_mass_delete)
    if arguments.allow_mass_delete:
        rule = "goes with planning: what a saved plan may remove was said when it was made"
        raise Problems.one(rule, path="--allow-mass-delete")
    opened = open_saved(arguments.state)
    planned = opened.saved.plan.host
    if arguments.host not in {None, planned}:
        rule = f"the saved plan is for {planned!r}"
        raise Problems.one(rule, path="--host", value=arguments.host)
    return _Saved(opened, arguments)


class _State:
    """A host's part of a state folder."""

    def __init__(self, resolved: ResolvedHost, *, allow_mass_delete: bool) -> None:
        self.resolved = resolved
        self._allow_mass_delete = allow_mass_delete

    def converge(  # noqa: PLR0913 - as the protocol has it
        self,
        host: Host,
        *,
        vault: Vault,
        paths: Paths,
        announce: Announce,
        progress: Progress,
        trial: Trial | None = None,
    ) -> Outcome:
        return converge(
            host,
            self.resolved,
            vault=vault,
            paths=paths,
            allow_mass_delete=self._allow_mass_delete,
            announce=announce,
            progress=progress,
            trial=trial,
        )


class _Saved:
    """A saved plan. One that does not fit is told of, and refused."""

    def __init__(self, opened: Opened, arguments: argparse.Namespace) -> None:
        self.resolved = opened.saved.desired
        self._opened = opened
        self._arguments = arguments

    def converge(  # noqa: PLR0913 - as the protocol has it
        self,
        host: Host,
        *,
        vault: Vault,
        paths: Paths,
        announce: Announce,
        progress: Progress,
        trial: Trial | None = None,
    ) -> Outcome:
        try:
            return apply_saved(
                host,
                self._opened,
                vault=vault,
                paths=paths,
                announce=announce,
                progress=progress,
                trial=trial,
            )
        except Stale as stale:
            paint = choose_paint(self._arguments.color, sys.stdout)
            out(describe_stale(stale, paint=paint, verbose=self._arguments.verbose) + "\n")
            return Outcome(plan=stale.plan, left=stale.plan, refused=summarise_stale(stale))
