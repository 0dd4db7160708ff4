"""Turns of the agent's loop for tests: by hand with defaults, and real ones of a fake host."""

from typing import Any

from inventories import make_key
from msgspec.structs import replace
from scenes import Scene, resolve_host

from applier.outcome import Failure, Outcome
from applier.plan import Action, Cause, Change, Plan
from applier.status import PeerStatus, Status, status_after
from compiler.inventory import Inventory
from schemas.values import NodeName
from wormhole.agent.desired import Cause as Wakeup
from wormhole.agent.desired import Desired
from wormhole.agent.turns.turn import Turn

BEGIN = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""
DIGEST = "ab" * 32


def make_change(kind: str = "route", key: str = "10.244.0.0/16", **fields: Any) -> Change:  # noqa: ANN401 - a test names the fields
    """Return a change; drift by default."""
    given = {"action": Action.CREATE, "cause": Cause.DRIFT} | fields
    return Change(kind=kind, key=key, **given)


def make_conflict(key: str = "10-wormhole.conflist", note: str = "it is flannel's") -> Change:
    """Return what a foreign object forbids."""
    return make_change("cni", key, action=Action.CONFLICT, note=note)


def make_plan(*changes: Change) -> Plan:
    """Return a plan of these changes."""
    return Plan(host="node-a", digest=DIGEST, changes=changes)


def make_outcome(*done: Change, left: tuple[Change, ...] = (), **fields: Any) -> Outcome:  # noqa: ANN401 - a test names the fields
    """Return what came of an apply that made these changes and left those."""
    return Outcome(plan=make_plan(*done, *left), done=done, left=make_plan(*left), **fields)


def make_failure(change: Change, reason: str = "operation not supported") -> Failure:
    """Return a change that was not made."""
    return Failure(change=change, reason=reason)


def make_peer(name: str | None = "node-b", age: int | None = 5, **fields: Any) -> PeerStatus:  # noqa: ANN401 - a test names the fields
    """Return a peer as it is seen on the device."""
    given: dict[str, Any] = {
        "public_key": make_key(name or "a stranger"),
        "allowed_ips": (),
        "endpoint": None,
        "configured_endpoint": None,
        "roamed": False,
        "received": 0,
        "sent": 0,
    }
    return PeerStatus(name=NodeName(name) if name else None, handshake_age=age, **given | fields)


def make_status(*peers: PeerStatus) -> Status:
    """Return a status with these peers; of the device nothing is asked."""
    return Status(host="node-a", device=None, peers=peers, drift=None)


def make_turn(at: float = 0.0, **fields: Any) -> Turn:  # noqa: ANN401 - a test names the fields
    """Return a turn that found everything as desired, so many seconds after the beginning."""
    given: dict[str, Any] = {
        "number": 1,
        "causes": (Wakeup.TIMER,),
        "started": BEGIN + at,
        "seconds": 0.0,
        "host": "node-a",
        "source_kind": "cluster",
        "desired": Desired(),
        "outcome": make_outcome(),
    }
    return Turn(**given | fields)


def make_blind_turn(at: float = 0.0, **fields: Any) -> Turn:  # noqa: ANN401 - a test names the fields
    """Return a turn that has no outcome."""
    return make_turn(at, outcome=None, **fields)


def take_real_turn(scene: Scene, **fields: Any) -> Turn:  # noqa: ANN401 - a test names the fields
    """Converge a fake host and return the turn."""
    outcome = scene.converge(allow_mass_delete=False)
    status = status_after(scene.host, scene.resolved, outcome.left)
    return make_turn(resolved=scene.resolved, outcome=outcome, status=status, **fields)


def follow(scene: Scene, inventory: Inventory) -> None:
    """Let another desired state hold from now on."""
    scene.resolved = resolve_host(inventory)


def later(turn: Turn, seconds: float) -> Turn:
    """Return the same turn, taken later."""
    return replace(turn, started=turn.started + seconds, number=turn.number + 1)
