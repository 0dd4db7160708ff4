"""One host's live state to a host without Wormhole: all that is ours goes, and nothing else."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from applier.errors import HostError, Missing, NotInstalled, Unobservable, Unsupported
from applier.host import Host
from applier.memory import forget, load_applied, load_attempted, names_of
from applier.outcome import Announce, Outcome, Progress, announce_nothing, be_silent
from applier.paths import Paths
from applier.plan import Plan
from applier.situation import Situation, look_around
from applier.transition import carry_through, make_plan
from applier.view import View
from schemas.state import IptablesVariant
from schemas.values import is_ipv6


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
    for ipv6 in sorted(_families_applied(host, paths)):
        if not any(_has_tool(view, variant, ipv6=ipv6) for variant in view.iptables_variants):
            reason = "not installed any more, and chains of ours may be left that only it can see"
            raise NotInstalled("find", "ip6tables" if ipv6 else "iptables", reason)
    return look_around(host, paths, view)


def _families_applied(host: Host, paths: Paths) -> set[bool]:
    """Return in which families chains of ours may be, as far as is remembered; true is IPv6."""
    applied, attempted = load_applied(host, paths), load_attempted(host, paths)
    known = (names_of(applied.host) if applied else None, attempted)
    return {is_ipv6(overlay) for names in known if names for overlay in names.overlays}


def _has_tool(view: View, variant: IptablesVariant, *, ipv6: bool) -> bool:
    try:
        view.iptables_save(variant, ipv6=ipv6)
    except NotInstalled:
        return False
    except (Unobservable, Unsupported):
        return True  # what that means is for the firewall to judge
    return True


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
