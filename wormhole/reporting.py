"""Print what the host's commands found and did: plan, troubles, last line."""

import argparse
import sys

from applier.outcome import Outcome
from applier.plan import Plan
from schemas.document import dump
from schemas.state import Value
from wormhole.console import choose_paint, err, out, out_json, progress
from wormhole.views.outcome import describe_troubles, summarise_outcome
from wormhole.views.plan import describe_changes, summarise_plan


def print_document(value: Value) -> None:
    """Print a document as it would be stored."""
    out_json(dump(value).decode())


def print_plan(plan: Plan, arguments: argparse.Namespace, *, title: str = "") -> None:
    """Print a plan's changes and its last line."""
    paint = choose_paint(arguments.color, sys.stdout)
    if plan.changes:
        out(describe_changes(plan, title=title, paint=paint, verbose=arguments.verbose) + "\n")
    out(summarise_plan(plan))
    sys.stdout.flush()  # an apply that follows may take its time


def print_outcome(
    outcome: Outcome, arguments: argparse.Namespace, *, verb: str, converged: str
) -> None:
    """Print what went wrong, if anything did, and the last line."""
    progress("")
    paint = choose_paint(arguments.color, sys.stderr)
    if troubles := describe_troubles(outcome, paint, verbose=arguments.verbose):
        err(troubles)
    out(summarise_outcome(outcome, verb=verb, converged=converged))
