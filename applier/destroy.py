"""One host's live state to a host without Wormhole: all that is ours goes, and nothing else."""

from applier.host import Host
from applier.outcome import Outcome, Progress, be_silent
from applier.paths import Paths
from applier.plan import Plan
from applier.vault import Vault


def plan_destroy(host: Host, *, vault: Vault | None, paths: Paths) -> Plan:
    """Return what :func:`destroy` would remove; writes nothing.

    Raises:
        Unobservable: live state could not be read whole.

    """
    raise NotImplementedError


def destroy(
    host: Host,
    *,
    vault: Vault | None,
    paths: Paths,
    purge: bool = False,
    progress: Progress = be_silent,
) -> Outcome:
    """Remove everything of ours; with ``purge`` the keys too. The caller holds the lock.

    Needs no desired state: marks and memory say what is ours. A vault is only needed to put
    things back when something fails; a host whose key is lost has none.

    Raises:
        Unobservable: live state could not be read whole; nothing was written.

    """
    raise NotImplementedError
