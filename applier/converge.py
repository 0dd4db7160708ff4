"""One host's desired state and its live state to a converged host, verified or reverted."""

from applier.host import Host
from applier.outcome import Outcome, Progress, be_silent
from applier.paths import Paths
from applier.plan import Plan
from applier.vault import Vault
from schemas.state import ResolvedHost


def plan(host: Host, resolved: ResolvedHost, *, vault: Vault, paths: Paths) -> Plan:
    """Return what converging would change; writes nothing.

    Raises:
        Problems: the desired state is not for this host, or a secret that it needs is missing.
        Unobservable: live state could not be read whole.

    """
    raise NotImplementedError


def converge(
    host: Host,
    resolved: ResolvedHost,
    *,
    vault: Vault,
    paths: Paths,
    allow_mass_delete: bool = False,
    progress: Progress = be_silent,
) -> Outcome:
    """Make the host what the desired state says, verify it, revert on failure.

    The caller holds the host's lock.

    Raises:
        Problems, Unobservable: as :func:`plan`; nothing was written.

    """
    raise NotImplementedError
