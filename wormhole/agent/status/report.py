"""A turn to the status of the host's MeshNode (``schemas/meshnode.schema.json``). Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from applier.kinds.wireguard import ROAMING
from applier.outcome import Result
from applier.plan import Action, Change
from applier.status import Status
from schemas.document import digest
from schemas.problems import Problem
from schemas.state import Value
from wormhole.agent.turns.trouble import blur, describe_conflicts, find_conflicts, find_troubles
from wormhole.agent.turns.turn import Hindrance, Turn
from wormhole.agent.wording import clip, spell_time
from wormhole.cluster.api import Object

_LEFT_OUT: Final = 10
"""How many objects are named: a status is copied to every watcher at each write."""
_HELD: Final = 64
"""How many epochs are named; with more, the API server would refuse the whole status."""
_NAME: Final = 320
"""Bytes of an object's ``Kind/name``; the schema says so too."""
_KEYED: Final = frozenset({"wireguard", "peer", "link"})
"""Kinds whose objects must be in place for the pre-shared keys to be in use."""
_KEPT_OUT: Final = frozenset({Hindrance.LOCKED, Hindrance.ON_TRIAL})
"""Others have this host at the moment, so that nothing was looked at."""
_AS_DESIRED: Final = "the host is as desired"


class _Condition(Value, frozen=True, kw_only=True):
    """A ``metav1.Condition`` before it is known since when it is so."""

    type: str
    status: str
    reason: str
    message: str


def make_report(turn: Turn, previous: Mapping[str, Any], version: str) -> Object:
    """Return what ``MeshNode.status`` should be after a turn.

    ``previous`` is the last report, or at the start what the API has: conditions keep since when
    they are so, and what this turn could not learn stays. Absent fields mean "none".
    """
    report = {
        "conditions": _make_conditions(turn, previous),
        "desiredDigest": _find_digest(turn, previous),
        **_count_peers(turn.status, previous),
        "presharedKeyEpoch": _find_epoch(turn, previous),
        "heldPresharedKeyEpochs": list(turn.held_epochs[:_HELD]),
        "lastChange": _find_last_change(turn, previous),
        "leftOut": _list_left_out((*turn.desired.left_out, *turn.desired.endpoints_left_out)),
        "version": clip(version, 64),
    }
    return {name: value for name, value in report.items() if value not in (None, "", [])}


def is_ready(turn: Turn, before: bool) -> bool:  # noqa: FBT001 - the answer to the same question before
    """Whether the last verify was good. A turn that another applier kept out verified nothing."""
    return before if turn.hindrance in _KEPT_OUT else turn.verified


def count_connected(status: Status) -> int:
    """Return how many peers have shaken hands within the last 275 seconds.

    A session whose handshake is older than 180 s is not used any more, and WireGuard needs up to
    95 s to give up on a new one (REJECT_AFTER_TIME, REKEY_ATTEMPT_TIME plus REKEY_TIMEOUT).
    """
    ages = (peer.handshake_age for peer in status.peers)
    return sum(age is not None and age < ROAMING for age in ages)


def _make_conditions(turn: Turn, previous: Mapping[str, Any]) -> list[Object]:
    old = {condition["type"]: condition for condition in previous.get("conditions", ())}
    found = (_judge_ready(turn, old.get("Ready")), _judge_degraded(turn), _judge_conflict(turn))
    return [
        old[condition.type]
        if condition.status == "" and condition.type in old
        else _date(condition, old.get(condition.type), turn)
        for condition in found
    ]


def _date(condition: _Condition, old: Object | None, turn: Turn) -> Object:
    """Say since when: ``lastTransitionTime`` is when ``status`` changed, not when it was seen."""
    status = condition.status or "Unknown"
    dated = {
        "type": condition.type,
        "status": status,
        "reason": condition.reason,
        "message": condition.message,
        "lastTransitionTime": spell_time(turn.ended),
    }
    generation = {"observedGeneration": turn.generation} if turn.generation else {}
    return dated | _keep_time(dated, old) | _keep_words(dated, old) | generation


def _keep_words(condition: Object, old: Mapping[str, Any] | None) -> Object:
    """Keep a sentence that differs only in numbers: it is no news, and each write costs the API."""
    words = (old or {}).get("message")
    same = isinstance(words, str) and blur(words) == blur(condition["message"])
    return {"message": words} if same else {}


def _keep_time(condition: Object, old: Mapping[str, Any] | None) -> Object:
    same = old is not None and old.get("status") == condition["status"]
    time = (old or {}).get("lastTransitionTime") if same else None
    return {"lastTransitionTime": time} if time else {}


def _judge_ready(turn: Turn, old: Object | None) -> _Condition:
    """Judge by the last verify: True only when planning again found nothing at all."""
    if turn.verified:
        reason, message = "Converged", _AS_DESIRED
        if turn.from_memory:
            reason, message = "LastGoodDocuments", "the host is as its last good documents say"
        return _Condition(type="Ready", status="True", reason=reason, message=message)
    troubles = find_troubles(turn)
    if troubles:
        reason, message = troubles[0].reason, troubles[0].message
    else:
        reason, message = "Conflict", describe_conflicts(find_conflicts(turn))
    if turn.hindrance in _KEPT_OUT and old is not None:
        status = ""  # nothing was looked at: what was last known stays
    else:
        unknown = turn.hindrance in {Hindrance.UNOBSERVABLE, Hindrance.BUG, *_KEPT_OUT}
        status = "Unknown" if unknown else "False"
    return _Condition(type="Ready", status=status, reason=reason, message=message)


def _judge_degraded(turn: Turn) -> _Condition:
    troubles = find_troubles(turn)
    if not troubles:
        return _Condition(
            type="Degraded", status="False", reason="AsExpected", message="nothing is amiss"
        )
    message = clip("; ".join(trouble.message for trouble in troubles))
    return _Condition(type="Degraded", status="True", reason=troubles[0].reason, message=message)


def _judge_conflict(turn: Turn) -> _Condition:
    if turn.outcome is None:
        message = "the host could not be compared with its desired state"
        return _Condition(type="Conflict", status="", reason="NotCompared", message=message)
    if conflicts := find_conflicts(turn):
        message = describe_conflicts(conflicts)
        return _Condition(type="Conflict", status="True", reason="ForeignObject", message=message)
    message = "nothing foreign is in the way"
    return _Condition(type="Conflict", status="False", reason="NoConflict", message=message)


def _find_digest(turn: Turn, previous: Mapping[str, Any]) -> str | None:
    if turn.outcome is not None:
        return turn.outcome.plan.digest
    if turn.resolved is not None:
        return digest(turn.resolved)
    return previous.get("desiredDigest")


def _count_peers(status: Status | None, previous: Mapping[str, Any]) -> Object:
    if status is None:
        return {name: previous.get(name) for name in ("peers", "connectedPeers")}
    return {"peers": len(status.peers), "connectedPeers": count_connected(status)}


def _find_epoch(turn: Turn, previous: Mapping[str, Any]) -> str | None:
    """Return the epoch in use: the wanted one, once every peer has its key.

    Rotation removes a master when nobody reports its epoch, so what is not certain stays as it was.
    """
    outcome = turn.outcome
    if turn.resolved is None or outcome is None or outcome.result is Result.REFUSED:
        return previous.get("presharedKeyEpoch")
    if outcome.reverted is not None or any(map(_concerns_keys, outcome.left.changes)):
        return previous.get("presharedKeyEpoch")
    return turn.resolved.host.wireguard.preshared_key_epoch


def _concerns_keys(change: Change) -> bool:
    return change.kind in _KEYED and change.action is not Action.DELETE


def _find_last_change(turn: Turn, previous: Mapping[str, Any]) -> str | None:
    changed = turn.outcome is not None and bool(turn.outcome.done)
    return spell_time(turn.ended) if changed else previous.get("lastChange")


def _list_left_out(problems: Iterable[Problem]) -> list[Object]:
    """Return the first ten objects by name, each once with all that is wrong with it."""
    reasons: dict[str, list[str]] = {}
    for problem in sorted(problems):
        reasons.setdefault(problem.object, []).append(str(replace(problem, object="")))
    first = sorted(reasons.items())[:_LEFT_OUT]
    return [{"name": clip(name, _NAME), "reason": clip("; ".join(why))} for name, why in first]
