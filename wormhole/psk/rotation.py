"""A rotation, step by step: no step begins before the one before it is seen to be done everywhere.

What has been done is in the cluster and nowhere else (the Secret's entries and its note, the
Mesh, the nodes' reports), so a rotation that was interrupted goes on with the next run.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Final

from schemas.problems import Problem, Problems
from wormhole.cluster.api import MERGE_PATCH, MESHES, PSK_SECRET, Api
from wormhole.cluster.errors import ApiError
from wormhole.psk.patience import Patience
from wormhole.psk.store import beginning, change_secret, ending
from wormhole.psk.survey import Survey, look
from wormhole.psk.target import Target, Way, Wishes
from wormhole.psk.words import say_all

_MANAGER: Final = {"fieldManager": "wormhole-psk"}
_TRIES: Final = 8


class Stage(Enum):
    """How far it came: what is true if it ends here."""

    UNTOUCHED = "nothing was changed"
    ADDED = "nodes fetch the new master; the mesh goes on with what it used before"
    SWITCHED = "the Mesh says the new epoch; the older masters are kept until all nodes use it"
    DONE = "the rotation has ended"


class Rotation:
    """One rotation under way. ``stage`` says what is true of the cluster at any moment."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        wishes: Wishes,
        patience: Patience,
        say: Callable[[str], None],
    ) -> None:
        self.stage = Stage.UNTOUCHED
        self._api = api
        self._namespace = namespace
        self._wishes = wishes
        self._patience = patience
        self._say = say

    def run(self, target: Target) -> None:
        """Take every step that is left.

        Raises:
            OverdueError: nodes did not get on in time.
            Problems: somebody else changed the Mesh or the Secret meanwhile.
            ApiError: the server refused.

        """
        if target.way is not Way.SWITCHED:
            self._add(target)
            self._await_holders(target)
            if not self._switch(target):
                return
        self.stage = Stage.SWITCHED
        self._await_users(target)
        self._remove(target)
        self.stage = Stage.DONE

    def _add(self, target: Target) -> None:
        change = beginning(self._namespace, target.epoch, fresh=self._wishes.fresh)
        change_secret(self._api, self._namespace, change)
        self.stage = Stage.ADDED
        done = "added" if target.way is Way.NEW else "is there"
        self._say(f"1/5  Secret {self._namespace}/{PSK_SECRET}: entry {target.epoch} {done}")

    def _await_holders(self, target: Target) -> None:
        survey = self._patience.wait(
            f"hold {target.epoch}",
            lambda report: target.epoch in report.held,
            partial(_check_before, target=target),
        )
        self._say(f"2/5  {say_all(survey.reports, self._wishes.without, 'hold')} {target.epoch}")

    def _switch(self, target: Target) -> bool:
        """Let the Mesh say the new epoch; return whether it does, now or already."""
        for left in reversed(range(_TRIES)):
            survey = look(self._api, self._namespace)
            _check_before(survey, target)
            if survey.epoch != target.epoch and self._wishes.switch is False:
                self._say(_ask_for_switch(survey, target))
                return False
            try:
                if survey.epoch != target.epoch:
                    self._patch_mesh(survey, target)
            except ApiError as error:
                if not (error.conflict and left):
                    raise
                continue
            before = f"{target.origin} -> " if target.origin else ""
            self._say(f"3/5  Mesh/{survey.mesh}: presharedKeyEpoch {before}{target.epoch}")
            return True
        raise AssertionError("the last try returns or raises")

    def _patch_mesh(self, survey: Survey, target: Target) -> None:
        """Change the Mesh that was looked at, and no later one."""
        metadata = {"resourceVersion": survey.version}
        body = {"metadata": metadata, "spec": {"presharedKeyEpoch": target.epoch}}
        self._api.patch(f"{MESHES}/{survey.mesh}", body, MERGE_PATCH, _MANAGER)

    def _await_users(self, target: Target) -> None:
        survey = self._patience.wait(
            f"use {target.epoch}",
            lambda report: report.in_use == target.epoch,
            partial(_check_after, target=target),
        )
        self._say(f"4/5  {say_all(survey.reports, self._wishes.without, 'use')} {target.epoch}")

    def _remove(self, target: Target) -> None:
        """Remove all entries but the new one, and those that a node still says it uses."""
        survey = look(self._api, self._namespace)
        _check_after(survey, target)
        why = {report.in_use: f"{report.node} uses it" for report in survey.reports}
        why[survey.rotating_to] = "a rotation to it began meanwhile"
        old = {*survey.entries, *survey.damaged} - {target.epoch}
        gone, kept = sorted(old - why.keys()), sorted(old & why.keys())
        change_secret(self._api, self._namespace, ending(target.epoch, gone))
        stays = "".join(f"; {epoch} stays, as {why[epoch]}" for epoch in kept)
        self._say(f"5/5  entries removed: {', '.join(gone) or 'none'}{stays}")


def _ask_for_switch(survey: Survey, target: Target) -> str:
    return (
        f"3/5  not changed here (--no-switch). In git, in Mesh/{survey.mesh}:\n"
        "       spec:\n"
        f'         presharedKeyEpoch: "{target.epoch}"\n'
        "     Once the cluster has that, the rest of the rotation follows with the next run."
    )


def _check_before(survey: Survey, target: Target) -> None:
    if target.epoch not in survey.entries:
        rule = "was removed from the Secret, or damaged, by somebody else meanwhile"
        raise Problems([Problem(object="entry", value=target.epoch, rule=rule)])
    _check_mesh(survey, {target.origin, target.epoch})


def _check_after(survey: Survey, target: Target) -> None:
    _check_mesh(survey, {target.epoch})


def _check_mesh(survey: Survey, expected: set[str]) -> None:
    if survey.epoch not in expected:
        rule = "was changed by somebody else meanwhile, and the rotation ends here"
        mesh, path = f"Mesh/{survey.mesh}", "spec.presharedKeyEpoch"
        value = survey.epoch or "absent"
        raise Problems([Problem(object=mesh, path=path, value=value, rule=rule)])
