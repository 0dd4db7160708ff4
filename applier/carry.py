"""A plan to calls on the host's doors: what can be done is done, and all that failed is told."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from applier.errors import HostError
from applier.host import Host
from applier.kind import AnyKind, Need
from applier.kinds import KINDS
from applier.kinds.addresses import ADDRESSES
from applier.kinds.routes import ROUTES
from applier.outcome import Failure, Progress
from applier.plan import Action, Change
from applier.wanted import Scope

_KINDS: Final = {kind.name: kind for kind in KINDS}


def carry_out(
    host: Host, changes: Iterable[Change], scope: Scope, progress: Progress
) -> tuple[tuple[Change, ...], tuple[Failure, ...]]:
    """Make changes in their order; return the ones made, and the ones not made and why.

    What depends on a change that failed is skipped, the rest goes on.
    """
    to_make = tuple(change for change in changes if change.action is not Action.CONFLICT)
    done: list[Change] = []
    failures: list[Failure] = []
    failed: set[Need] = set()
    for kind, batch in _batches(to_make):
        progress(kind.name, len(done) + len(failures), len(to_make))
        ready, skipped = _split(kind, batch, failed)
        errors = kind.apply(host, ready, scope) if ready else {}
        failures += skipped
        failures += [
            Failure(change=change, reason=str(errors[change.key]))
            for change in ready
            if change.key in errors
        ]
        done += [change for change in ready if change.key not in errors]
        for failure in failures:
            failed |= {Need(failure.change.kind), Need(failure.change.kind, failure.change.key)}
    progress("", len(to_make), len(to_make))
    return tuple(done), tuple(failures)


def carry_out_whole(
    host: Host,
    changes: tuple[Change, ...],
    plan: Callable[[], tuple[Change, ...]],
    scope: Scope,
    progress: Progress,
) -> tuple[tuple[Change, ...], tuple[Failure, ...]]:
    """Make changes, and make again the routes that the kernel took along; ``plan`` finds them.

    A device's last IPv4 address takes the IPv4 routes by it: those that stay, and those that
    these very changes have made (``fib_disable_ip``, ``net/ipv4/fib_frontend.c``).
    """
    done, failures = carry_out(host, changes, scope, progress)
    if failures or not any(map(_takes_others, done)):
        return done, failures
    try:
        left = plan()
    except HostError:
        return done, failures  # whoever verifies meets it too, and tells
    lost = [change for change in left if change.kind == ROUTES.name]
    again, failures = carry_out(host, lost, scope, progress)
    told = {(change.kind, change.key) for change in done}
    return (*done, *(each for each in again if (each.kind, each.key) not in told)), failures


def _takes_others(change: Change) -> bool:
    return change.kind == ADDRESSES.name and change.action is Action.DELETE


def _batches(changes: Sequence[Change]) -> Iterator[tuple[AnyKind, tuple[Change, ...]]]:
    """Cut a plan into runs of one kind that all make, or all remove."""
    for (name, _), run in groupby(changes, key=lambda c: (c.kind, c.action is Action.DELETE)):
        yield _KINDS[name], tuple(run)


def _split(
    kind: AnyKind, batch: Sequence[Change], failed: set[Need]
) -> tuple[list[Change], list[Failure]]:
    """Part the changes that can be made from those that wait for one that failed."""
    ready: list[Change] = []
    skipped: list[Failure] = []
    for change in batch:
        missing = sorted(
            f"{need.kind} {need.key or ''}".strip()
            for need in _needs(kind, change)
            if need in failed
        )
        if missing:
            reason = f"waits for {', '.join(missing)}"
            skipped.append(Failure(change=change, reason=reason, skipped=True))
        else:
            ready.append(change)
    return ready, skipped


def _needs(kind: AnyKind, change: Change) -> tuple[Need, ...]:
    if change.action is Action.DELETE:
        return kind.outlives(change.key, change.before)
    return kind.needs(change.key, change.after)
