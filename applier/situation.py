"""A host and its desired state to everything that a plan is computed from."""

from typing import Final

from applier.diff import Observation, State
from applier.errors import HostError, Unsupported
from applier.host import Host
from applier.keys import load_key
from applier.kinds import KINDS
from applier.memory import load_applied, load_attempted
from applier.paths import Paths
from applier.recall import has_key
from applier.vault import Vault
from applier.view import View
from applier.wanted import Scope, Wanted, derive_preshared_keys, refuse_another_key, scope_of, want
from schemas.marks import CHAIN_PREFIX
from schemas.problems import Problems
from schemas.state import IptablesVariant, ResolvedHost, Value
from schemas.values import PublicKey

KUBERNETES_CHAINS: Final = (":KUBE-IPTABLES-HINT ", ":KUBE-KUBELET-CANARY ")
"""Made in the mangle table by the kubelet, in the variant that it uses (KEP 3178)."""

OUR_CHAINS: Final = (f":{CHAIN_PREFIX}",)


class Situation(Value, frozen=True, kw_only=True):
    """One host at one moment: what should be, what was, and what is."""

    desired: State
    last: State | None
    scope: Scope
    observed: Observation


def look(  # noqa: PLR0913 - the last two have defaults
    host: Host,
    resolved: ResolvedHost,
    vault: Vault,
    paths: Paths,
    view: View | None = None,
    *,
    keep_key: bool = False,
) -> Situation:
    """Return a host's situation with respect to a desired state.

    A caller that looks at more of the same moment gives the view that it goes on with. With
    ``keep_key`` a desired state for the key that the device has will do, though the host was given
    another one since.

    Raises:
        Problems: the desired state is not for this host, or a secret is missing.
        Unobservable: live state could not be read whole.
        Unsupported: the host lacks the iptables variant that is wanted.

    """
    own = load_key(host, paths)[0]
    view = view or View(host)
    if not (keep_key and has_key(view, resolved)):
        refuse_another_key(resolved, own)
    variant = choose_variant(view, resolved.host.firewall.iptables_variant)
    wanted = want(resolved, derive_preshared_keys(host, resolved, vault, paths), variant)
    applied = load_applied(host, paths)
    scope = scope_of(paths, wanted, applied, load_attempted(host, paths))
    desired = _desire(wanted, scope)
    last: State | None = desired
    if applied != resolved:
        before = applied and want(
            applied,
            _derive_last(host, applied, vault, paths),
            _choose_last_variant(view, applied, variant),
        )
        last = _desire(before, scope) if before else None
    return Situation(
        desired=desired,
        last=last,
        scope=scope,
        observed=_observe(view, scope),
    )


def look_around(host: Host, paths: Paths, view: View | None = None) -> Situation:
    """Return a host's situation when nothing is desired: marks and memory say what is ours."""
    scope = scope_of(paths, None, load_applied(host, paths), load_attempted(host, paths))
    observed = _observe(view or View(host), scope)
    return Situation(desired={}, last=None, scope=scope, observed=observed)


def look_again(host: Host, situation: Situation) -> Situation:
    """Return the same situation, observed anew."""
    return Situation(
        desired=situation.desired,
        last=situation.last,
        scope=situation.scope,
        observed=_observe(View(host), situation.scope),
    )


def choose_variant(view: View, asked: IptablesVariant) -> IptablesVariant:
    """Return the iptables variant to use: as asked, or as Kubernetes chose on this host.

    Rules in two variants both apply, so the choice only matters for who sees whose rules, and for
    hosts where one of them does not work: one that the kernel lacks is passed over.

    Raises:
        Unobservable: a dump that would decide cannot be read; asking for a variant settles it.
        Unsupported: it is not installed.

    """
    installed = view.iptables_variants
    if asked is not IptablesVariant.AUTO:
        if asked not in installed:
            known = ", ".join(installed) or "none"
            raise Unsupported("use", f"iptables-{asked}", f"not installed (installed: {known})")
        return asked
    if not installed:
        raise Unsupported("use", "iptables", "not installed (Debian and Ubuntu: package iptables)")
    if len(installed) == 1:
        return installed[0]
    for marks in (KUBERNETES_CHAINS, OUR_CHAINS):
        for variant in (IptablesVariant.NFT, IptablesVariant.LEGACY):
            if variant in installed and _holds(view, variant, marks):
                return variant
    return next((one for one in installed if _is_supported(view, one)), installed[0])


def _desire(wanted: Wanted, scope: Scope) -> State:
    return {kind.name: kind.desired(wanted, scope) for kind in KINDS}


def _derive_last(
    host: Host, applied: ResolvedHost, vault: Vault, paths: Paths
) -> dict[PublicKey, str]:
    """Return the pre-shared keys of when the host last converged.

    An old epoch's master secret may be gone by now; that costs the exact cause of a change.
    """
    try:
        return derive_preshared_keys(host, applied, vault, paths)
    except Problems:
        return {}


def _choose_last_variant(
    view: View, applied: ResolvedHost, now: IptablesVariant
) -> IptablesVariant:
    """Return the variant of when the host last converged, or the one of now if none can tell."""
    try:
        return choose_variant(view, applied.host.firewall.iptables_variant)
    except HostError:
        return now


def _observe(view: View, scope: Scope) -> Observation:
    return {kind.name: kind.observe(view, scope) for kind in KINDS}


def _holds(view: View, variant: IptablesVariant, marks: tuple[str, ...]) -> bool:
    """Whether a variant's mangle table, of either family, has one of these chains."""
    for ipv6 in (False, True):
        try:
            dump = view.iptables_save(variant, ipv6=ipv6)
        except Unsupported:
            continue  # a kernel without these tables has nothing in them
        mangle = dump.partition("*mangle\n")[2].partition("\nCOMMIT")[0]
        if any(line.startswith(marks) for line in mangle.splitlines()):
            return True
    return False


def _is_supported(view: View, variant: IptablesVariant) -> bool:
    """Whether the kernel has a variant whose tools are installed."""
    try:
        view.iptables_save(variant, ipv6=False)
    except Unsupported:
        return False
    return True
