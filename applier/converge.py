"""One host's desired state and its live state to a converged host, verified or reverted."""

from collections.abc import Collection
from typing import Final, Protocol

from msgspec.structs import replace

from applier.errors import HostError
from applier.host import Host
from applier.kinds.cni import CNI
from applier.kinds.links import LINKS
from applier.kinds.wireguard import PEERS
from applier.memory import load_applied, store_applied, store_attempted, store_joined
from applier.outcome import Announce, Outcome, Progress, announce_nothing, be_silent
from applier.paths import Paths
from applier.pending.note import clear_reverted
from applier.plan import Plan
from applier.situation import Situation, look, look_again
from applier.spare import find_known, find_leaving, spare
from applier.transition import carry_through, is_converged, make_plan
from applier.vault import Vault
from schemas.document import digest
from schemas.state import ResolvedHost
from schemas.values import PublicKey


class Trial(Protocol):
    """What is told of a converge that is to be confirmed; see :mod:`applier.pending.trial`."""

    def begin(self, before: Situation) -> None:
        """Get ready to go back. What it raises stops the work before it begins."""


FEW: Final = 5
"""Deletions that never need permission."""

SHARE: Final = 5
"""More than one object in so many may not go unasked."""


def plan(host: Host, resolved: ResolvedHost, *, vault: Vault, paths: Paths) -> Plan:
    """Return what converging would change; writes nothing.

    Raises:
        Problems: the desired state is not for this host, or a secret that it needs is missing.
        Unobservable: live state could not be read whole.
        Unsupported: the host lacks the iptables variant that is wanted.

    """
    return _plan(resolved, look(host, resolved, vault, paths))


def converge(  # noqa: PLR0913 - the one entry for every caller; all but two go by name
    host: Host,
    resolved: ResolvedHost,
    *,
    vault: Vault,
    paths: Paths,
    allow_mass_delete: bool = False,
    spare_on_refusal: bool = False,
    keep_key: bool = False,
    expected_to_leave: Collection[PublicKey] = (),
    announce: Announce = announce_nothing,
    progress: Progress = be_silent,
    trial: Trial | None = None,
) -> Outcome:
    """Make the host what the desired state says, verify it, revert on failure.

    The caller holds the host's lock. A host that has converged is not written to at all. Peers
    with these keys are known to leave, so that losing them needs no permission; nor does the old
    key of a node that has another one now.

    On trial, the first write is announced by the situation before it, and what was applied is not
    remembered: that is for whoever confirms it.

    A plan that removes too much is not carried out. With ``spare_on_refusal`` only its removals
    are not: what would leave stays as it is, and all else is made and mended. ``keep_key`` is as
    in :func:`~applier.situation.look`.

    Raises:
        Problems, Unobservable, Unsupported: as :func:`plan`; nothing was written.

    """
    before = look(host, resolved, vault, paths, keep_key=keep_key)
    return converge_from(
        host,
        resolved,
        before,
        paths=paths,
        allow_mass_delete=allow_mass_delete,
        spare_on_refusal=spare_on_refusal,
        expected_to_leave=expected_to_leave,
        announce=announce,
        progress=progress,
        trial=trial,
    )


def converge_from(  # noqa: PLR0913 - as above
    host: Host,
    resolved: ResolvedHost,
    before: Situation,
    *,
    paths: Paths,
    allow_mass_delete: bool = False,
    spare_on_refusal: bool = False,
    expected_to_leave: Collection[PublicKey] = (),
    announce: Announce = announce_nothing,
    progress: Progress = be_silent,
    trial: Trial | None = None,
) -> Outcome:
    """Go on with :func:`converge` from a look that the caller took under the same lock."""
    excused = frozenset(expected_to_leave)
    refused = "" if allow_mass_delete else judge_deletions(before, excused)
    if refused:
        excused |= find_replaced(load_applied(host, paths), resolved)
        refused = judge_deletions(before, excused)
    kept = spare(before, excused) if refused and spare_on_refusal else None
    goal = kept or before
    planned = _plan(resolved, goal)
    announce(planned)
    if refused and kept is None:
        return Outcome(plan=planned, left=planned, refused=refused)
    if is_converged(planned):
        outcome = Outcome(plan=planned, left=planned)
    else:
        if trial is not None:
            trial.begin(goal)
        store_attempted(host, paths, resolved)
        outcome = carry_through(host, goal, planned, progress)
    if kept is not None:
        return _hold_back(host, resolved, paths, (before, kept), replace(outcome, refused=refused))
    if outcome.reverted is not None or (trial is not None and not is_converged(planned)):
        return outcome
    kinds = {change.kind for change in outcome.left.conflicts}
    return replace(outcome, trouble=(*outcome.trouble, *remember(host, paths, resolved, kinds)))


def remember(
    host: Host, paths: Paths, resolved: ResolvedHost, conflicts: Collection[str]
) -> tuple[str, ...]:
    """Write down what was applied; return what went wrong with that: the network needs none of it.

    While a stranger holds a link's name (``conflicts`` names the kinds of what is in the way), the
    link that it should replace is kept, and so is the memory of that one's name.
    """
    if LINKS.name in conflicts:
        return ()
    try:
        store_applied(host, paths, resolved, ended=CNI.name not in conflicts)
        clear_reverted(host, paths, digest(resolved))
    except HostError as error:
        return (f"memory: {error}",)
    return ()


def judge_deletions(situation: Situation, excused: Collection[PublicKey] = ()) -> str:
    """Say why a plan removes too much to be carried out unasked; empty when it does not.

    Objects that the kernel removes along with their link count too. Peers with these keys count
    neither as leaving nor as there: the rest is judged as if they had left before. Nor does what
    nobody ever wanted. Chains that move to the other variant of iptables stay.
    """
    known = sum(1 for _ in find_known(situation, excused))
    leaving = sum(1 for _ in find_leaving(situation, excused))
    if leaving <= FEW or leaving * SHARE <= known:
        return ""
    return f"the plan removes {leaving} of {known} objects, which is more than a fifth"


def find_replaced(applied: ResolvedHost | None, resolved: ResolvedHost) -> set[PublicKey]:
    """Return the old keys of nodes that stay: all hosts of a mesh may rotate theirs in one go."""
    before = applied.peers if applied else {}
    stay = before.keys() & resolved.peers.keys()
    current = {peer.public_key for peer in resolved.peers.values()}
    return {before[name].public_key for name in stay} - current


def _plan(resolved: ResolvedHost, situation: Situation) -> Plan:
    return make_plan(situation, resolved.host.name, digest(resolved))


def _hold_back(
    host: Host,
    resolved: ResolvedHost,
    paths: Paths,
    situations: tuple[Situation, Situation],
    outcome: Outcome,
) -> Outcome:
    """Say what was planned and what is left by what is desired, in place of what was kept too.

    Of the memory only the peers change: what leaves later was wanted once, and is no stranger.
    """
    before, kept = situations
    planned = left = _plan(resolved, before)
    trouble = outcome.trouble
    try:
        if outcome.done or outcome.failures:
            left = _plan(resolved, look_again(host, before))
        if outcome.reverted is None:
            staying = {peer.public_key for peer in kept.desired.get(PEERS.name, {}).values()}
            store_joined(host, paths, resolved, staying)
    except HostError as error:
        trouble = (*trouble, f"after the refusal: {error}")
    return replace(outcome, plan=planned, left=left, spared=True, trouble=trouble)
