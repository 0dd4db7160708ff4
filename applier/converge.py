"""One host's desired state and its live state to a converged host, verified or reverted."""

from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from applier.errors import HostError
from applier.host import Host
from applier.kinds.cni import CNI
from applier.kinds.links import LINKS
from applier.kinds.wireguard import DevicePeer
from applier.memory import load_applied, store_applied, store_attempted
from applier.outcome import Announce, Outcome, Progress, announce_nothing, be_silent
from applier.paths import Paths
from applier.plan import Plan
from applier.situation import Situation, look
from applier.transition import carry_through, is_converged, make_plan
from applier.vault import Vault
from schemas.document import digest
from schemas.state import ResolvedHost
from schemas.values import PublicKey

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


def converge(  # noqa: PLR0913 - the one entry for every caller; all but two by name
    host: Host,
    resolved: ResolvedHost,
    *,
    vault: Vault,
    paths: Paths,
    allow_mass_delete: bool = False,
    expected_to_leave: Collection[PublicKey] = (),
    announce: Announce = announce_nothing,
    progress: Progress = be_silent,
) -> Outcome:
    """Make the host what the desired state says, verify it, revert on failure.

    The caller holds the host's lock. A host that has converged is not written to at all. Peers
    with these keys are known to leave, so that losing them needs no permission; nor does the old
    key of a node that has another one now.

    Raises:
        Problems, Unobservable, Unsupported: as :func:`plan`; nothing was written.

    """
    before = look(host, resolved, vault, paths)
    planned = _plan(resolved, before)
    announce(planned)
    refused = "" if allow_mass_delete else judge_deletions(before, expected_to_leave)
    if refused:
        replaced = _find_replaced(load_applied(host, paths), resolved)
        refused = judge_deletions(before, {*expected_to_leave, *replaced})
    if refused:
        return Outcome(plan=planned, left=planned, refused=refused)
    if is_converged(planned):
        outcome = Outcome(plan=planned, left=planned)
    else:
        store_attempted(host, paths, resolved)
        outcome = carry_through(host, before, planned, progress)
    return outcome if outcome.reverted is not None else _remember(host, resolved, paths, outcome)


def judge_deletions(situation: Situation, expected_to_leave: Collection[PublicKey] = ()) -> str:
    """Say why a plan removes too much to be carried out unasked; empty when it does not.

    Objects that the kernel removes along with their link count too. Peers with these keys count
    neither as leaving nor as there: the rest is judged as if they had left before.
    """
    owned = [
        (kind, key)
        for kind, content in situation.observed.items()
        for key, value in content.owned.items()
        if not (isinstance(value, DevicePeer) and value.public_key in expected_to_leave)
    ]
    leaving = sum(key not in situation.desired.get(kind, {}) for kind, key in owned)
    if leaving <= FEW or leaving * SHARE <= len(owned):
        return ""
    return f"the plan removes {leaving} of {len(owned)} objects, which is more than a fifth"


def _find_replaced(applied: ResolvedHost | None, resolved: ResolvedHost) -> set[PublicKey]:
    """Return the old keys of nodes that stay: all hosts of a mesh may rotate theirs in one go."""
    before = applied.peers if applied else {}
    stay = before.keys() & resolved.peers.keys()
    current = {peer.public_key for peer in resolved.peers.values()}
    return {before[name].public_key for name in stay} - current


def _plan(resolved: ResolvedHost, situation: Situation) -> Plan:
    return make_plan(situation, resolved.host.name, digest(resolved))


def _remember(host: Host, resolved: ResolvedHost, paths: Paths, outcome: Outcome) -> Outcome:
    """Write down what was applied. The network does not need it, so a failure is only told.

    While a stranger holds a link's name, the link that it should replace is kept, and so is the
    memory of that one's name.
    """
    if any(conflict.kind == LINKS.name for conflict in outcome.left.conflicts):
        return outcome
    ended = all(conflict.kind != CNI.name for conflict in outcome.left.conflicts)
    try:
        store_applied(host, paths, resolved, ended=ended)
    except HostError as error:
        return replace(outcome, trouble=(*outcome.trouble, f"memory: {error}"))
    return outcome
