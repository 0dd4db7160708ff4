"""One turn of the loop: ask what is wanted, make the host so, and say what came of it."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from applier.converge import converge
from applier.errors import HostError, Locked, Unconfirmed, Unobservable, Unsupported
from applier.host import Host
from applier.keys import load_key
from applier.memory import load_applied
from applier.outcome import Outcome
from applier.paths import Paths
from applier.pending.note import load_note, load_reverted
from applier.pending.settle import settle
from applier.pending.verdict import Moment
from applier.plan import Plan
from applier.recall import recall
from applier.status import Status, status_after
from applier.vault import Vault
from applier.view import View
from schemas.document import digest
from schemas.problems import Problems
from schemas.state import ResolvedHost
from schemas.values import PublicKey
from wormhole import thishost
from wormhole.agent.desired import Cause, Desired, Source
from wormhole.agent.turns.pace import Fights
from wormhole.agent.turns.turn import Hindrance, SourceKind, Turn
from wormhole.views.trial import say_reverted

_LOG: Final = logging.getLogger("wormhole.agent")

SHORTEST_CONSENT: Final = 12
"""Hex digits of a digest that name it well enough to allow what it would remove."""

_ON_TRIAL: Final = (
    "a change that an operator made is on trial: this host waits until it is confirmed or taken"
    " back ('wormhole status' says how long)"
)

Facts = dict[str, Any]
"""What is known of a turn so far, by the fields of :class:`~wormhole.agent.turns.turn.Turn`."""


@dataclass(frozen=True, kw_only=True)
class Doors:
    """The ways to a host: this machine's, or a test's."""

    open_host: Callable[[Paths], AbstractContextManager[tuple[Host, Vault]]]
    hold_lock: Callable[[Paths], AbstractContextManager[None]]
    read_moment: Callable[[Paths], Moment] = thishost.read_moment


class TurnTaker:
    """Takes turns on this machine. What a host, a document or a person got wrong is in the turn."""

    def __init__(  # noqa: PLR0913 - what a turn is made of; all but two go by name
        self,
        node: str,
        source: Source,
        *,
        source_kind: SourceKind,
        paths: Paths,
        fights: Fights,
        tell_fight: Callable[[float], str],
        tell_api: Callable[[], Facts] = dict,
        doors: Doors | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take who tells what: who undoes us at a moment, and how it stands with the API."""
        self._node = node
        self._source = source
        self._source_kind = source_kind
        self._paths = paths
        self._fights = fights
        self._tell_fight = tell_fight
        self._tell_api = tell_api
        self._doors = doors or Doors(open_host=thishost.open_host, hold_lock=thishost.hold_lock)
        self._monotonic = monotonic
        self._number = 0

    def take(self, causes: tuple[Cause, ...]) -> tuple[Turn, float | None]:
        """Take one turn; return it, and until when what is contested has been put off."""
        self._number += 1
        begin = self._monotonic()
        until = None
        facts: Facts = {
            "number": self._number,
            "causes": causes,
            "started": time.time(),
            "host": self._node,
            "source_kind": self._source_kind,
            "desired": Desired(),
        }
        try:
            self._try(facts)
        except _HeldError as held:
            until = held.until
            facts |= _hinder(Hindrance.HELD_BACK, "each repair is being undone: it waits")
        except _NoKeyError as error:
            facts |= _hinder(Hindrance.NO_KEY, str(error))
        except Unconfirmed:
            facts |= _hinder(Hindrance.ON_TRIAL, _ON_TRIAL)
        except (HostError, Problems) as error:
            facts |= _hinder(_classify(error), str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one turn must not end the others
            _LOG.debug("a bug in turn %d", self._number, exc_info=error)
            facts |= _hinder(Hindrance.BUG, f"{type(error).__name__}: {error}")
        end = self._monotonic()
        facts |= self._tell_api()
        return Turn(**facts, seconds=end - begin, fight=self._tell_fight(end)), until

    def _try(self, facts: Facts) -> None:
        """Fill in what becomes known, as it becomes known: an error ends it anywhere."""
        with ExitStack() as stack:
            try:
                host, vault = stack.enter_context(self._doors.open_host(self._paths))
                key = load_key(host, self._paths)[0]
            except Problems as error:
                raise _NoKeyError(str(error)) from error
            self._settle(host, vault)
            applied = load_applied(host, self._paths)
            facts["desired"] = desired = self._source.desired(key, applied)
            facts["withheld"] = _say_withheld(host, self._paths, desired.resolved)
            facts["from_memory"] = desired.resolved is None or bool(facts["withheld"])
            former = self._recall(host, applied, key) if facts["from_memory"] else None
            facts["resolved"] = resolved = former if facts["from_memory"] else desired.resolved
            if resolved is None:
                facts |= _say_why_nothing(desired, facts["withheld"])
                return
            with self._doors.hold_lock(self._paths):
                self._settle(host, vault, locked=True)
                outcome = self._converge(host, vault, desired, resolved, keep_key=bool(former))
                facts["outcome"] = outcome
            facts["status"] = _look(host, resolved, outcome)

    def _recall(
        self, host: Host, applied: ResolvedHost | None, key: PublicKey
    ) -> ResolvedHost | None:
        """Return the last good documents, for a key that was rotated since, too.

        But not another host's, as in the image of a disk: that one had another key as well.
        """
        if applied is None or applied.host.wireguard.public_key == key:
            return applied
        return recall(applied, key, View(host)) if applied.host.name == self._node else None

    def _settle(self, host: Host, vault: Vault, *, locked: bool = False) -> None:
        """Take back what was left on trial; raise Unconfirmed for what has its time."""
        if load_note(host, self._paths) is None:
            return
        with nullcontext() if locked else self._doors.hold_lock(self._paths):
            moment = self._doors.read_moment(self._paths)
            reverted = settle(host, vault=vault, paths=self._paths, moment=moment)
        if reverted is not None:
            _LOG.warning("%s", say_reverted(reverted))

    def _converge(
        self,
        host: Host,
        vault: Vault,
        desired: Desired,
        resolved: ResolvedHost,
        *,
        keep_key: bool,
    ) -> Outcome:
        outcome = converge(
            host,
            resolved,
            vault=vault,
            paths=self._paths,
            allow_mass_delete=_is_allowed(desired, resolved),
            spare_on_refusal=True,
            keep_key=keep_key,
            expected_to_leave=desired.departed,
            announce=self._judge,
        )
        self._fights.note(outcome.done, self._monotonic())
        return outcome

    def _judge(self, plan: Plan) -> None:
        """Stop a plan that would only fight on, before it begins."""
        until = self._fights.hold(plan.changes, self._monotonic())
        if until is not None:
            raise _HeldError(until)


class _NoKeyError(Exception):
    pass


class _HeldError(Exception):
    def __init__(self, until: float) -> None:
        super().__init__(f"until {until}")
        self.until = until


def _hinder(hindrance: Hindrance, error: str) -> Facts:
    return {"hindrance": hindrance, "error": error}


def _classify(error: HostError | Problems) -> Hindrance:
    match error:
        case Locked():
            return Hindrance.LOCKED
        case Unobservable():
            return Hindrance.UNOBSERVABLE
        case Unsupported():
            return Hindrance.UNSUPPORTED
        case Problems():
            return Hindrance.UNFIT_DOCUMENTS
        case HostError():
            return Hindrance.HOST_ERROR


def _look(host: Host, resolved: ResolvedHost, outcome: Outcome) -> Status | None:
    """Return the peers' state. If it cannot be read now, the next turn's plan will say so."""
    try:
        return status_after(host, resolved, outcome.left)
    except HostError:
        return None


def _is_allowed(desired: Desired, resolved: ResolvedHost) -> bool:
    consent = desired.allow_mass_delete
    return len(consent) >= SHORTEST_CONSENT and digest(resolved).startswith(consent)


def _say_withheld(host: Host, paths: Paths, resolved: ResolvedHost | None) -> str:
    """Say why these documents are not tried; empty when they may be."""
    reverted = load_reverted(host, paths)
    if reverted is None or resolved is None or digest(resolved) != reverted.digest:
        return ""
    return f"{say_reverted(reverted)}; it is not tried again until it changes"


def _say_why_nothing(desired: Desired, withheld: str) -> Facts:
    if withheld:
        return _hinder(Hindrance.NOT_CONFIRMED, withheld)
    if desired.problems:
        return _hinder(Hindrance.NO_DOCUMENTS, "; ".join(map(str, desired.problems)))
    waiting = desired.waiting_for or "documents"
    reason = f"there is nothing to converge to yet: waiting for {waiting}"
    return _hinder(Hindrance.NO_DOCUMENTS, reason)
