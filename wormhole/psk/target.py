"""One look at the cluster to the epoch that a rotation leads to, and why to that one."""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum

from schemas.problems import Problem, Problems
from schemas.state import Value
from schemas.wording import show, suggest
from wormhole.psk.epochs import RULE, is_epoch, name_epoch
from wormhole.psk.survey import Survey


class Way(StrEnum):
    """How far the rotation is already."""

    NEW = "new"
    """Nothing has been done."""
    RESUMED = "resumed"
    """The entry is there; the Mesh does not use it yet."""
    SWITCHED = "switched"
    """The Mesh uses it; what is left is to wait for the nodes, and to remove older entries."""


class Wishes(Value, frozen=True, kw_only=True):
    """What the operator asks for."""

    epoch: str = ""
    """Empty: what is under way, or else a new one named by the day."""
    fresh: bool = False
    """Do not go on with what is under way: give it up, and begin another rotation."""
    without: tuple[str, ...] = ()
    """Nodes that are not waited for."""
    switch: bool | None = None
    """False: the Mesh is changed elsewhere. None: here, unless it is seen to be kept by git."""
    timeout: float = 300.0
    """Seconds to wait for the nodes, each time."""


class Target(Value, frozen=True, kw_only=True):
    """Where a rotation leads."""

    epoch: str
    way: Way
    origin: str
    """What the Mesh used before; empty: nothing."""


def choose_target(survey: Survey, wishes: Wishes, today: date) -> Target:
    """Return where a rotation leads: on with one that was interrupted, or to a new epoch.

    Interrupted was what the Secret notes, and nothing else: an entry without a note may be from
    anybody who once might write to the Secret, and its master be known to him.

    Raises:
        Problems: what is wished cannot be, or would not be safe.

    """
    under_way = "" if wishes.fresh else survey.rotating_to
    epoch = wishes.epoch or under_way or name_epoch(today, _names_in_use(survey))
    problems = list(_find_problems(survey, wishes, under_way, epoch))
    if problems:
        raise Problems(problems)
    on = Way.SWITCHED if epoch == survey.epoch else Way.RESUMED
    return Target(epoch=epoch, way=on if epoch == under_way else Way.NEW, origin=survey.epoch)


def _names_in_use(survey: Survey) -> set[str]:
    """Return every name that stands for some master somewhere: none of them is new."""
    held = {epoch for report in survey.reports for epoch in (*report.held, report.in_use)}
    return {*survey.entries, *survey.damaged, survey.epoch, *held}


def _find_problems(survey: Survey, wishes: Wishes, under_way: str, epoch: str) -> Iterator[Problem]:
    yield from _judge_epoch(survey, wishes, under_way, epoch)
    nodes = [report.node for report in survey.reports]
    for name in wishes.without:
        if name not in nodes:
            rule = f"there is no MeshNode of this name{suggest(name, nodes)}"
            yield Problem(object="--without", value=show(name), rule=rule)
    if survey.gitops and wishes.switch is None and epoch != survey.epoch:
        rule = (
            f"{survey.gitops} keeps it as git has it, and would take the change back: rotate with"
            " --no-switch and change git when told to; or with --switch if git leaves"
            " presharedKeyEpoch alone"
        )
        yield Problem(object=f"Mesh/{survey.mesh}", rule=rule)


def _judge_epoch(survey: Survey, wishes: Wishes, under_way: str, epoch: str) -> Iterator[Problem]:
    holders = [report for report in survey.reports if epoch in (*report.held, report.in_use)]
    rule = ""
    if not is_epoch(epoch):
        rule = RULE
    elif under_way and epoch != under_way:
        rule = (
            f"a rotation to {under_way} is under way: let it end first, without --epoch, or give"
            " it up with --fresh"
        )
    elif epoch in survey.damaged:
        rule = "its entry in the Secret is no master secret (32 bytes in base64): choose another"
    elif epoch == under_way:
        rule = ""
    elif epoch == survey.epoch:
        rule = "is what the Mesh uses already: choose another"
    elif epoch in survey.entries:
        rule = (
            "has an entry in the Secret already, which this rotation did not make: choose another"
        )
    elif holders:
        rule = f"was used before: {holders[0].node} still holds a master of that name"
    if rule:
        yield Problem(object="--epoch" if wishes.epoch else "", value=show(epoch), rule=rule)
