"""One host's live state to a host without Wormhole: all that is ours goes, and nothing else."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from applier.errors import HostError, Missing, Unsupported
from applier.host import Host
from applier.memory import forget, load_applied, load_attempted
from applier.outcome import Announce, Outcome, Progress, announce_nothing, be_silent
from applier.paths import Paths
from applier.plan import Plan
from applier.situation import Situation, look_around
from applier.transition import carry_through, make_plan
from applier.view import View


def plan_destroy(host: Host, *, paths: Paths) -> Plan:
    """Return what :func:`destroy` would remove; writes nothing.

    Raises:
        Unobservable: live state could not be read whole.
        Unsupported: nobody can see any more whether our chains are there.

    """
    return _plan(host, _look(host, paths), paths)


def destroy(
    host: Host,
    *,
    paths: Paths,
    purge: bool = False,
    announce: Announce = announce_nothing,
    progress: Progress = be_silent,
) -> Outcome:
    """Remove everything of ours; with ``purge`` the keys too. The caller holds the lock.

    Needs no desired state and no secret: marks and memory say what is ours.

    Raises:
        Unobservable, Unsupported: as :func:`plan_destroy`; nothing was written.

    """
    before = _look(host, paths)
    planned = _plan(host, before, paths)
    announce(planned)
    outcome = carry_through(host, before, planned, progress)
    if outcome.reverted is not None:
        return outcome
    trouble = [*_sweep(host, before, planned), *_try(lambda: forget(host, paths))]
    if purge:
        trouble += _purge(host, paths)
    return replace(outcome, trouble=(*outcome.trouble, *trouble), files_left=bool(trouble))


def _look(host: Host, paths: Paths) -> Situation:
    """Look for what is ours; what cannot be seen on a host that was applied is not called gone."""
    view = View(host)
    if not view.iptables_variants and (load_applied(host, paths) or load_attempted(host, paths)):
        reason = "not installed any more, and chains of ours may be left that only it can see"
        raise Unsupported("find", "iptables", reason)
    return look_around(host, paths, view)


def _plan(host: Host, situation: Situation, paths: Paths) -> Plan:
    applied = load_applied(host, paths)
    return make_plan(situation, applied.host.name if applied else "", "")


def _sweep(host: Host, situation: Situation, planned: Plan) -> Iterator[str]:
    """Remove what a userspace process left that had died, and its device with it, before us."""
    deleted = {change.key for change in planned.changes}
    links = {link.name for link in host.links()}
    for name in situation.scope.wireguard:
        if name not in deleted | links:
            yield from _try(partial(host.wireguard(name).delete, name))


def _purge(host: Host, paths: Paths) -> Iterator[str]:
    """Remove the host's identity; a new key makes it another member of the mesh.

    One secret that stays keeps none of the others. Yields what went wrong.
    """
    masters: list[Path] = []
    yield from _try(lambda: masters.extend(map(paths.master, host.list_files(paths.masters))))
    for path in (*masters, paths.private_key):
        yield from _try(partial(host.remove_file, path))


def _try(remove: Callable[[], None]) -> Iterator[str]:
    try:
        remove()
    except Missing:
        return
    except HostError as error:
        yield f"files: {error}"
