"""What the psk command says: pure functions from looks at the cluster to sentences."""

from collections.abc import Sequence
from typing import Final

from schemas.problems import neutralise
from wormhole.psk.survey import Report, Survey
from wormhole.psk.target import Target, Way

_NAMED: Final = 5
"""More nodes than these are counted, unless all are asked for."""


def count_nodes(number: int) -> str:
    """Return ``1 node`` or ``2 nodes``."""
    return f"{number} node{'s'[: number != 1]}"


def say_all(reports: Sequence[Report], without: Sequence[str], verb: str) -> str:
    """Return ``all 6 nodes hold``; ``5 of 6 nodes hold`` when some are not waited for."""
    total = len(reports)
    left_out = sum(report.node in without for report in reports)
    if left_out:
        waited = total - left_out
        return f"{waited} of {count_nodes(total)} {verb}{'s' if waited == 1 else ''}"
    if total == 1:
        return f"the only node {verb}s"
    return f"all {total} nodes {verb}" if total else f"there is no node to {verb}"


def name_some(names: Sequence[str], *, verbose: bool = False) -> str:
    """Return a few names, and how many more there are."""
    shown = list(names) if verbose else names[:_NAMED]
    more = len(names) - len(shown)
    return neutralise(", ".join(shown) + (f" and {more} more" if more else ""))


def describe_start(survey: Survey, target: Target) -> str:
    """Return what is so, and what comes now."""
    nodes = count_nodes(len(survey.reports))
    used = f"uses epoch {survey.epoch}" if survey.epoch else "uses no pre-shared keys yet"
    lines = [f"Mesh/{survey.mesh} {used}, with {nodes}."]
    if strangers := survey.list_strangers(target.epoch):
        names = ", ".join(strangers)
        lines.append(f"Entries that no rotation noted, and that go in the end: {names}.")
    if survey.rotating_to not in {"", survey.epoch, target.epoch}:
        lines.append(
            f"The rotation to {survey.rotating_to}, which the Secret notes, is given up: its entry"
            " goes as well."
        )
    return "\n".join([*lines, _describe_way(target)])


def _describe_way(target: Target) -> str:
    match target.way:
        case Way.NEW:
            return f"Rotating to {target.epoch}."
        case Way.RESUMED:
            return (
                f"Going on with the rotation to {target.epoch}, which the Secret notes: its entry"
                " is there already."
            )
        case Way.SWITCHED:
            return f"Ending the rotation to {target.epoch}: the Mesh uses it already."


def describe_dry_run(survey: Survey, target: Target, namespace: str) -> str:
    """Return what a rotation would do, step by step."""
    before = f"from {target.origin} to " if target.origin else "to "
    old = [epoch for epoch in (*survey.entries, *survey.damaged) if epoch != target.epoch]
    steps = {
        f"add an entry for {target.epoch} to Secret {namespace}/wormhole-psk": (Way.NEW,),
        f"wait until {count_nodes(len(survey.reports))} hold it": (Way.NEW, Way.RESUMED),
        f"change presharedKeyEpoch of Mesh/{survey.mesh} {before}{target.epoch}": (
            Way.NEW,
            Way.RESUMED,
        ),
        f"wait until {count_nodes(len(survey.reports))} use it": tuple(Way),
        f"remove from the Secret: {', '.join(old) or 'nothing'}": tuple(Way),
    }
    lines = [step for step, ways in steps.items() if target.way in ways]
    numbered = [f"  {number}. {neutralise(line)}" for number, line in enumerate(lines, 1)]
    return "\n".join(["It would:", *numbered, "Nothing was changed (--dry-run)."])


def describe_status(survey: Survey, namespace: str, *, verbose: bool) -> str:
    """Return who uses and holds what."""
    used = f"uses epoch {survey.epoch}" if survey.epoch else "uses no pre-shared keys"
    mentioned = {
        epoch for report in survey.reports for epoch in (*report.held, report.in_use) if epoch
    }
    epochs = sorted({*survey.entries, *mentioned, *([survey.epoch] if survey.epoch else ())})
    lines = [
        f"Mesh/{survey.mesh} {used}, with {count_nodes(len(survey.reports))}.",
        *(_describe_epoch(survey, epoch, verbose=verbose) for epoch in epochs),
        *(
            f"  {name}: is no master secret (32 bytes in base64), and no node takes it"
            for name in survey.damaged
        ),
        *_describe_troubles(survey, verbose=verbose),
        *_describe_strangers(survey),
        _describe_rotation(survey, namespace),
    ]
    return "\n".join(neutralise(line) for line in lines)


def _describe_epoch(survey: Survey, epoch: str, *, verbose: bool) -> str:
    total = len(survey.reports)
    using = sum(report.in_use == epoch for report in survey.reports)
    lacking = [report.node for report in survey.reports if epoch not in report.held]
    held = f"held by {total - len(lacking)} of {total}"
    place = "" if epoch in survey.entries else "; not in the Secret"
    names = name_some(lacking, verbose=verbose)
    names = f" (not by {names})" if lacking and epoch in survey.entries else ""
    return f"  {epoch}: used by {using} of {total}, {held}{names}{place}"


def _describe_troubles(survey: Survey, *, verbose: bool) -> list[str]:
    troubles = [f"{report.node} ({report.trouble})" for report in survey.reports if report.trouble]
    return [f"In trouble: {name_some(troubles, verbose=verbose)}."] if troubles else []


def _describe_strangers(survey: Survey) -> list[str]:
    names = ", ".join(survey.list_strangers(survey.rotating_to))
    return [f"Entries that no rotation noted, and that go with the next one: {names}."] * bool(
        names
    )


def _describe_rotation(survey: Survey, namespace: str) -> str:
    if survey.rotating_to:
        return (
            f"A rotation to {survey.rotating_to} is under way:"
            " `wormhole psk rotate` goes on with it."
        )
    if survey.epoch and survey.epoch not in survey.entries:
        return (
            f"The Secret {namespace}/wormhole-psk has no master for {survey.epoch}: an agent puts"
            " one there."
        )
    return "No rotation is under way."
